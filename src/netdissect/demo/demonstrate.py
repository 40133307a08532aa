"""The demo: dissect the bundled network on the bundled probe set, and the same network with random weights as a control.

Many units match some concept even with random weights, so the number of detectors says little. The number of *unique*
concepts distinguishes a trained network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import netdissect
from netdissect import api
from netdissect.config import Settings
from netdissect.demo import network
from netdissect.demo.world import DEMO_IMAGES, write_probe_set
from netdissect.demo.world.world_folder import empty_folder, remove_world
from netdissect.experiments import compare_runs
from netdissect.io import atomic, folders
from netdissect.progress import TitledProgress
from netdissect.protocols import NullProgress, Progress
from netdissect.results.closing_lines import COLUMNS, describe_layer_closing
from netdissect.results.controls import UNTRAINED, record_control
from netdissect.results.run_folder import RUN_FOLDER, lock_run_folder

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.results.run_result import Result

#: The layer whose concepts are counted.
LAST = network.LAYERS[-1]
#: The demo's probe set: number of images, side in pixels, and seed.
IMAGES, SIZE, SEED = DEMO_IMAGES, 112, 0
#: Folders of the probe set and of the control's run in the run folder.
PROBE_SET, CONTROL = "synthetic", "control"
#: File in the probe set's folder that records the version, number, size and seed of its images.
_STAMP = ".demo"


@dataclass(frozen=True, eq=False)
class DemoResult:
    """What the demo found.

    Attributes:
        trained: the bundled network's dissection.
        control: the dissection of the same network with random weights, over the same images.
        report: first page of the trained network's report.
    """

    trained: Result
    control: Result
    report: Path

    def describe_control(self, columns: int = COLUMNS, *, bars: bool = True) -> list[str]:
        """Return what the last layer detects with random weights, as lines.

        Args:
            columns: width of the lines.
            bars: draw the share of detectors as a bar.
        """
        layer, threshold = self.control[LAST], self.control.settings.threshold
        return describe_layer_closing(layer, threshold, columns, title=f"{LAST} with random weights", bars=bars)


def run_demo(out: Path, *, classic: bool = False, progress: Progress | None = None) -> DemoResult:
    """Draw the probe set, dissect both networks, and write their reports and a comparison.

    Args:
        out: run folder of the trained network; the probe set, the control's run and the comparison are written to it too.
            The probe set of an earlier demo is reused.
        classic: also write the released code's pages into the report.
        progress: receives the progress of every step.

    Raises:
        FolderTakenError: if the folder holds something that is not a run.
        DataError: if the folder of the probe set holds something else.
        RunBusyError: if another process works in the folder.
        OSError: if a file cannot be written.
    """
    progress = progress or NullProgress()
    with lock_run_folder(out) as written:
        written.start(written.run, written.choices)  # from now on the folder is a run folder
    with folders.lock_folder(out, RUN_FOLDER):
        is_new = _draw_probe_set(out / PROBE_SET, progress)
    data = out / PROBE_SET
    control = api.dissect(
        network.load_control_network(),
        LAST,
        data,
        out=out / CONTROL,
        fresh=is_new,
        progress=TitledProgress(progress, "random weights"),
    )

    def add_control(run: Result) -> Result:
        found = record_control("random weights", UNTRAINED, control, run.layers, run.settings.threshold)
        others = (each for each in run.controls if (each.name, each.kind) != (found.name, found.kind))
        return run if found in run.controls else replace(run, controls=(*others, found))

    concepts, settings, folder = api.check_inputs(data, Settings(classic=classic), out)
    trained = api.dissect_checked(
        network.load_trained_network(), network.LAYERS, concepts, settings, folder, finish=add_control, fresh=is_new,
        progress=progress,
    )  # fmt: skip
    runs = (f"trained={out}", f"random weights={out / CONTROL}")
    compare_runs.compare(runs, layers=(LAST,)).write_figures(out / "comparison.svg", figures=("networks",))
    return DemoResult(trained, control, out / "html" / "index.html")


def _draw_probe_set(folder: Path, progress: Progress) -> bool:
    """Draw the demo's probe set unless it is already there and complete; return whether it was drawn."""
    expected = f"netdissect {netdissect.__version__}: {IMAGES} images of {SIZE} pixels from seed {SEED}\n"
    stamp = folder / _STAMP
    if atomic.is_regular_below(folder, _STAMP):
        if stamp.read_bytes() == expected.encode() and (folder / "index.csv").is_file():
            return False
        remove_world(folder)  # a demo's probe set of another version, or an unfinished one
        stamp.unlink()
    with empty_folder(folder):
        write_probe_set(folder, images=IMAGES, size=SIZE, seed=SEED, progress=progress)
        atomic.write_text(stamp, expected)
    return True
