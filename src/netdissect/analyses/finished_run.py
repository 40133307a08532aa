"""A finished run that is asked: loaded from its folder with all that draws and answers, and saved with the answer."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from netdissect import report
from netdissect.analyses.run_analyses import RunAnalyses
from netdissect.bounds import describe_type
from netdissect.errors import SettingsError
from netdissect.probe_sets.prepared.probe_folder import open_probe_folder
from netdissect.results import files
from netdissect.results.run_folder import lock_run_folder
from netdissect.results.run_layers import Layers
from netdissect.results.run_result import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netdissect.protocols import ConceptSource, ImageSource, Progress


@dataclass(frozen=True, eq=False)
class AskedRun:
    """A run that an analysis works on.

    Attributes:
        result: the run.
        folder: its folder; None if it has none.
        is_saved: whether the answer is saved into the folder, because the folder was given; the folder is locked then.
    """

    result: Result
    folder: Path | None
    is_saved: bool

    def save(self, answer: Result, progress: Progress) -> Result:
        """Write the run with an answer into its folder, and its report again if it has one; return it.

        A run that was given as a Result is returned as it is.
        """
        if self.folder is not None and self.is_saved:
            files.save_run(answer, self.folder)
            if report.has_report(self.folder) and answer.presenter is not None:
                answer.presenter.write_report(answer, self.folder, progress)
        return answer


@contextlib.contextmanager
def open_asked_run(run: Result | str | Path) -> Iterator[AskedRun]:
    """Return a context manager that opens a run for an analysis.

    Args:
        run: a result, or the folder of a run, which is locked inside the block.

    Raises:
        RunNotFoundError: if the folder holds no finished run.
        RunFileError: if one of its files is damaged.
        RunBusyError: if another process works in the folder.
        SettingsError: if `run` is something else.
    """
    if isinstance(run, Result):
        yield AskedRun(run, run.analyses.folder if run.analyses is not None else None, is_saved=False)
        return
    given: object = run
    if not isinstance(given, (str, os.PathLike)):
        raise SettingsError(f"expected a result or the folder of a run, got {describe_type(given)}")
    load_finished(Path(run))  # a folder without a run is refused before it is locked
    with lock_run_folder(Path(run)):
        yield AskedRun(load_finished(Path(run)), Path(run), is_saved=True)


def load_finished(folder: Path) -> Result:
    """Load a finished run from its folder, with all that draws and answers (`netdissect.load`)."""
    run = files.load_run(folder)
    return equip(run, lambda: _open_recorded_probe_set(run), folder, report.ReportCache(run, folder))


def equip(
    run: Result,
    find_probe_set: Callable[[], ConceptSource | None],
    folder: Path | None,
    cache: ImageSource | None = None,
) -> Result:
    """Return a run that can draw itself and its layers, and that can be asked.

    Args:
        run: the run.
        find_probe_set: returns its probe set, or None if it is not available.
        folder: its folder, if it has one.
        cache: images and labels that an earlier report has cached.
    """
    presenter = report.ReportPresenter(
        report.RunImages(find_probe_set, cache), run.settings.threshold, run.network.input_size, run
    )
    layers = {name: replace(layer, presenter=presenter) for name, layer in run.layers.items()}
    return replace(run, layers=Layers(layers), presenter=presenter, analyses=RunAnalyses(folder))


def _open_recorded_probe_set(run: Result) -> ConceptSource | None:
    """Open the probe set that ``run.json`` names; None if it is not there or has changed."""
    card, settings = run.probe_set, run.settings
    if not card.path or "://" in card.path:  # never open a URL because a file names it
        return None
    with contextlib.suppress(Exception):  # a probe set that cannot be opened is not available
        if os.path.exists(card.path):  # noqa: PTH110 - the string may not be a valid path
            found = open_probe_folder(card.path, split=settings.split, limit=settings.limit)
            return found if found.fingerprint == card.fingerprint else None
    return None
