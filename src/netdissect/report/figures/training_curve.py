"""Training curve: unique detectors per category over the checkpoints of a training run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.concepts import sort_categories
from netdissect.report.figures import style

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netdissect.results.compared import DetectorCounts


def draw_training_curve(entries: Sequence[DetectorCounts], path: Path, axis: str = "training step") -> None:
    """Draw unique detectors over training steps, one panel per layer, for entries that all have a step.

    Error bars are one standard deviation over resamples. Steps over more than two orders of magnitude are drawn on a logarithmic axis that includes 0.

    Args:
        entries: the detectors of every checkpoint and layer.
        path: the figure.
        axis: title of the horizontal axis.
    """
    layers = list(dict.fromkeys(entry.layer for entry in entries))
    categories = sort_categories(kind for entry in entries for kind in entry.unique)
    fills = style.get_fill_colors(categories)
    steps = {entry.step or 0.0 for entry in entries}
    with style.open_figure(0.9 + 2.9 * len(layers), 2.6, (1.0,) * len(layers)) as (figure, panels):
        for axes, layer in zip(panels, layers, strict=True):
            rows = sorted((entry for entry in entries if entry.layer == layer), key=lambda entry: entry.step or 0.0)
            x = [entry.step or 0.0 for entry in rows]
            axes.plot(x, [entry.total for entry in rows], "o-", color=style.INK, lw=1.4, ms=3, label="all")
            measured = [(at, row.total, row.spread.unique_sd) for at, row in zip(x, rows, strict=True) if row.spread]
            if measured:
                at, total, error = zip(*measured, strict=True)
                axes.errorbar(at, total, yerr=error, fmt="none", **style.ERROR_BARS)
            for category in categories:
                y = [entry.unique.get(category, 0) for entry in rows]
                axes.plot(x, y, "o-", color=fills[category], lw=1.1, ms=2.5, label=category)
            style.scale_steps(axes, steps)
            axes.set_ylim(bottom=0)
            axes.set_title(style.shorten_name(layer))
            axes.set_xlabel(axis)
            axes.yaxis.get_major_locator().set_params(integer=True)
        panels[0].set_ylabel(f"unique detectors, by {entries[0].definition}")
        panels[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        style.save_figure(figure, path)
