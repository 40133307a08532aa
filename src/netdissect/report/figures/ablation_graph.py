"""Ablation graph: what class outputs lose without the units of each concept, and how well one class is recognized."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.concepts import display_name
from netdissect.report.figures import style

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netdissect.results.ablation import ClassCurve, ConceptAblation, LayerAblation

#: Concepts that are drawn, at most, largest loss of margin first.
MOST_CONCEPTS = 40
_ROW, _PANEL = 0.15, 2.6


def draw_ablation_graph(ablation: LayerAblation, path: Path) -> None:
    """Draw the change of the margin of every concept's class, with its interval, over the range of matched sets.

    A second panel shows the mean of the curves of classes. The numbers are in the layer's CSV table.

    Args:
        ablation: the ablations of one layer, of at least one concept or class.
        path: the figure, written as SVG and PNG.
    """
    rows = ablation.concepts[:MOST_CONCEPTS]
    panels = [4.0] * bool(rows) + [_PANEL] * bool(ablation.curves)
    height = max(2.4, _ROW * len(rows) + 0.8) if rows else 2.4
    with style.open_figure(sum(panels) + 0.6, height, panels) as (figure, axes):
        if rows:
            _draw_concepts(axes[0], rows, len(ablation.concepts))
        if ablation.curves:
            _draw_curves(axes[-1], ablation.curves)
        figure.subplots_adjust(wspace=0.35)
        style.save_figure(figure, path)


def _draw_concepts(axes: Any, rows: Sequence[ConceptAblation], total: int) -> None:
    color = style.LINE_COLORS[0]
    for place, row in enumerate(rows):
        if row.matched_low is not None and row.matched_high is not None:
            axes.plot(
                [row.matched_low, row.matched_high],
                [place, place],
                color=style.IDLE,
                linewidth=4,
                solid_capstyle="butt",
            )
        axes.plot([row.matched], [place], "|", color=style.SOFT, markersize=5)
        axes.plot([row.low, row.high], [place, place], color=color, linewidth=0.8)
        axes.plot(
            [row.margin],
            [place],
            "o",
            color=color,
            markersize=3,
            markerfacecolor=color if row.is_beyond_matched else "white",
        )
    axes.axvline(0, color=style.RULE, linewidth=0.6, zorder=0)
    axes.set_yticks(range(len(rows)), [_name_row(row) for row in rows], fontsize=6.5)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("change of the margin without the units (gray: matched units)")
    axes.set_title("concepts" if len(rows) == total else f"{len(rows)} of {total} concepts")


def _name_row(row: ConceptAblation) -> str:
    concept, of_class = display_name(row.concept), display_name(row.class_name)
    seen = "" if concept == of_class else f" in {of_class}"
    return f"{style.shorten_name(concept + seen)} ({len(row.units)})"


def _draw_curves(axes: Any, curves: Sequence[ClassCurve]) -> None:
    sizes = list(curves[0].removed)
    places = range(len(sizes) + 1)
    intact = _take_mean([curve.intact for curve in curves])
    for name, label, color in (
        ("random", "random", style.LINE_COLORS[6]),
        ("removed", "most important", style.LINE_COLORS[1]),
    ):
        values = [intact, *(_take_mean([getattr(curve, name)[size] for curve in curves]) for size in sizes)]
        axes.plot(places, values, "o-", color=color, markersize=3, linewidth=1.2)
        axes.annotate(label, (places[-1], values[-1]), (5, 0), textcoords="offset points", va="center", color=color)
    only = _take_mean([curve.only for curve in curves])
    axes.plot([places[-1]], [only], "s", color=style.INK, markersize=3)
    axes.annotate("these alone", (places[-1], only), (5, 0), textcoords="offset points", va="center")
    axes.set_xticks(list(places), ["0", *map(str, sizes)])
    axes.set_ylim(min(0.45, only - 0.05), 1.02)
    axes.set_xlabel("units removed")
    axes.set_ylabel("balanced accuracy")
    axes.set_title("one class among all" if len(curves) == 1 else f"mean of {len(curves)} classes")


def _take_mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
