"""Write the report of several runs: the pages of each, and one that compares them unit by unit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netdissect import api
from netdissect.io.folders import require_free
from netdissect.report import ReportPresenter
from netdissect.report.compared_folder import COMPARED_FOLDER, replace_comparison
from netdissect.report.comparison_writer import ComparisonWriter
from netdissect.results.run_layers import Layers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netdissect.protocols import ImageSource
    from netdissect.results.run_result import Result

#: Endings of a main figure; a path without one is a folder.
_ENDINGS = (".svg", ".png", ".csv", ".pdf", ".html")


@dataclass(frozen=True, eq=False)
class _Source:
    name: str
    path: Path
    step: float | None
    run: Result | None


def find_page_folder(out: Path) -> Path:
    """Return the folder of the pages: `out`, or the folder beside the figure `out` that has its name without the ending.

    >>> from pathlib import Path
    >>> find_page_folder(Path("comparisons/two.svg")), find_page_folder(Path("two"))
    (PosixPath('comparisons/two'), PosixPath('two'))
    """
    return out.with_suffix("") if out.suffix in _ENDINGS and out.stem else out


def write_compared_pages(
    sources: Sequence[tuple[str, Path]], folder: Path, *, threshold: float = 0.04, layers: Sequence[str] = (),
    steps: Sequence[float | None] = (), runs: Sequence[Result | None] = (),
) -> Path | None:  # fmt: skip
    """Write the pages of two or more runs; result tables, which have no images, are left out.

    Args:
        sources: name (or ``""``) and path of run folders and tables.
        folder: the pages' folder, which is made if it does not exist.
        threshold: score from which a unit counts as a detector, where the page starts.
        layers: only these; empty for all.
        steps: training step of each source, None for other networks; empty if there are none.
        runs: the loaded run of each source, None for a table; empty if they are still to be loaded.

    Returns:
        the first page, or None if there are fewer than two runs.

    Raises:
        FolderTakenError: if the folder holds anything but a comparison.
        RunError: one of its subclasses, if a run cannot be read.
    """
    known = [*zip(steps or [None] * len(sources), runs or [None] * len(sources), strict=True)]
    taken = [
        _Source(name, path, *of_run)
        for (name, path), of_run in zip(sources, known, strict=True)
        if path.suffix not in (".mat", ".csv")
    ]
    if len(taken) < 2:
        return None
    require_free(folder, COMPARED_FOLDER)  # before runs are loaded
    if all(source.step is not None for source in taken):
        taken.sort(key=lambda source: source.step or 0)
    with replace_comparison(folder) as kept:
        writer = ComparisonWriter(folder, kept, threshold)
        for name, source in zip(_name_runs(taken), taken, strict=True):
            run = api.load(source.path) if source.run is None else source.run
            shown = {layer.name: layer for layer in run.layers.values() if not layers or layer.name in layers}
            if shown:
                writer.add_run(name, replace(run, layers=Layers(shown)), _find_images(run), source.step)
        return writer.finish()


def _find_images(run: Result) -> ImageSource:
    """Return the images and label maps of a run that `netdissect.load` made."""
    assert isinstance(run.presenter, ReportPresenter)
    return run.presenter.images


def _name_runs(sources: Sequence[_Source]) -> list[str]:
    """Return a distinct name for every run: the one given, or its folder's, with a number where these are the same."""
    names = [source.name or source.path.resolve().name for source in sources]
    total, seen, distinct = Counter(names), Counter[str](), []
    for name in names:
        seen[name] += 1
        distinct.append(f"{name} ({seen[name]})" if total[name] > 1 else name)
    return distinct
