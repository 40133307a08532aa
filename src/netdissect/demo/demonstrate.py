"""The demo: the bundled network on the bundled probe set, and beside it the same network with random weights.

Most units of any network answer to something, so counting detectors proves little. What tells a network that has
learned from one that has not is how many *different* concepts its units have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import netdissect
from netdissect import api
from netdissect.demo import network
from netdissect.demo.world import DEMO_IMAGES, write_probe_set
from netdissect.demo.world.world_folder import empty_folder, remove_world
from netdissect.experiments import compare_runs
from netdissect.io import atomic, folders
from netdissect.protocols import NullProgress, Progress
from netdissect.results import run_folder as place
from netdissect.results.run_folder import RUN_FOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.results.detectors import Detectors
    from netdissect.results.run_result import Result

#: The layer whose concepts are counted.
LAST = network.LAYERS[-1]
#: What is drawn: so many images, of so many pixels a side, from this seed.
IMAGES, SIZE, SEED = DEMO_IMAGES, 112, 0
#: Folders within the run's.
PROBE_SET, CONTROL = "synthetic", "control"
#: A file that says what a probe set is.
_STAMP = ".demo"


@dataclass(frozen=True, eq=False)
class DemoResult:
    """What the demo found.

    Attributes:
        trained: the bundled network's dissection.
        control: that of the same network with random weights, over the same images.
        report: first page of the trained network's report.
    """

    trained: Result
    control: Result
    report: Path

    def headlines(self) -> tuple[str, str]:
        """Return what the last layer of either network detects, one line each."""
        trained, control = (_format_headline(result[LAST].detectors()) for result in (self.trained, self.control))
        return f"{LAST}, trained:        {trained}", f"{LAST}, random weights: {control}"


def _format_headline(found: Detectors) -> str:
    return f"{found.describe()} in {len(found.unique_by_category)} categories"


def run_demo(out: Path, *, progress: Progress | None = None) -> DemoResult:
    """Draw the probe set, dissect both networks, and write their reports and what compares them.

    Args:
        out: becomes the trained network's run; the probe set, the control's run and the comparison lie in it too. What
            an earlier demo drew there is used again.
        progress: shown how far it is.

    Raises:
        FolderTakenError: if the folder holds something that is no run.
        DataError: if the folder of the probe set holds something else.
        RunBusyError: if another process works in the folder.
        OSError: as any write does.
    """
    progress = progress or NullProgress()
    with place.lock_run_folder(out) as written:
        written.start(written.run)  # from now on the folder is a run's
    with folders.lock_folder(out, RUN_FOLDER):
        anew = _draw_probe_set(out / PROBE_SET, progress)
    data = out / PROBE_SET
    trained = api.dissect(network.load_trained_network(), network.LAYERS, data, out=out, fresh=anew, progress=progress)
    control = api.dissect(network.load_control_network(), LAST, data, out=out / CONTROL, fresh=anew, progress=progress)
    runs = (f"trained={out}", f"random weights={out / CONTROL}")
    compare_runs.compare(runs, layers=(LAST,)).write_figures(out / "comparison.svg", figures=("networks",))
    return DemoResult(trained, control, out / "html" / "index.html")


def _draw_probe_set(folder: Path, progress: Progress) -> bool:
    """Draw the demo's probe set unless the same one lies there whole; say whether anything was drawn."""
    wanted = f"netdissect {netdissect.__version__}: {IMAGES} images of {SIZE} pixels from seed {SEED}\n"
    stamp = folder / _STAMP
    if atomic.is_regular_below(folder, _STAMP):
        if stamp.read_bytes() == wanted.encode() and (folder / "index.csv").is_file():
            return False
        remove_world(folder)  # the demo's own: of another version, or begun and not finished
        stamp.unlink()
    with empty_folder(folder):
        write_probe_set(folder, images=IMAGES, size=SIZE, seed=SEED, progress=progress)
        atomic.write_text(stamp, wanted)
    return True
