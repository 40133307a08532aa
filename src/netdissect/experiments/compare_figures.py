"""Write the figures of a comparison as SVG, PDF and PNG, and their numbers as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.concepts import sort_categories
from netdissect.errors import SettingsError
from netdissect.io.names import find_name_problem
from netdissect.io.text import escape_line
from netdissect.report import figures as draw
from netdissect.report.figures.series import SeriesStyle, style_series
from netdissect.report.figures.style import ENDINGS, write_numbers
from netdissect.results.compared import find_detections
from netdissect.stats.equal_width import count_unique_at_widths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from netdissect.experiments.compare_runs import Comparison
    from netdissect.report.figures.style import FigureWidth
    from netdissect.results.compared import DetectorCounts

#: Number of points of a width curve.
_POINTS = 40
#: Columns of what was measured of chance and spread, in figures that count detectors.
_SPREAD_COLUMNS = ("detectors-sd", "unique-sd")
_CHANCE_COLUMNS = ("beyond-chance", "times-chance", "times-chance-low", "times-chance-high")
#: Endings of the files of a figure.
_ENDINGS = (*ENDINGS, ".csv")


def write_figures(
    comparison: Comparison, out: Path, *, figures: Sequence[str] = (), width: FigureWidth = "text"
) -> list[Path]:
    """Write every figure that applies; `Comparison.write_figures` documents the arguments."""
    unknown = next((figure for figure in figures if figure not in _WRITERS), None)
    if unknown is not None:
        raise SettingsError(f"--figures must be of {', '.join(_WRITERS)}, not {unknown!r}")
    paths = {
        figure: name_output_file(out, ".svg", "" if figure == "networks" else f"-{figure}")
        for figure in figures or _WRITERS
    }
    require_no_overwrite(
        (path for _, path in comparison.sources),
        [path.with_suffix(ending) for path in paths.values() for ending in _ENDINGS],
    )
    return [path for figure, path in paths.items() if _WRITERS[figure](comparison, path, width)]


def match_widths(comparison: Comparison) -> tuple[int, dict[str, tuple[float, float]]]:
    """Return the smallest width and each entry's unique detectors there; `Comparison.match_widths` documents it."""
    entries = _select_entries_with_units(comparison)
    width = min((entry.units for entry in entries), default=0)
    return width, {entry.name: _sample_widths(entry, comparison, [width])[0][1:] for entry in entries}


def name_output_file(out: Path, ending: str, suffix: str = "") -> Path:
    """Return the path of an output file that is named after the main figure.

    Args:
        out: the main figure, with or without an ending.
        ending: ending of the output file, such as ``.html``.
        suffix: added to the name.

    Raises:
        SettingsError: if the main figure has no valid file name.
    """
    name = out.name.removesuffix(next((end for end in (*_ENDINGS, ".html") if out.name.endswith(end)), ""))
    problem = find_name_problem(name)
    if problem is not None or out.is_dir():
        raise SettingsError(
            f"--out names the main figure, such as comparison.svg, not {escape_line(str(out))!r}: "
            f"{problem or 'it is a folder'}"
        )
    return out.with_name(f"{name}{suffix}{ending}")


def require_no_overwrite(sources: Iterable[Path], outputs: Iterable[Path]) -> None:
    """Check that no output file is one of the sources.

    Raises:
        SettingsError: if one is.
    """
    sources = [source for source in sources if source.exists()]
    taken = next((path for path in outputs if path.exists() and any(path.samefile(source) for source in sources)), None)
    if taken is not None:
        raise SettingsError(f"--out would replace {taken}, which is compared: choose another name")


def _select_entries_with_units(comparison: Comparison) -> list[DetectorCounts]:
    """Return the entries that have a table of units and not only counts."""
    return [entry for entry in comparison.entries if entry.table is not None and entry.units]


def _style_entries(entries: Sequence[DetectorCounts]) -> list[SeriesStyle]:
    """Return how the line of each entry is drawn: a hue per network, light to dark over its layers."""
    return style_series([(entry.network, entry.is_control) for entry in entries])


def _write_network_bars(comparison: Comparison, path: Path, width: FigureWidth) -> bool:
    entries = comparison.entries
    draw.draw_network_bars(entries, path, threshold=comparison.threshold, width=width)
    kinds = sort_categories(kind for entry in entries for kind in (*entry.unique, *entry.by_category))
    head = ["name", "network", "layer", "units", "definition", "threshold", "detectors", "unique"]
    head += [f"unique-{kind}" for kind in kinds] + [f"detectors-{kind}" for kind in kinds]
    write_numbers(path, head + _name_trust_columns(entries), [
        [entry.name, entry.network, entry.layer, entry.units, entry.definition, comparison.threshold, entry.detectors, entry.total,
         *(entry.unique.get(kind, 0) for kind in kinds), *(entry.by_category.get(kind, 0) for kind in kinds), *_list_trust(entry, entries)]
        for entry in sorted(entries, key=lambda entry: -entry.total)
    ])  # fmt: skip
    return True


