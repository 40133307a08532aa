"""Say in a few lines what a run found, as commands end: per layer its detectors and the concepts they name most often."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from netdissect.concepts import display_name
from netdissect.results.count_deviations import find_concept_deviations
from netdissect.results.detectors import format_count, format_times
from netdissect.results.findings import warn_of_small_sets
from netdissect.results.unit_trust import LEVEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result

#: Columns of a terminal that says no other number.
COLUMNS = 80
#: Cells of the bar of detectors, and columns from which on a layer's name has a line of its own.
_CELLS, _LONG_NAME = 8, 24
#: Units that are named at the end.
_SUREST = 3


def describe_closing(result: Result, columns: int = COLUMNS, *, bars: bool = True) -> list[str]:
    """Return what a run found: a heading, each layer's detectors and most frequent concepts, the surest units, and warnings.

    Args:
        result: the run.
        columns: width of the lines; long names of layers and concepts may exceed it.
        bars: draw the share of detectors as a bar.
    """
    threshold, images = result.settings.threshold, result.probe_set.images
    measured = f"{result.score_title} ≥ {threshold:g}{_format_time(result)}"
    lines = [f"{result.network.name} on {images:,} images of {result.probe_set.name}, {measured}"]
    indent = _measure_indent(result.layers)
    for layer in result.layers.values():
        lines += describe_layer_closing(layer, threshold, columns, indent=indent, bars=bars)
    lines += _name_surest(result, threshold, columns)
    for warning in warn_of_small_sets(result):
        lines += textwrap.wrap(warning, columns, subsequent_indent="  ", break_long_words=False)
    return lines


def describe_layer_closing(
    layer: LayerResult,
    threshold: float,
    columns: int = COLUMNS,
    *,
    title: str = "",
    indent: int | None = None,
    bars: bool = True,
) -> list[str]:
    """Return what a layer's units detect, how much of it is beyond chance, and its most frequent concepts, as lines.

    Args:
        layer: the layer.
        threshold: score from which a unit counts as a detector.
        columns: width of the lines.
        title: what the lines begin with; empty for the layer's name.
        indent: columns for the title; None takes as many as it needs.
        bars: draw the share of detectors as a bar.
    """
    title = title or layer.name
    indent = len(title) if indent is None else indent
    found, spread = layer.detectors(threshold), layer.count_spread(threshold)
    units = format_count(found.units, None if spread is None else spread.units_sd)
    unique = format_count(found.unique, None if spread is None else spread.unique_sd)
    said = [
        f"{units} of {found.total:,} units detect {unique} concepts"
        + (_draw_bar(found.units, found.total) if bars else "")
    ]
    said += _say_chance(layer, threshold)
    counted = [f"{display_name(label)} {count}" for (_, label), count in _list_most(layer, threshold)]
    said += _join_fitting("most often ", counted, columns - indent - 2)
    heads = [title] if len(title) <= indent else []
    lines = [] if heads else [title]
    return lines + [f"{head:<{indent}}  {text}" for head, text in zip([*heads, *[""] * len(said)], said, strict=False)]


def _measure_indent(names: Iterable[str]) -> int:
    """Return the columns that the names of layers take; long names stand on lines of their own."""
    return max((len(name) for name in names if len(name) <= _LONG_NAME), default=0)


def _say_chance(layer: LayerResult, threshold: float) -> list[str]:
    """Return what is beyond chance and beyond untrained networks, and units that chance explains; none if not measured."""
    summary = layer.summarize_trust(threshold)
    if summary is None:
        return []
    said = [] if summary.beyond is None else [f"{summary.beyond} beyond chance (q < {LEVEL:g})"]
    said += [] if summary.times is None else [f"{format_times(summary.times)} times chance"]
    if summary.beyond_reference is not None:
        said.append(f"{summary.beyond_reference} beyond {len(summary.reference_runs)} untrained networks")
    unconvincing = f"{summary.unconvincing:,} units: no concept beats chance" if summary.unconvincing else ""
    return [line for line in (", ".join(said), unconvincing) if line]


def _list_most(layer: LayerResult, threshold: float) -> list[tuple[tuple[str, str], str]]:
    """Return the concepts with most detectors first, with their numbers and errors as text."""
    deviations = find_concept_deviations(layer, threshold)
    counts = layer.detectors(threshold).concepts
    return [
        (concept, format_count(units, None if deviations is None else deviations.get(concept)))
        for concept, units in sorted(counts.items(), key=lambda item: (-item[1], item[0][1]))
    ]


def _join_fitting(head: str, words: Sequence[str], columns: int) -> list[str]:
    """Return a line with as many words as fit, at least one; no line without words.

    >>> _join_fitting("most often ", ["sky 12", "cow 9", "grass 8"], 26)
    ['most often sky 12, cow 9']
    """
    if not words:
        return []
    line = head + words[0]
    for word in words[1:]:
        if len(line) + 2 + len(word) > columns:
            break
        line += f", {word}"
    return [line]


def _name_surest(result: Result, threshold: float, columns: int) -> list[str]:
    """Return lines that name the units whose 95 % interval begins highest; none without intervals.

    A unit has to be beyond chance, where that was measured.
    """
    found = [
        (row.trust.low, row.trust.high, layer.name, row)
        for layer in result.layers.values()
        for row in layer.units
        if row.score >= threshold and row.trust is not None and row.trust.low is not None and row.trust.high is not None
        and (row.trust.q is None or row.trust.q < LEVEL)
    ]  # fmt: skip
    surest = sorted(found, key=lambda item: -item[0])[:_SUREST]
    words = [
        f"{name} {row.unit} {display_name(row.label)} {row.score:.2f} ({low:.2f}–{high:.2f})"
        for low, high, name, row in surest
    ]
    lines: list[str] = []
    while words:
        lines += _join_fitting("        " if lines else "surest: ", words, columns)
        words = words[lines[-1].count("), ") + 1 :]
    return lines


def _draw_bar(units: int, total: int) -> str:
    """Return a bar of the share of units, after two spaces.

    >>> _draw_bar(3, 8)
    '  ▇▇▇░░░░░'
    """
    filled = round(_CELLS * units / max(total, 1))
    return "  " + "▇" * filled + "░" * (_CELLS - filled)


def _format_time(result: Result) -> str:
    """Return the time that the run took, after a comma; empty if it is not known."""
    seconds = result.journal.get("seconds")
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or seconds < 0:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f", {hours}:{minutes:02d}:{rest:02d}" if hours else f", {minutes}:{rest:02d}"
