"""Layer graph: the share of each layer's units that detect concepts of each category."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.concepts import sort_categories
from netdissect.report.figures import style

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netdissect.results.detectors import Detectors

#: The most letters, over all layers' names, that fit in one line.
_MAX_LETTERS_HORIZONTAL = 40


def draw_layer_graph(
    layers: Mapping[str, Detectors], path: Path, deviations: Mapping[str, Mapping[str, float]] | None = None
) -> None:
    """Draw the share of each layer's units that detect a concept, per category; write the numbers as CSV.

    Args:
        layers: the detectors of every layer, by its name.
        path: the figure.
        deviations: standard deviation of the number of units of every category, by layer, drawn as error bars; None for none.
    """
    categories = sort_categories(category for found in layers.values() for category in found.units_by_category)
    fills = style.get_fill_colors(categories)
    with style.open_figure(max(3.2, 0.8 * len(layers) + 1.6), 2.4) as (figure, (axes,)):
        places = range(len(layers))
        for category in categories:
            shares = [found.units_by_category.get(category, 0) / found.total for found in layers.values()]
            axes.plot(places, shares, "o-", color=fills[category], label=category, lw=1.2, ms=3.5)
            if deviations is not None:
                errors = [deviations[name][category] / found.total for name, found in layers.items()]
                axes.errorbar(
                    places, shares, yerr=errors, fmt="none", **{**style.ERROR_BARS, "ecolor": fills[category]}
                )
        names = [style.shorten_name(name) for name in layers]
        crowded = len(layers) > 3 or sum(map(len, names)) > _MAX_LETTERS_HORIZONTAL
        axes.set_xticks(
            list(places), names, rotation=30 if crowded else 0, ha="right" if crowded else "center",
            rotation_mode="anchor" if crowded else None,
        )  # fmt: skip
        axes.set_xlim(-0.4, max(len(layers) - 0.6, 0.4))
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.set_ylabel("share of the layer’s units")
        if categories:
            axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        style.save_figure(figure, path)
    measured = [] if deviations is None else [f"{category}-sd" for category in categories]
    rows: list[list[object]] = []
    for name, found in layers.items():
        rows.append([name, found.total, found.definition, found.threshold])
        rows[-1] += [found.units_by_category.get(kind, 0) for kind in categories]
        rows[-1] += [] if deviations is None else [f"{deviations[name][kind]:.4f}" for kind in categories]
    style.write_numbers(path, ("layer", "units", "definition", "threshold", *categories, *measured), rows)
