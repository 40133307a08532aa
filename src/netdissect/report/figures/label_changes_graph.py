"""Label changes: the share of labels that are others than at the checkpoint before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.report.figures import style
from netdissect.report.figures.series import LineEnd, label_ends, style_series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdissect.report.figures.style import FigureWidth


def draw_label_changes(
    shares: Mapping[str, Sequence[tuple[float, float]]], path: Path, *, axis: str, width: FigureWidth = "text"
) -> None:
    """Draw the share of changed labels over training steps, one line for each layer.

    Args:
        shares: by layer, the later step and the share of labels that changed until then, from 0 to 1.
        path: the figure.
        axis: title of the horizontal axis.
        width: where the figure is set.
    """
    with style.open_figure(width, 18) as (figure, (axes,)):
        style.scale_steps(axes, [step for points in shares.values() for step, _ in points])
        ends = []
        for (layer, points), shown in zip(shares.items(), style_series([("", False)] * len(shares)), strict=True):
            x, y = zip(*((step, 100 * share) for step, share in points), strict=True)
            axes.plot(x, y, "o-", color=shown.color, clip_on=False)
            ends.append(LineEnd(x[-1], y[-1], layer, shown.color))
        axes.set_ylim(0, 100)
        axes.set_xlabel(axis)
        axes.set_ylabel("labels changed, % of those kept in both")
        label_ends(axes, ends)
        style.save_figure(figure, path)
