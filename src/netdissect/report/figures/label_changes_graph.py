"""Label changes: the share of labels that are others than at the checkpoint before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.report.figures import style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def draw_label_changes(shares: Mapping[str, Sequence[tuple[float, float]]], path: Path, *, axis: str) -> None:
    """Draw the share of changed labels over training steps, one line for each layer.

    Args:
        shares: by layer, the later step and the share of labels that changed until then, from 0 to 1.
        path: the figure.
        axis: title of the horizontal axis.
    """
    with style.open_figure(3.4, 2.6) as (figure, (axes,)):
        for number, (layer, points) in enumerate(shares.items()):
            color = style.LINE_COLORS[number % len(style.LINE_COLORS)]
            x, y = zip(*points, strict=True)
            axes.plot(x, [100 * share for share in y], "o-", color=color, lw=1.2, ms=3)
            axes.annotate(
                style.shorten_name(layer), (x[-1], 100 * y[-1]), (5, 0), textcoords="offset points", va="center", color=color
            )  # fmt: skip
        axes.set_ylim(0, 100)
        axes.set_xlabel(axis)
        axes.set_ylabel("labels changed, % of those kept in both")
        style.save_figure(figure, path)
