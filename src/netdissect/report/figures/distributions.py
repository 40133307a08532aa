"""Distributions: of detectors over concepts, and of scores over units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netdissect.report.figures import style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def draw_concept_histogram(counts: Mapping[str, Sequence[int]], path: Path, *, definition: str) -> None:
    """Draw a histogram of the concepts by their number of detectors.

    Args:
        counts: by network name, the number of detectors of every concept that has any.
        path: the figure.
        definition: the definition by which detectors were counted, for the axis label.
    """
    most = max((max(values, default=0) for values in counts.values()), default=0)
    edges = _make_bins(most)
    with style.open_figure(max(4.6, 0.52 * len(edges)), 2.6) as (figure, (axes,)):
        places = np.arange(len(edges))
        width = 0.8 / max(len(counts), 1)
        for index, (name, values) in enumerate(counts.items()):
            binned = [sum(low <= value <= high for value in values) for low, high in edges]
            offset = (index - (len(counts) - 1) / 2) * width
            axes.bar(
                places + offset,
                binned,
                width=width * 0.94,
                color=style.LINE_COLORS[index % 8],
                label=style.shorten_name(name),
                lw=0,
            )
        axes.set_xticks(places, [f"{low}" if low == high else f"{low}–{high}" for low, high in edges], fontsize=7)
        axes.tick_params(axis="x", length=0)
        axes.set_xlabel(f"detectors of a concept, by {definition}")
        axes.set_ylabel("concepts")
        axes.yaxis.get_major_locator().set_params(integer=True)
        if counts:
            axes.legend(fontsize=7.5)
        style.save_figure(figure, path)


def _make_bins(most: int) -> list[tuple[int, int]]:
    """Return bins of increasing width up to a number: 1, 2, 3, 4, 5 to 8, 9 to 16, …."""
    edges = [(1, 1), (2, 2), (3, 3), (4, 4)]
    low = 5
    while low <= most:
        edges.append((low, 2 * (low - 1)))
        low = 2 * (low - 1) + 1
    return edges


def draw_score_distribution(
    scores: Mapping[str, Sequence[float]], path: Path, *, threshold: float, title: str = "IoU"
) -> None:
    """Draw the share of units that reach each score, with the threshold marked.

    A steep curve at the threshold means that the counts depend on its exact value.
    """
    with style.open_figure(4.6, 2.6) as (figure, (axes,)):
        for index, (name, values) in enumerate(scores.items()):
            falling = np.sort(np.asarray(values, float))[::-1]
            share = np.arange(1, falling.size + 1) / max(falling.size, 1)
            line = "-" if index < len(style.LINE_COLORS) else "--"
            axes.step(
                falling,
                share,
                where="pre",
                color=style.LINE_COLORS[index % 8],
                lw=1.2,
                ls=line,
                label=style.shorten_name(name),
            )
        axes.axvline(threshold, color=style.SOFT, lw=0.8, ls=(0, (3, 3)))
        axes.text(
            threshold,
            1.01,
            f" threshold {threshold:g}",
            transform=axes.get_xaxis_transform(),
            color=style.SOFT,
            va="bottom",
        )
        axes.set_xlim(left=0)
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.set_xlabel(f"{title} of a unit’s best concept")
        axes.set_ylabel("units that reach it")
        if scores:
            axes.legend(loc="upper right", fontsize=7.5)
        style.save_figure(figure, path)
