"""Ablation graph: what class outputs lose without the units of each concept, and how well one class is recognized."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.concepts import display_name
from netdissect.report.figures import style
from netdissect.report.figures.series import HUES, LineEnd, label_ends

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdissect.report.figures.style import FigureWidth
    from netdissect.results.ablation import ClassCurve, ConceptAblation, LayerAblation

#: Concepts that are drawn at each width, at most, largest loss of margin first.
MOST_CONCEPTS: Mapping[FigureWidth, int] = {"column": 40, "text": 40, "slide": 16}
#: Lines of text of a concept, and of the curves of classes.
_ROW, _CURVES = 1.15, 16.0


def draw_ablation_graph(ablation: LayerAblation, path: Path, width: FigureWidth = "text") -> None:
    """Draw the change of the margin of every concept's class, with its interval, over the range of matched sets.

    A second panel shows the mean of the curves of classes. The numbers are in the layer's CSV table.

    Args:
        ablation: the ablations of one layer, of at least one concept or class.
        path: the figure, written as SVG, PDF and PNG.
        width: where the figure is set.
    """
    rows = ablation.concepts[: MOST_CONCEPTS[width]]
    parts = [_ROW * len(rows) + 4] * bool(rows) + [_CURVES] * bool(ablation.curves)
    beside = width != "column" and len(parts) == 2
    lines = max(*parts, _CURVES) if beside else sum(parts)
    panels = (1.6, 1.0) if beside else (1.0,)
    with style.open_figure(width, lines, panels, 1 if beside else len(parts)) as (figure, axes):
        if len(parts) == 2 and not beside:
            axes[0].get_gridspec().set_height_ratios(parts)
        if rows:
            plot_concept_ablations(axes[0], rows, len(ablation.concepts))
        if ablation.curves:
            if beside:
                axes[-1].set_box_aspect(1.3)
                axes[-1].set_anchor("NW")
            plot_class_curves(axes[-1], ablation.curves)
        style.save_figure(figure, path)


def plot_concept_ablations(axes: Any, rows: Sequence[ConceptAblation], total: int) -> None:
    """Draw how the margin changes without the units of each concept, beside matched units.

    Args:
        axes: where to draw.
        rows: the concepts.
        total: number of concepts, of which these are the first.
    """
    color = HUES[0]
    for place, row in enumerate(rows):
        if row.matched_low is not None and row.matched_high is not None:
            axes.barh(place, row.matched_high - row.matched_low, 0.5, row.matched_low, color=style.IDLE, lw=0)
        axes.plot([row.matched], [place], "|", color=style.SOFT, markersize=style.scale_points(5))
        axes.plot([row.low, row.high], [place, place], color=color, linewidth=style.scale_points(0.8))
        fill = color if row.is_beyond_matched else "white"
        axes.plot([row.margin], [place], "o", color=color, markerfacecolor=fill)
    axes.axvline(0, color=style.RULE, linewidth=style.scale_points(0.6), zorder=0)
    axes.set_yticks(range(len(rows)), [_name_row(axes, row) for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("change of the margin without the units\n(gray: matched units)")
    axes.set_title("concepts" if len(rows) == total else f"{len(rows)} of {total} concepts")


def _name_row(axes: Any, row: ConceptAblation) -> str:
    concept, of_class = display_name(row.concept), display_name(row.class_name)
    seen = "" if concept == of_class else f" in {of_class}"
    return f"{style.fit_name(axes, concept + seen)} ({len(row.units)})"


def plot_class_curves(axes: Any, curves: Sequence[ClassCurve]) -> None:
    """Draw the mean balanced accuracy of one class without its most important units, without random ones, and of these alone."""
    sizes = list(curves[0].removed)
    places = range(len(sizes) + 1)
    intact = _take_mean([curve.intact for curve in curves])
    ends = []
    for name, label, color in (("random", "random", style.SOFT), ("removed", "most important", HUES[1])):
        values = [intact, *(_take_mean([getattr(curve, name)[size] for curve in curves]) for size in sizes)]
        axes.plot(places, values, "o-", color=color)
        ends.append(LineEnd(places[-1], values[-1], label, color))
    only = _take_mean([curve.only for curve in curves])
    axes.plot([places[-1]], [only], "s", color=style.INK)
    ends.append(LineEnd(places[-1], only, "these alone", style.INK))
    axes.set_xticks(list(places), ["0", *map(str, sizes)])
    axes.set_ylim(min(0.45, only - 0.05), 1.02)
    axes.set_xlabel("units removed")
    axes.set_ylabel("balanced accuracy")
    axes.set_title("one class among all" if len(curves) == 1 else f"mean of {len(curves)} classes")
    label_ends(axes, ends)


def _take_mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
