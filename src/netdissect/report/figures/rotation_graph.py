"""The rotation graph: unique detectors as a layer's units are turned away from their axes (paper, § 4.2, figure 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.concepts import sort_categories
from netdissect.report.figures import style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdissect.results.detectors import Detectors


def draw_rotation_graph(layers: Mapping[str, Sequence[tuple[float, Detectors]]], path: Path) -> None:
    """Draw every layer's unique detectors at each α, stacked by category, one panel per layer; numbers beside it."""
    found = [one for turned in layers.values() for _, one in turned]
    categories = sort_categories(list(dict.fromkeys(kind for one in found for kind in one.unique_by_category)))
    fills = style.get_fill_colors(categories)
    widths = [0.55 * len(turned) + 0.6 for turned in layers.values()]
    with style.open_figure(sum(widths) + 1.2, 2.4, widths) as (figure, panels):
        all_axes = [panels] if len(layers) == 1 else list(panels)
        for axes, (layer, turned) in zip(all_axes, layers.items(), strict=True):
            places = range(len(turned))
            below = [0] * len(turned)
            for category in categories:
                heights = [one.unique_by_category.get(category, 0) for _, one in turned]
                axes.bar(places, heights, 0.72, bottom=below, color=fills[category], label=category)
                below = [low + height for low, height in zip(below, heights, strict=True)]
            for place, total in zip(places, below, strict=True):
                axes.annotate(
                    str(total), (place, total), (0, 2), textcoords="offset points", ha="center", color=style.INK
                )
            axes.set_xticks(list(places), [f"{alpha:g}" for alpha, _ in turned])
            axes.set_xlabel("rotation α")
            axes.set_title(style.shorten_name(layer))
            axes.yaxis.get_major_locator().set_params(integer=True)
        all_axes[0].set_ylabel(f"unique detectors, by {found[0].definition}")
        if categories:
            all_axes[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        style.save_figure(figure, path)
    style.write_numbers(
        path,
        ("layer", "alpha", "units", "definition", "threshold", "detectors", "unique", *categories),
        [
            (
                layer, f"{alpha:g}", one.total, one.definition, one.threshold, one.units, one.unique,
                *(one.unique_by_category.get(kind, 0) for kind in categories),
            )
            for layer, turned in layers.items()
            for alpha, one in turned
        ],
    )  # fmt: skip
