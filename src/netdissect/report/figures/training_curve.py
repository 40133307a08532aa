"""Training curve: unique detectors per category over the checkpoints of a training run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.concepts import sort_categories
from netdissect.report.figures import style
from netdissect.report.figures.series import LineEnd, label_ends

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netdissect.report.figures.style import FigureWidth
    from netdissect.results.compared import DetectorCounts

#: The most panels in a row.
_IN_A_ROW = {"column": 1, "text": 2, "slide": 2}


def draw_training_curve(
    entries: Sequence[DetectorCounts], path: Path, axis: str = "training step", width: FigureWidth = "text"
) -> None:
    """Draw unique detectors over training steps, one panel per layer, for entries that all have a step.

    The band is one standard deviation over resamples. Steps over more than two orders of magnitude are drawn on a logarithmic
    axis that includes 0.

    Args:
        entries: the detectors of every checkpoint and layer.
        path: the figure.
        axis: title of the horizontal axis.
        width: where the figure is set.
    """
    layers = list(dict.fromkeys(entry.layer for entry in entries))
    across = min(_IN_A_ROW[width], len(layers))
    rows = -(-len(layers) // across)
    steps = {entry.step or 0.0 for entry in entries}
    with style.open_figure(width, 16 * rows + 1, (1.0,) * across, rows) as (figure, panels):
        for axes, layer in zip(panels, layers, strict=False):
            style.scale_steps(axes, steps)
            axes.set_title(style.fit_name(axes, layer, 0.4))
            axes.set_xlabel(axis)
        for axes in panels[len(layers) :]:
            axes.set_axis_off()
        for axes in panels[: len(layers) : across]:
            axes.set_ylabel(f"unique detectors, by {entries[0].definition}")
        for axes, layer in zip(panels, layers, strict=False):  # names at lines' ends need the final heights
            plot_training_curve(axes, [entry for entry in entries if entry.layer == layer])
        style.save_figure(figure, path)


def plot_training_curve(axes: Any, entries: Sequence[DetectorCounts]) -> None:
    """Draw the unique detectors of one layer over training steps: all of them with their error, and of each category.

    Args:
        axes: where to draw.
        entries: the layer at every checkpoint.
    """
    rows = sorted(entries, key=lambda entry: entry.step or 0.0)
    categories = sort_categories(kind for entry in rows for kind in entry.unique)
    fills, texts = style.get_fill_colors(categories), style.get_text_colors(categories)
    x, totals = np.array([entry.step or 0.0 for entry in rows]), np.array([entry.total for entry in rows])
    measured = [row.spread is not None for row in rows]
    errors = np.array([0.0 if row.spread is None else row.spread.unique_sd for row in rows])
    if any(measured):
        axes.fill_between(x, totals - errors, totals + errors, where=measured, color=style.INK, alpha=0.12, lw=0)
        axes.errorbar(x[measured], totals[measured], errors[measured], fmt="none", **style.make_error_style())
    axes.plot(x, totals, "o-", color=style.INK)
    ends = [LineEnd(x[-1], totals[-1], "all", style.INK)]
    for category in categories:
        y = [entry.unique.get(category, 0) for entry in rows]
        axes.plot(x, y, "o-", color=fills[category])
        ends.append(LineEnd(x[-1], y[-1], category, texts[category]))
    axes.set_ylim(bottom=0)
    axes.yaxis.get_major_locator().set_params(integer=True)
    label_ends(axes, ends)
