"""What every test may ask for."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import Phase, settings

# Machines are shared: no test is a timed one. In CI a red run comes back: the examples are the same every time.
settings.register_profile("random", parent=settings.get_profile("default"), deadline=None, print_blob=True)
settings.register_profile("ci", parent=settings.get_profile("random"), derandomize=True, database=None)
settings.register_profile(  # for mutants: what fails need not be made small
    "quick", parent=settings.get_profile("ci"), phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "random")

# A shell has signals ignored by what runs in its background; programs that tests start and end would inherit that.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)

#: Of a headless Chromium that asks for nothing by itself.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
SHARED = Path(__file__).resolve().parents[2] / "shared"


def _let_torchvision_import() -> None:
    """Beside a CPU build of torch, torchvision's wheel cannot register its operators and does not import.

    Defining the two operators it asks for lets its models, weights and transforms be tested all the same.
    """
    if importlib.util.find_spec("torchvision") is None:
        return
    import torch

    if "+cpu" in torch.__version__:
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor boxes, Tensor scores, float threshold) -> Tensor")
        globals()["_TORCHVISION_OPERATORS"] = library  # they live as long as this object does


_let_torchvision_import()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out tests that need a model hub, unless the environment asks for them; a cluster is made of processes."""
    for item in items:
        if item.get_closest_marker("cluster") is not None:
            item.add_marker("processes")
    if os.environ.get("NETDISSECT_NETWORK") != "1":
        for item in items:
            if item.get_closest_marker("network") is not None:
                item.add_marker(pytest.mark.skip(reason="needs a model hub: NETDISSECT_NETWORK=1 runs it"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("reference data (../shared) is not here")
    return SHARED


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium: one for all tests of a process, for Playwright stands no second."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium is installed (apt-get install chromium)")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()
