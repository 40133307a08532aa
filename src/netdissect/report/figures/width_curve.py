"""Width curve: expected unique detectors among equally many random units, to compare networks of different widths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netdissect.report.figures import style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def draw_width_curve(
    curves: Mapping[str, Sequence[tuple[int, float, float]]], common: int, path: Path, *, definition: str
) -> None:
    """Draw the expected number of unique detectors among n random units, with a band of one standard deviation.

    Args:
        curves: by network name, tuples (n, mean, standard deviation) for rising n.
        common: number of units at which all networks are compared, marked by a line.
        path: the figure.
        definition: definition of unique detectors.
    """
    with style.open_figure(4.6, 2.9) as (figure, (axes,)):
        ends = []
        for index, (name, points) in enumerate(curves.items()):
            n, mean, spread = np.array(points, float).T
            color = style.LINE_COLORS[index % len(style.LINE_COLORS)]
            axes.plot(n, mean, color=color, lw=1.2, ls="-" if index < len(style.LINE_COLORS) else "--")
            axes.fill_between(n, mean - spread, mean + spread, color=color, alpha=0.16, lw=0)
            ends.append((mean[-1], n[-1], name, color))
        axes.axvline(common, color=style.SOFT, lw=0.8, ls=(0, (3, 3)))
        axes.text(common, 1.01, f" {common} units", transform=axes.get_xaxis_transform(), color=style.SOFT, va="bottom")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        _label_curve_ends(axes, ends)
        axes.set_xlabel("units drawn at random")
        axes.set_ylabel(f"unique detectors, by {definition}")
        style.save_figure(figure, path)


def _label_curve_ends(axes: object, ends: list[tuple[float, float, str, str]]) -> None:
    """Write the name of each curve to the right of its end, moved apart where names would overlap."""
    low, high = axes.get_ylim()  # type: ignore[attr-defined]
    gap = (high - low) * 0.055
    at = -np.inf
    for height, _, name, color in sorted(ends):
        at = max(height, at + gap)
        axes.annotate(  # type: ignore[attr-defined]
            style.shorten_name(name),
            (1.02, at),
            xycoords=("axes fraction", "data"),
            color=color,
            va="center",
            annotation_clip=False,
        )
