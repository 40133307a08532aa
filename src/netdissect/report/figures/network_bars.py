"""Network bars: unique detectors of networks, stacked by category, and the number of detectors (paper, fig. 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.concepts import sort_categories
from netdissect.report.figures import style
from netdissect.report.figures.headings import add_headings
from netdissect.results.detectors import format_deviation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netdissect.report.figures.style import FigureWidth
    from netdissect.results.compared import DetectorCounts


def draw_network_bars(
    entries: Sequence[DetectorCounts], path: Path, *, threshold: float, width: FigureWidth = "text"
) -> None:
    """Draw a bar per layer; networks with most unique detectors first, their layers in order, controls last.

    An error bar is one standard deviation over resamples.

    Args:
        entries: the detectors of every layer of every network.
        path: the figure.
        threshold: score from which a unit counts as a detector.
        width: where the figure is set.
    """
    ranked = sort_entries(entries)
    panels = (1.5, 1.0) if width == "column" else (2.2, 1.0)
    with style.open_figure(width, 5.5 + 1.25 * len(ranked), panels) as (figure, (left, right)):
        _draw_unique(left, ranked, threshold)
        _draw_detectors(right, ranked, with_bars=width != "column")
        for axes in (left, right):
            axes.set_ylim(len(ranked) - 0.4, -0.6)
            axes.spines[["left", "bottom"]].set_visible(False)
            axes.set_xticks([])
            axes.tick_params(axis="y", length=0)
            axes.xaxis.label.set_in_layout(False)
        _make_room(left, right)
        style.save_figure(figure, path)


def sort_entries(entries: Sequence[DetectorCounts]) -> list[DetectorCounts]:
    """Return entries by network: most unique detectors first, controls last; layers of a network stay in their order."""
    best: dict[tuple[bool, str], int] = {}
    for entry in entries:
        key = (entry.is_control, entry.network)
        best[key] = max(best.get(key, 0), entry.total)
    order = {key: at for at, key in enumerate(best)}
    return sorted(
        entries,
        key=lambda entry: (
            entry.is_control, -best[entry.is_control, entry.network], order[entry.is_control, entry.network]
        ),
    )  # fmt: skip


def _draw_unique(axes: Any, ranked: Sequence[DetectorCounts], threshold: float) -> None:
    """Draw the unique detectors of every entry, stacked by category."""
    categories = sort_categories(kind for entry in ranked for kind in entry.unique)
    fills, texts = style.get_fill_colors(categories), style.get_text_colors(categories)
    rows, definition = range(len(ranked)), ranked[0].definition
    start = [0] * len(ranked)
    for category in categories:
        sizes = [entry.unique.get(category, 0) for entry in ranked]
        axes.barh(rows, sizes, left=start, height=0.72, color=fills[category], lw=0)
        start = [a + b for a, b in zip(start, sizes, strict=True)]
    for row, entry in enumerate(ranked):
        error = 0.0 if entry.spread is None else entry.spread.unique_sd
        if error:
            axes.errorbar(entry.total, row, xerr=error, fmt="none", **style.make_error_style())
        words = f"{entry.total}{_write_error(entry, 'unique_sd')}"
        _write_beside(axes, entry.total + error, row, words)
    axes.set_yticks(rows, [style.fit_name(axes, entry.name) for entry in ranked])
    for label, entry in zip(axes.get_yticklabels(), ranked, strict=True):
        label.set_color(style.SOFT if entry.is_control else style.INK)
    titles = {entry.score_title for entry in ranked}
    title = titles.pop() if len(titles) == 1 else "score"
    sign = "≥" if definition == "label" else ">"
    axes.set_xlabel(f"unique detectors, by {definition}\n({title} {sign} {threshold:g})", loc="left")
    add_headings(axes, [(style.fit_name(axes, kind), texts[kind], fills[kind]) for kind in categories])


def _draw_detectors(axes: Any, ranked: Sequence[DetectorCounts], *, with_bars: bool) -> None:
    """Draw the detectors of every entry, among all units; a column has room for their numbers only."""
    rows = range(len(ranked))
    if with_bars:
        axes.barh(rows, [entry.units for entry in ranked], height=0.72, color=style.RULE, lw=0)
        axes.barh(rows, [entry.detectors for entry in ranked], height=0.72, color=style.SOFT, lw=0)
    for row, entry in enumerate(ranked):
        words = f"{entry.detectors}{_write_error(entry, 'units_sd')} of {entry.units}"
        _write_beside(axes, max(entry.units, 1) if with_bars else 0, row, words)
    axes.set_xlabel("detectors", loc="left")
    axes.set_yticks([])


def _write_beside(axes: Any, place: float, row: int, words: str) -> None:
    shift = (style.scale_points(3), 0)
    label = axes.annotate(words, (place, row), shift, textcoords="offset points", va="center", annotation_clip=False)
    label.set_in_layout(False)


def _make_room(*panels: Any) -> None:
    """Scale bars so that the words beside them fit into their panels."""
    panels[0].figure.draw_without_rendering()  # places the panels, and measures the words
    for axes in panels:
        room = axes.get_window_extent().width
        longest = (
            label.xy[0] / max(0.1, 1 - 1.06 * label.get_window_extent().width / room) for label in axes.texts
        )  # fmt: skip
        axes.set_xlim(0, max([1.0, *longest]))


def _write_error(entry: DetectorCounts, count: str) -> str:
    """Return the standard deviation of a count, as `CountSpread` names it; nothing without resamples."""
    return "" if entry.spread is None else f" ± {format_deviation(getattr(entry.spread, count))}"
