"""Width curve: expected unique detectors among equally many random units, to compare networks of different widths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.report.figures import style
from netdissect.report.figures.series import LineEnd, SeriesStyle, label_ends, style_series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdissect.report.figures.style import FigureWidth


def draw_width_curve(
    curves: Mapping[str, Sequence[tuple[int, float, float]]],
    common: int,
    path: Path,
    *,
    definition: str,
    series: Sequence[SeriesStyle] | None = None,
    width: FigureWidth = "text",
) -> None:
    """Draw the expected number of unique detectors among n random units, with a band of one standard deviation.

    Args:
        curves: by network name, tuples (n, mean, standard deviation) for rising n.
        common: number of units at which all networks are compared, marked by a line.
        path: the figure.
        definition: definition of unique detectors.
        series: how each curve is drawn; None takes each for a network of its own.
        width: where the figure is set.
    """
    styles = series or style_series([(name, False) for name in curves])
    with style.open_figure(width, 20) as (figure, (axes,)):
        ends = []
        for (name, points), shown in zip(curves.items(), styles, strict=True):
            n, mean, spread = np.array(points, float).T
            axes.plot(n, mean, color=shown.color, ls=shown.dashes)
            axes.fill_between(n, mean - spread, mean + spread, color=shown.color, alpha=0.16, lw=0)
            ends.append(LineEnd(n[-1], mean[-1], name, shown.color))
        mark_value(axes, common, f"{common} units")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("units drawn at random")
        axes.set_ylabel(f"unique detectors, by {definition}")
        label_ends(axes, ends)
        style.save_figure(figure, path)


def mark_value(axes: Any, value: float, words: str) -> None:
    """Draw a dotted vertical line at a value, with words above it."""
    axes.axvline(value, color=style.SOFT, lw=style.scale_points(0.7), ls=(0, (1, 2)), zorder=0)
    axes.annotate(
        words, (value, 1), (0, style.scale_points(1)), xycoords=axes.get_xaxis_transform(), textcoords="offset points",
        color=style.SOFT, va="bottom", ha="center",
    )  # fmt: skip
