"""Bar graph of a layer: number of units per concept, grouped by category (the released code's figure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netdissect.concepts import display_name, sort_categories
from netdissect.report.figures import style

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netdissect.results.detectors import Detectors


#: Width of a letter in units of a bar's width.
_LETTER_WIDTH = 0.55


def draw_bar_graph(found: Detectors, path: Path, deviations: Mapping[tuple[str, str], float] | None = None) -> None:
    """Draw the number of units per concept, sorted by category, falling number and name; write the numbers as CSV.

    Args:
        found: the layer's detectors.
        path: the figure.
        deviations: standard deviation of the number of units per (category, label), drawn as error bars; None for none.
    """
    groups = sort_categories(category for category, _ in found.concepts)
    fills, texts = style.get_fill_colors(groups), style.get_text_colors(groups)
    bars = [
        (category, label, units)
        for category in groups
        for (kind, label), units in sorted(found.concepts.items(), key=lambda item: (-item[1], item[0][1]))
        if kind == category
    ]
    errors = None if deviations is None else np.array([deviations.get(bar[:2], 0.0) for bar in bars])
    with style.open_figure(max(3.2, 0.16 * len(bars) + 1.0), 2.4) as (figure, (axes,)):
        left = 0.0
        places = []
        for index, (category, _, _) in enumerate(bars):
            left += 0.9 if index and bars[index - 1][0] != category else 0.0
            places.append(left)
            left += 1
        axes.bar(
            places, [units for _, _, units in bars], width=0.8, color=[fills[category] for category, _, _ in bars],
            yerr=None if errors is None else np.array([np.minimum(errors, [units for _, _, units in bars]), errors]),
            error_kw=style.ERROR_BARS,
        )  # fmt: skip
        free = [0.0] * 4
        for category in groups:
            members = [place for place, bar in zip(places, bars, strict=True) if bar[0] == category]
            count = sum(bar[2] for bar in bars if bar[0] == category)
            words = f"{style.shorten_name(category)} {count}"
            # A name wider than its bars is written a line above its neighbors.
            level = next((level for level, end in enumerate(free) if members[0] >= end), len(free) - 1)
            free[level] = members[0] + _LETTER_WIDTH * (len(words) + 2)
            axes.text(
                members[0] - 0.4, 1.02 + 0.08 * level, words, transform=axes.get_xaxis_transform(), ha="left", va="bottom",
                color=texts[category], fontweight="bold",
            )  # fmt: skip
        axes.set_xticks(places, [style.shorten_name(display_name(label)) for _, label, _ in bars], rotation=90)
        axes.tick_params(axis="x", length=0)
        axes.set_ylabel("units")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.margins(x=0.01)
        if not bars:
            axes.text(
                0.5,
                0.5,
                f"no unit reaches {found.score_title} {found.threshold:g}",
                transform=axes.transAxes,
                ha="center",
            )
            axes.set_yticks([])
        style.save_figure(figure, path)
    if errors is None:
        style.write_numbers(path, ("category", "concept", "units"), bars)
    else:
        rows = [(*bar, f"{error:.4f}") for bar, error in zip(bars, errors, strict=True)]
        style.write_numbers(path, ("category", "concept", "units", "units-sd"), rows)
