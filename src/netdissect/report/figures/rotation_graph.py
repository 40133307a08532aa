"""Rotation graph: unique detectors as a layer's units are rotated away from their axes (paper, § 4.2, figure 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.concepts import sort_categories
from netdissect.report.figures import style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdissect.results.detectors import Detectors


def draw_rotation_graph(layers: Mapping[str, Sequence[tuple[float, Detectors]]], path: Path) -> None:
    """Draw each layer's unique detectors at each α, stacked by category, one panel per layer; write the numbers as CSV."""
    all_found = [found for steps in layers.values() for _, found in steps]
    categories = sort_categories(kind for found in all_found for kind in found.unique_by_category)
    fills = style.get_fill_colors(categories)
    widths = [0.55 * len(steps) + 0.6 for steps in layers.values()]
    with style.open_figure(sum(widths) + 1.2, 2.4, widths) as (figure, panels):
        for axes, (layer, steps) in zip(panels, layers.items(), strict=True):
            positions = range(len(steps))
            below = [0] * len(steps)
            for category in categories:
                heights = [found.unique_by_category.get(category, 0) for _, found in steps]
                axes.bar(positions, heights, 0.72, bottom=below, color=fills[category], label=category)
                below = [low + height for low, height in zip(below, heights, strict=True)]
            for position, total in zip(positions, below, strict=True):
                axes.annotate(
                    str(total), (position, total), (0, 2), textcoords="offset points", ha="center", color=style.INK
                )
            axes.set_xticks(list(positions), [f"{alpha:g}" for alpha, _ in steps])
            axes.set_xlabel("rotation α")
            axes.set_title(style.shorten_name(layer))
            axes.yaxis.get_major_locator().set_params(integer=True)
        panels[0].set_ylabel(f"unique detectors, by {all_found[0].definition}")
        if categories:
            panels[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        style.save_figure(figure, path)
    style.write_numbers(
        path,
        ("layer", "alpha", "units", "definition", "threshold", "detectors", "unique", *categories),
        [
            (
                layer, f"{alpha:g}", found.total, found.definition, found.threshold, found.units, found.unique,
                *(found.unique_by_category.get(kind, 0) for kind in categories),
            )
            for layer, steps in layers.items()
            for alpha, found in steps
        ],
    )  # fmt: skip
