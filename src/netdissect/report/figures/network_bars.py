"""Network bars: unique detectors of networks, sorted and stacked by category, and the number of detectors (paper, fig. 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.concepts import sort_categories
from netdissect.report.figures import style
from netdissect.results.detectors import format_deviation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netdissect.results.compared import DetectorCounts


def draw_network_bars(entries: Sequence[DetectorCounts], path: Path, *, threshold: float) -> None:
    """Draw a bar per network, most unique detectors first; an error bar is one standard deviation over resamples."""
    ranked = sorted(entries, key=lambda entry: -entry.total)
    categories = sort_categories(kind for entry in ranked for kind in entry.unique)
    fills = style.get_fill_colors(categories)
    definition = ranked[0].definition
    with style.open_figure(6.6, 0.9 + 0.19 * len(ranked), (3.0, 1.0)) as (figure, (left, right)):
        rows = range(len(ranked))
        start = [0] * len(ranked)
        for category in categories:
            sizes = [entry.unique.get(category, 0) for entry in ranked]
            left.barh(rows, sizes, left=start, height=0.74, color=fills[category], label=category, lw=0)
            start = [a + b for a, b in zip(start, sizes, strict=True)]
        most = max(1, *start)
        for row, entry in enumerate(ranked):
            error = 0.0 if entry.spread is None else entry.spread.unique_sd
            if error:
                left.errorbar(entry.total, row, xerr=error, fmt="none", **style.ERROR_BARS)
            words = f"{entry.total}{_write_error(entry, 'unique_sd')}"
            left.text(entry.total + error + most * 0.012, row, words, va="center", fontsize=7.5)
        left.set_yticks(rows, [style.shorten_name(entry.name) for entry in ranked])
        titles = {entry.score_title for entry in ranked}
        title = titles.pop() if len(titles) == 1 else "score"
        left.set_title(
            f"unique detectors, by {definition} ({title} {'≥' if definition == 'label' else '>'} {threshold:g})"
        )
        if categories:
            left.legend(
                loc="upper left", bbox_to_anchor=(0, 0), borderaxespad=0.4, fontsize=7.5, ncols=6, columnspacing=1.2,
                handletextpad=0.5, borderpad=0,
            )  # fmt: skip
        right.barh(rows, [entry.units for entry in ranked], height=0.74, color=style.RULE, lw=0)
        right.barh(rows, [entry.detectors for entry in ranked], height=0.74, color=style.SOFT, lw=0)
        widest = max(entry.units for entry in ranked)
        for row, entry in enumerate(ranked):
            share = entry.detectors / max(entry.units, 1)
            words = f"{entry.detectors}{_write_error(entry, 'units_sd')} ({share:.0%})"
            right.text(max(entry.units, 1) + widest * 0.03, row, words, va="center", fontsize=7)
        right.set_title("detectors of all units")
        right.set_yticks([])
        for axes in (left, right):
            axes.set_ylim(len(ranked) - 0.4, -0.6)
            axes.spines["bottom"].set_visible(False)
            axes.set_xticks([])
            axes.tick_params(axis="y", length=0)
        measured = any(entry.spread is not None for entry in ranked)
        left.set_xlim(0, most * (1.25 if measured else 1.1))
        right.set_xlim(0, widest * (2.1 if measured else 1.75))
        figure.subplots_adjust(wspace=0.06)
        style.save_figure(figure, path)


def _write_error(entry: DetectorCounts, count: str) -> str:
    """Return the standard deviation of a count, as `CountSpread` names it; nothing without resamples."""
    return "" if entry.spread is None else f" ± {format_deviation(getattr(entry.spread, count))}"