def _write_width_curve(comparison: Comparison, path: Path, width: FigureWidth) -> bool:
    entries = _select_entries_with_units(comparison)
    if not entries:
        return False
    common, at_common = match_widths(comparison)
    curves = {}
    for entry in entries:
        widths = {round(entry.units * point / _POINTS) for point in range(_POINTS + 1)} | {common}
        curves[entry.name] = _sample_widths(entry, comparison, sorted(widths))
    draw.draw_width_curve(
        curves, common, path, definition=comparison.definition, series=_style_entries(entries), width=width
    )
    head = ["name", "units", "definition", "threshold", "drawn", "unique-mean", "unique-sd"]
    write_numbers(path, head, [
        [entry.name, entry.units, entry.definition, comparison.threshold, common, *(f"{value:.4f}" for value in at_common[entry.name])]
        for entry in entries
    ])  # fmt: skip
    return True


def _sample_widths(
    entry: DetectorCounts, comparison: Comparison, widths: Sequence[int]
) -> list[tuple[int, float, float]]:
    """Return, for each width n, (n, mean, standard deviation) of the unique detectors among n random units."""
    assert entry.table is not None
    detects, _ = find_detections(entry.table, comparison.threshold, comparison.definition)
    counted = count_unique_at_widths(detects, widths)
    return [(width, *found) for width, found in zip(widths, counted, strict=True)]


def _write_concept_ranks(comparison: Comparison, path: Path, width: FigureWidth) -> bool:
    entries = _select_entries_with_units(comparison)
    if not entries:
        return False
    rows, counts = [], {}
    for entry in entries:
        assert entry.table is not None
        detects, labels = find_detections(entry.table, comparison.threshold, comparison.definition)
        units = detects.sum(axis=0).tolist()
        counts[entry.name] = units
        rows += sorted(
            ([entry.name, label, count] for label, count in zip(labels, units, strict=True)), key=lambda row: -row[2]
        )
    draw.draw_concept_ranks(counts, path, definition=comparison.definition, series=_style_entries(entries), width=width)
    write_numbers(path, ["name", "concept", "detectors"], rows)
    return True


def _write_iou_distribution(comparison: Comparison, path: Path, width: FigureWidth) -> bool:
    entries = _select_entries_with_units(comparison)
    if not entries:
        return False
    scores = {entry.name: [row.score for row in entry.table or ()] for entry in entries}
    titles = {entry.score_title for entry in entries}
    title = titles.pop() if len(titles) == 1 else "score"
    draw.draw_score_distribution(
        scores, path, threshold=comparison.threshold, title=title, series=_style_entries(entries), width=width
    )
    write_numbers(path, ["name", "unit", "category", "label", "score"], [
        [entry.name, row.unit, row.category, row.label, repr(row.score)] for entry in entries for row in entry.table or ()
    ])  # fmt: skip
    return True


def _write_training_curve(comparison: Comparison, path: Path, width: FigureWidth) -> bool:
    entries = [entry for entry in comparison.entries if entry.step is not None]
    if len({entry.step for entry in entries}) < 2:
        return False
    write_training_curve(entries, path, threshold=comparison.threshold, width=width)
    return True


def write_training_curve(
    entries: Sequence[DetectorCounts],
    path: Path,
    *,
    threshold: float,
    axis: str = "training step",
    width: FigureWidth = "text",
) -> None:
    """Write the unique detectors of checkpoints over their steps as SVG, PDF and PNG, and the numbers as CSV.

    Args:
        entries: the detectors of every checkpoint and layer, each with its step.
        path: the figure.
        threshold: score from which a unit counts as a detector.
        axis: title of the horizontal axis.
        width: where the figure is set.
    """
    draw.draw_training_curve(entries, path, axis, width)
    kinds = sort_categories(kind for entry in entries for kind in entry.unique)
    head = ["step", "name", "layer", "units", "definition", "threshold", "detectors", "unique"]
    write_numbers(path, [*head, *(f"unique-{kind}" for kind in kinds), *_name_trust_columns(entries)], [
        [entry.step, entry.name, entry.layer, entry.units, entry.definition, threshold, entry.detectors, entry.total,
         *(entry.unique.get(kind, 0) for kind in kinds), *_list_trust(entry, entries)]
        for entry in sorted(entries, key=lambda entry: (entry.layer, entry.step or 0.0))
    ])  # fmt: skip


def _name_trust_columns(entries: Sequence[DetectorCounts]) -> list[str]:
    """Return the columns of errors and of chance; none if no entry has been measured."""
    spread, trust = (any(getattr(entry, part) is not None for entry in entries) for part in ("spread", "trust"))
    return list(_SPREAD_COLUMNS if spread else ()) + list(_CHANCE_COLUMNS if trust else ())


def _list_trust(entry: DetectorCounts, entries: Sequence[DetectorCounts]) -> list[object]:
    """Return an entry's numbers for `_name_trust_columns`; empty where they were not measured."""
    spread, trust = entry.spread, entry.trust
    errors = None if spread is None else (spread.units_sd, spread.unique_sd)
    chance = None if trust is None else (trust.beyond, trust.times, trust.times_low, trust.times_high)
    numbers = dict(zip(_SPREAD_COLUMNS, errors or (None, None), strict=True))
    numbers |= dict(zip(_CHANCE_COLUMNS, chance or (None,) * len(_CHANCE_COLUMNS), strict=True))
    found = [numbers[column] for column in _name_trust_columns(entries)]
    return ["" if value is None else f"{value:.4f}" if isinstance(value, float) else value for value in found]


_WRITERS: dict[str, Callable[[Comparison, Path, FigureWidth], bool]] = {
    "networks": _write_network_bars,
    "width": _write_width_curve,
    "concepts": _write_concept_ranks,
    "iou": _write_iou_distribution,
    "curve": _write_training_curve,
}
