"""Hypothesis profiles, torchvision with a CPU build of torch, markers, and fixtures for all tests."""

from __future__ import annotations

import gc
import importlib.util
import io
import os
import shutil
import signal
import sys
from pathlib import Path

import dev
import pytest
from hypothesis import Phase, settings

# Threads of torch wait asleep: with a test process for each core, waiting awake takes the cores from the others' work.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# No deadlines, because machines are shared. In CI examples are the same every time, so that a failure can be repeated.
settings.register_profile("random", parent=settings.get_profile("default"), deadline=None, print_blob=True)
settings.register_profile("ci", parent=settings.get_profile("random"), derandomize=True, database=None)
settings.register_profile(  # for benchmarks/mutants.py, which does not need the smallest failing example
    "quick", parent=settings.get_profile("ci"), phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "random")

# Background jobs of a shell ignore these signals, and processes that tests start would inherit that.
for _number in (signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)

# Test processes that run side by side have one thread each: with a thread for every core, they wait for one another and some
# tests take three times as long.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

#: Options of headless Chromium; it makes no requests of its own.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
SHARED = Path(__file__).resolve().parents[2] / "shared"


def _let_torchvision_import() -> None:
    """Define two operators, without which torchvision's wheel cannot be imported with a CPU build of torch."""
    if importlib.util.find_spec("torchvision") is None:
        return
    import torch

    if "+cpu" in torch.__version__:
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor boxes, Tensor scores, float threshold) -> Tensor")
        globals()["_TORCHVISION_OPERATORS"] = library  # removed when the library object is


_let_torchvision_import()


def pytest_configure() -> None:
    """Stop the garbage collector while tests are collected: all that is made stays, and looking through it takes a third of the time."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Start the garbage collector, which does not look at collected tests and imported libraries again."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests that need a model hub unless NETDISSECT_NETWORK=1; run cluster tests in the lane of processes."""
    for item in items:
        if item.get_closest_marker("cluster") is not None:
            item.add_marker("processes")
    for file in sorted({item.path for item in items if item.get_closest_marker("processes") is not None}):
        if not dev.OF_SECOND_LANE.search(file.read_text(encoding="utf-8")):
            raise pytest.UsageError(
                f"{file}: dev.py finds tests of processes by the words mark.processes in their file"
            )
    if os.environ.get("NETDISSECT_NETWORK") != "1":
        for item in items:
            if item.get_closest_marker("network") is not None:
                item.add_marker(pytest.mark.skip(reason="needs a model hub: NETDISSECT_NETWORK=1 runs it"))


#: Where model kinds, scores and report panels are registered, with what is built in.
REGISTRIES = {
    ("netdissect.networks.plugins", "_registered"): (),
    ("netdissect.results.scores", "_REGISTRY"): ("iou", "f1", "pearson", "cosine"),
    ("netdissect.report.panels", "_REGISTRY"): (),
}


@pytest.fixture(scope="module", autouse=True)
def _remove_registered():
    """Remove what the tests of a module registered, so that other modules do not see it."""
    yield
    for (module, registry), built_in in REGISTRIES.items():
        if module in sys.modules:
            entries = getattr(sys.modules[module], registry)
            for name in set(entries) - set(built_in):
                del entries[name]


@pytest.fixture(scope="session", autouse=True)
def _log_no_progress() -> None:
    """Log no lines about progress, so that a slow machine prints what a quick one prints."""
    from netdissect import progress_lines

    progress_lines.EVERY = 3600.0


@pytest.fixture(scope="session", autouse=True)
def _import_once_for_workers():
    """Let the process that workers are forked from import what any run needs, whichever test starts it."""
    from multiprocessing import forkserver

    with pytest.MonkeyPatch.context() as patch:
        plain = forkserver.set_forkserver_preload
        patch.setattr(forkserver, "set_forkserver_preload", lambda names: plain([*names, "netdissect.run"]))
        yield


@pytest.fixture(scope="session", autouse=True)
def _draw_figures_once():
    """Draw every figure as SVG only, a third of the work; its PNG and its PDF are a small square.

    Tests with the fixture `real_figures`, and commands that run in a process of their own, have all three.
    """
    from matplotlib.figure import Figure

    plain, squares = Figure.savefig, {}

    def save(figure: Figure, out: object, **options: object) -> None:
        kind = options.get("format")
        if kind not in ("png", "pdf") or _FIGURES["real"]:
            plain(figure, out, **options)
            return
        if kind not in squares:
            drawn = io.BytesIO()
            plain(Figure(figsize=(1, 1)), drawn, format=kind, metadata=options.get("metadata"))
            squares[kind] = drawn.getvalue()
        out.write(squares[kind])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", save)
        yield


_FIGURES = {"real": False}


@pytest.fixture(scope="module")
def real_figures():
    """Draw the PNG and the PDF of figures too."""
    _FIGURES["real"] = True
    yield
    _FIGURES["real"] = False


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of reference data next to the checkout."""
    if not SHARED.is_dir():
        pytest.skip("reference data (../shared) is missing")
    return SHARED


@pytest.fixture(scope="session")
def browser():
    """Yield a headless Chromium for all tests of this process; Playwright cannot start twice in one.

    The headless shell is the same engine without windows, and takes less than half of the processor time.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no Chromium is installed (apt-get install chromium)")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()
