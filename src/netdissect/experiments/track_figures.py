"""Write the figures and tables of a track, and say it in lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.experiments.compare_figures import name_output_file, require_no_overwrite, write_training_curve
from netdissect.report import figures as draw
from netdissect.report.figures.style import ENDINGS, write_numbers
from netdissect.results.detectors import format_count, format_times
from netdissect.results.found_text import align_columns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netdissect.experiments.track import TrackedRuns
    from netdissect.report.figures.style import FigureWidth
    from netdissect.results.label_changes import LabelChanges

_CHANGE_COLUMNS = ("layer", "from", "to", "from-step", "to-step", "compared", "changed")
_UNIT_COLUMNS = (
    "layer", "unit", "from", "to", "from-step", "to-step", "label-from", "label-to", "score-from", "score-to", "keep-from", "keep-to",
)  # fmt: skip


def write_track(tracked: TrackedRuns, out: Path, *, width: FigureWidth = "text") -> list[Path]:
    """Write the curve, the label changes and the table of single units; `TrackedRuns.write_figures` documents them."""
    curve, changes, units = (name_output_file(out, ".svg", suffix) for suffix in ("", "-changes", "-units"))
    outputs = [path.with_suffix(ending) for path in (curve, changes) for ending in ENDINGS]
    tables = [path.with_suffix(".csv") for path in (curve, changes, units)]
    sources = [file for point in tracked.checkpoints if point.source is not None for file in point.source.iterdir()]
    require_no_overwrite(sources, [*outputs, *tables])
    write_training_curve(tracked.entries, curve, threshold=tracked.threshold, axis=tracked.axis, width=width)
    found = tracked.find_changes()
    if any(item.compared for item in found):
        shares: dict[str, list[tuple[float, float]]] = {}
        for item in found:
            if item.compared:
                share = len(item.changes) / item.compared
                shares.setdefault(item.layer, []).append((_find_steps(tracked, item)[1], share))
        draw.draw_label_changes(shares, changes, axis=tracked.axis, width=width)
    write_numbers(changes, _CHANGE_COLUMNS, [
        [item.layer, *item.runs, *_find_steps(tracked, item), *_list_counts(item)] for item in found
    ])  # fmt: skip
    write_numbers(units, _UNIT_COLUMNS, _list_units(tracked, found))
    drawn = [curve, changes] if any(item.compared for item in found) else [curve]
    return [*drawn, tables[-1]]


def _find_steps(tracked: TrackedRuns, item: LabelChanges) -> tuple[float, float]:
    steps = {point.name: point.step for point in tracked.checkpoints}
    return steps[item.runs[0]], steps[item.runs[1]]


def _list_counts(item: LabelChanges) -> tuple[object, object]:
    """Return how many labels are compared, and how many changed; empty where it was not measured."""
    return ("", "") if item.compared is None else (item.compared, len(item.changes))


def _list_units(tracked: TrackedRuns, found: list[LabelChanges]) -> Iterator[list[object]]:
    for item in found:
        for change in item.changes:
            yield [
                item.layer, change.unit, *item.runs, *_find_steps(tracked, item), *change.labels,
                *(f"{value:.4f}" for value in (*change.scores, *change.keeps)),
            ]  # fmt: skip


def describe_track(tracked: TrackedRuns) -> list[str]:
    """Return a line for each layer and checkpoint: detectors, unique ones, what is beyond chance, and labels that changed."""
    changes = {(item.layer, item.runs[1]): item for item in tracked.find_changes()}
    heads = (
        "layer",
        "run",
        tracked.axis,
        "unique",
        "detectors",
        "beyond chance",
        "times chance",
        "labels changed, of those kept",
    )
    rows: list[tuple[str, ...]] = [heads]
    for entry in tracked.entries:
        spread, trust, changed = entry.spread, entry.trust, changes.get((entry.layer, entry.name))
        rows.append((
            entry.layer, entry.name, "" if tracked.axis == "run" else f"{entry.step:g}",
            format_count(entry.total, None if spread is None else spread.unique_sd),
            format_count(entry.detectors, None if spread is None else spread.units_sd),
            "" if trust is None or trust.beyond is None else str(trust.beyond),
            "" if trust is None or trust.times is None else format_times(trust.times),
            "" if changed is None else changed.describe(),
        ))  # fmt: skip
    return [*align_columns(rows), *tracked.remarks]
