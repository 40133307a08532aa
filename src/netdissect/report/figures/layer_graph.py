"""Layer graph: the share of each layer's units that detect concepts of each category."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.concepts import sort_categories
from netdissect.report.figures import style
from netdissect.report.figures.series import LineEnd, label_ends

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdissect.report.figures.style import FigureWidth
    from netdissect.results.detectors import Detectors

#: The most letters of all layers' names, in sizes of a letter, that stand side by side.
_SIDE_BY_SIDE = 0.8


def draw_layer_graph(
    layers: Mapping[str, Detectors],
    path: Path,
    deviations: Mapping[str, Mapping[str, float]] | None = None,
    width: FigureWidth = "text",
) -> None:
    """Draw the share of each layer's units that detect a concept, per category; write the numbers as CSV.

    Args:
        layers: the detectors of every layer, by its name.
        path: the figure.
        deviations: standard deviation of the number of units of every category, by layer, drawn as error bars; None for none.
        width: where the figure is set.
    """
    with style.open_figure(width, 18) as (figure, (axes,)):
        plot_layer_graph(axes, layers, deviations)
        style.save_figure(figure, path)
    categories = _list_categories(layers)
    measured = [] if deviations is None else [f"{category}-sd" for category in categories]
    rows: list[list[object]] = []
    for name, found in layers.items():
        rows.append([name, found.total, found.definition, found.threshold])
        rows[-1] += [found.units_by_category.get(kind, 0) for kind in categories]
        rows[-1] += [] if deviations is None else [f"{deviations[name][kind]:.4f}" for kind in categories]
    style.write_numbers(path, ("layer", "units", "definition", "threshold", *categories, *measured), rows)


def plot_layer_graph(
    axes: Any, layers: Mapping[str, Detectors], deviations: Mapping[str, Mapping[str, float]] | None = None
) -> None:
    """Draw the layer graph on axes; `draw_layer_graph` documents the arguments."""
    categories = _list_categories(layers)
    fills, texts = style.get_fill_colors(categories), style.get_text_colors(categories)
    places, ends = range(len(layers)), []
    for category in categories:
        shares = [found.units_by_category.get(category, 0) / found.total for found in layers.values()]
        axes.plot(places, shares, "o-", color=fills[category])
        if deviations is not None:
            errors = [deviations[name][category] / found.total for name, found in layers.items()]
            axes.errorbar(places, shares, yerr=errors, fmt="none", **style.make_error_style(fills[category]))
        ends.append(LineEnd(places[-1], shares[-1], category, texts[category]))
    name_layers(axes, list(layers))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_ylabel("share of the layer’s units")
    label_ends(axes, ends)


def name_layers(axes: Any, layers: Sequence[str]) -> None:
    """Write the names of layers below a horizontal axis on which they have the places 0, 1, …, first to last."""
    names = [style.fit_name(axes, name, 0.3) for name in layers]
    letters = axes.figure.get_size_inches()[0] * 72 / style.scale_points(8) / 0.52
    crowded = max(map(len, names), default=0) * len(names) > letters * _SIDE_BY_SIDE
    axes.set_xticks(
        range(len(names)), names, rotation=35 if crowded else 0, ha="right" if crowded else "center",
        rotation_mode="anchor" if crowded else None,
    )  # fmt: skip
    axes.set_xlim(-0.3, max(len(names) - 0.7, 0.3))


def _list_categories(layers: Mapping[str, Detectors]) -> tuple[str, ...]:
    return sort_categories(category for found in layers.values() for category in found.units_by_category)
