"""Tabulate the counts of a layer in two runs, with their errors and times chance, for the page that compares them."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import TYPE_CHECKING

from netdissect.results.detectors import count_detectors, format_deviation, format_times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.config import Definition
    from netdissect.report.compare_page import ComparedRun
    from netdissect.results.trust_summary import TrustSummary

_HEADS = ("detectors", "unique, by label", "unique, by category")
#: Names of the counts of each definition.
_COUNTS: tuple[tuple[Definition, tuple[str, ...]], ...] = (("label", ("units", "unique")), ("category", ("unique",)))
_CHANCE_HEADS = ("beyond chance", "times chance")


@dataclass(frozen=True)
class CountTable:
    """The counts of a layer in two runs, as text.

    Attributes:
        heads: titles of the columns.
        before: counts in the first run.
        after: counts in the second run.
        change: how the counts change from the first run to the second.
    """

    heads: Sequence[str]
    before: Sequence[str]
    after: Sequence[str]
    change: Sequence[str]


def tabulate_counts(before: ComparedRun, after: ComparedRun, threshold: float) -> CountTable:
    """Return the counts of both definitions, each with its standard deviation, and what is beyond chance, where measured."""
    old, new = _count_side(before, threshold), _count_side(after, threshold)
    first, second = ([f"{count}{_write_error(error)}" for count, error in counts] for counts in (old, new))
    first[0] += f" of {len(before.table)}"
    second[0] += f" of {len(after.table)}"
    change = [_write_change(*pair) for pair in zip(old, new, strict=True)]
    trust = [None if side.layer is None else side.layer.summarize_trust(threshold) for side in (before, after)]
    if not any(trust):
        return CountTable(_HEADS, first, second, change)
    first += _describe_chance(trust[0])
    second += _describe_chance(trust[1])
    return CountTable((*_HEADS, *_CHANCE_HEADS), first, second, [*change, "", ""])


def _count_side(side: ComparedRun, threshold: float) -> list[tuple[int, float | None]]:
    """Return number and standard deviation of detectors, of unique ones by label, and of unique ones by category."""
    found = []
    for definition, counts in _COUNTS:
        detectors = count_detectors(side.table, threshold=threshold, definition=definition)
        spread = None if side.layer is None else side.layer.count_spread(threshold, definition)
        found += [
            (getattr(detectors, name), None if spread is None else getattr(spread, f"{name}_sd")) for name in counts
        ]
    return found


def _write_change(before: tuple[int, float | None], after: tuple[int, float | None]) -> str:
    """Return a difference with the standard deviation that it has if the two counts are independent."""
    (first, error), (second, other) = before, after
    both = None if error is None or other is None else hypot(error, other)
    words = f"{second - first:+d}".replace("-", "−") if second != first else "none" if both is None else "0"
    return f"{words}{_write_error(both)}"


def _write_error(deviation: float | None) -> str:
    return "" if deviation is None else f" ± {format_deviation(deviation)}"


def _describe_chance(summary: TrustSummary | None) -> tuple[str, str]:
    if summary is None:
        return "", ""
    times = "" if summary.times is None else format_times(summary.times)
    if summary.times_low is not None and summary.times_high is not None:
        times += f" ({format_times(summary.times_low)}–{format_times(summary.times_high)})"
    return "" if summary.beyond is None else str(summary.beyond), times
