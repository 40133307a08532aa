"""Accuracy of a linear classifier against unique detectors, one point per layer (paper, Fig. 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.report.figures import style
from netdissect.report.figures.series import style_series

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netdissect.report.figures.style import FigureWidth
    from netdissect.results.discrimination import Discrimination

#: Where a name may stand beside its point, the best place first: right and up, in points.
_PLACES = ((6, -9), (-6, 9), (6, 9), (-6, -9), (6, -18), (-6, 18), (6, 18), (-6, -18), (6, -27), (-6, 27))


def draw_discrimination(answers: Sequence[Discrimination], path: Path, width: FigureWidth = "text") -> None:
    """Draw every layer of some networks as a point with its name; layers of a network are joined in their order.

    Several networks differ in color, and their names stand at the lower right. Error bars are one standard deviation: of the accuracy over images, of the unique detectors over resamples.

    Args:
        answers: of each network, over the same images.
        path: the figure, written as SVG, PDF and PNG.
        width: where the figure is set.
    """
    with style.open_figure(width, 22) as (figure, (axes,)):
        points: list[tuple[str, float, float, str]] = []
        styles = style_series([(str(at), False) for at in range(len(answers))])
        for index, (answer, shown) in enumerate(zip(answers, styles, strict=True)):
            color = shown.color
            x = [layer.unique_detectors for layer in answer.layers]
            y = [100 * layer.accuracy for layer in answer.layers]
            axes.plot(x, y, color=color, lw=style.scale_points(0.8), alpha=0.5)
            axes.errorbar(
                x, y, fmt="o", color=color,
                xerr=[layer.unique_sd or 0 for layer in answer.layers],
                yerr=[100 * layer.accuracy_sd for layer in answer.layers], **style.make_error_style(),
            )  # fmt: skip
            names = [layer.layer for layer in answer.layers]
            points += [(name, across, up, color) for name, across, up in zip(names, x, y, strict=True)]
            if len(answers) > 1:
                axes.text(
                    0.98, 0.1 + 0.07 * (len(answers) - 1 - index), style.fit_name(axes, answer.network), color=color, ha="right",
                    transform=axes.transAxes,
                )  # fmt: skip
        chance = 100 * answers[0].chance
        axes.axhline(chance, color=style.SOFT, lw=style.scale_points(0.8), ls=(0, (3, 3)))
        axes.text(1, chance, "chance ", transform=axes.get_yaxis_transform(), color=style.SOFT, va="bottom", ha="right")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0, top=102)
        axes.set_xlabel("unique detectors, by label")
        axes.set_ylabel(f"accuracy on {answers[0].classes:,} classes, %")
        _label_points(axes, points)
        style.save_figure(figure, path)


def _label_points(axes: Any, points: Sequence[tuple[str, float, float, str]]) -> None:
    """Write the name of every point beside it, at the first place where it covers no other name or point.

    Args:
        axes: the axes, with their final limits.
        points: name, x, y and color of every point.
    """
    axes.figure.draw_without_rendering()  # places the axes
    renderer = axes.figure.canvas.get_renderer()
    marks = axes.transData.transform([(x, y) for _, x, y, _ in points])
    taken: list[Any] = []
    for name, x, y, color in points:
        label = None
        for right, up in _PLACES:
            if label is not None:
                label.remove()
            label = axes.annotate(
                style.shorten_name(name), (x, y), (style.scale_points(right), style.scale_points(up)), textcoords="offset points", color=color, va="center",
                ha="left" if right >= 0 else "right", annotation_clip=False,
            )  # fmt: skip
            box = label.get_window_extent(renderer)
            if not any(box.overlaps(other) for other in taken) and not any(box.contains(*mark) for mark in marks):
                break
        taken.append(box)
