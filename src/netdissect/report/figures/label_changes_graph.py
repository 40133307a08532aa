"""Label changes: the share of labels that are others than at the checkpoint before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.report.figures import style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: Height of a line of text on the vertical axis, in percent.
_LINE = 7


def draw_label_changes(shares: Mapping[str, Sequence[tuple[float, float]]], path: Path, *, axis: str) -> None:
    """Draw the share of changed labels over training steps, one line for each layer.

    Args:
        shares: by layer, the later step and the share of labels that changed until then, from 0 to 1.
        path: the figure.
        axis: title of the horizontal axis.
    """
    with style.open_figure(3.4, 2.6) as (figure, (axes,)):
        style.scale_steps(axes, [step for points in shares.values() for step, _ in points])
        lowest = -_LINE
        for number, (layer, points) in enumerate(sorted(shares.items(), key=lambda item: item[1][-1][1])):
            color = style.LINE_COLORS[number % len(style.LINE_COLORS)]
            x, y = zip(*((step, 100 * share) for step, share in points), strict=True)
            axes.plot(x, y, "o-", color=color, lw=1.2, ms=3, clip_on=False)
            lowest = max(y[-1], lowest + _LINE)  # names of lines that end together stand one above the other
            axes.annotate(
                style.shorten_name(layer),
                (1, lowest),
                (8, 0),
                ("axes fraction", "data"),
                "offset points",
                va="center",
                color=color,
            )
        axes.set_ylim(0, 100)
        axes.set_xlabel(axis)
        axes.set_ylabel("labels changed, % of those kept in both")
        style.save_figure(figure, path)
