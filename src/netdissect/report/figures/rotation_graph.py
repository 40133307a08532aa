"""Rotation graph: unique detectors as a layer's units are rotated away from their axes (paper, § 4.2, figure 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.concepts import sort_categories
from netdissect.report.figures import style
from netdissect.report.figures.headings import add_headings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdissect.report.figures.style import FigureWidth
    from netdissect.results.detectors import Detectors

#: Sizes of a letter that a bar and the margins of a panel take.
_BAR, _MARGIN = 2.4, 5.0


def draw_rotation_graph(
    layers: Mapping[str, Sequence[tuple[float, Detectors]]],
    path: Path,
    deviations: Mapping[str, Sequence[float | None]] | None = None,
    width: FigureWidth = "text",
) -> None:
    """Draw each layer's unique detectors at each α, stacked by category, one panel per layer; write the numbers as CSV.

    Args:
        layers: by layer, α and its detectors.
        path: the figure.
        deviations: by layer, the standard deviation of the unique detectors at each α, drawn as error bars.
        width: where the figure is set.
    """
    all_found = [found for steps in layers.values() for _, found in steps]
    categories = sort_categories(kind for found in all_found for kind in found.unique_by_category)
    fills, texts = style.get_fill_colors(categories), style.get_text_colors(categories)
    longest = max(len(steps) for steps in layers.values())
    across = max(1, min(len(layers), int(style.count_letters(width) / (_BAR * longest + _MARGIN))))
    rows = -(-len(layers) // across)
    with style.open_figure(width, 2 + 14 * rows, (1.0,) * across, rows) as (figure, panels):
        for axes, (layer, steps) in zip(panels, layers.items(), strict=False):
            _draw_steps(axes, steps, categories, (deviations or {}).get(layer))
            axes.set_xlabel(f"rotation α of {style.fit_name(axes, layer)}")
        for axes in panels[len(layers) :]:
            axes.set_axis_off()
        for axes in panels[: len(layers) : across]:
            axes.set_ylabel(f"unique detectors, by {all_found[0].definition}")
        add_headings(panels[0], [(kind, texts[kind], fills[kind]) for kind in categories])
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


def _draw_steps(
    axes: Any,
    steps: Sequence[tuple[float, Detectors]],
    categories: Sequence[str],
    deviations: Sequence[float | None] | None,
) -> None:
    fills = style.get_fill_colors(categories)
    positions, below = range(len(steps)), [0] * len(steps)
    for category in categories:
        heights = [found.unique_by_category.get(category, 0) for _, found in steps]
        axes.bar(positions, heights, 0.72, bottom=below, color=fills[category], lw=0)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    for position, total in zip(positions, below, strict=True):
        error = (deviations[position] if deviations is not None else None) or 0.0
        if error:
            axes.errorbar(position, total, error, fmt="none", **style.make_error_style())
        shift = (0, style.scale_points(2))
        axes.annotate(str(total), (position, total + error), shift, textcoords="offset points", ha="center")
    axes.set_xticks(list(positions), [f"{alpha:g}" for alpha, _ in steps])
    axes.tick_params(axis="x", length=0)
    axes.yaxis.get_major_locator().set_params(integer=True)
