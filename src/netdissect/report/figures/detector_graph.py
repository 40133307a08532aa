"""Detector graph: unique detectors of every layer, stacked by category, beside those of the run's controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.concepts import sort_categories
from netdissect.report.figures import style
from netdissect.report.figures.headings import add_headings
from netdissect.report.figures.layer_graph import name_layers
from netdissect.results.detectors import format_count

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.report.figures.style import FigureWidth
    from netdissect.results.controls import ControlLayer
    from netdissect.results.run_result import Result


def draw_detector_graph(result: Result, path: Path, width: FigureWidth = "text") -> None:
    """Draw the unique detectors of every layer of a run; write the numbers as CSV.

    Args:
        result: the run.
        path: the figure.
        width: where the figure is set.
    """
    threshold = result.settings.threshold
    with style.open_figure(width, 19) as (figure, (axes,)):
        plot_detector_graph(axes, result, threshold)
        style.save_figure(figure, path)
    kinds = sort_categories(kind for found in result.detectors(threshold).values() for kind in found.unique_by_category)
    head = ("network", "layer", "units", "threshold", "detectors", "detectors-sd", "unique", "unique-sd", *kinds)
    rows: list[list[object]] = []
    for name, layer in result.layers.items():
        found, spread = layer.detectors(threshold), layer.count_spread(threshold)
        errors = (None, None) if spread is None else (spread.units_sd, spread.unique_sd)
        rows.append([
            result.network.name, name, found.total, threshold, found.units, _write(errors[0]), found.unique, _write(errors[1]),
            *(found.unique_by_category.get(kind, 0) for kind in kinds),
        ])  # fmt: skip
    for control in result.controls:
        rows += [
            [control.name, name, layer.total, control.threshold, layer.units, _write(layer.units_sd), layer.unique, _write(layer.unique_sd)]
            + [""] * len(kinds)
            for name, layer in control.layers.items()
        ]  # fmt: skip
    style.write_numbers(path, head, rows)


def plot_detector_graph(axes: Any, result: Result, threshold: float) -> None:
    """Draw a bar of unique detectors per layer, with its error, and a dashed mark where a control has as many.

    Args:
        axes: where to draw.
        result: the run.
        threshold: score from which a unit counts as a detector.
    """
    layers = result.detectors(threshold)
    kinds = sort_categories(kind for found in layers.values() for kind in found.unique_by_category)
    fills, texts = style.get_fill_colors(kinds), style.get_text_colors(kinds)
    for place, (name, found) in enumerate(layers.items()):
        below = 0
        for kind in kinds:
            height = found.unique_by_category.get(kind, 0)
            axes.bar(place, height, 0.62, below, color=fills[kind], lw=0)
            below += height
        spread = result[name].count_spread(threshold)
        error = 0.0 if spread is None else spread.unique_sd
        if error:
            axes.errorbar(place, found.unique, error, fmt="none", **style.make_error_style())
        said = format_count(found.unique, None if spread is None else spread.unique_sd)
        shift = (0, style.scale_points(2.5))
        axes.annotate(said, (place, found.unique + error), shift, textcoords="offset points", ha="center")
        for control in result.controls:
            if name in control.layers:
                _mark_control(axes, place, control.layers[name])
    name_layers(axes, list(layers))
    axes.set_xlim(-0.6, len(layers) - 0.4)
    axes.set_ylim(bottom=0)
    axes.margins(y=0.1)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_ylabel("unique detectors, by label")
    words = [(style.fit_name(axes, kind), texts[kind], fills[kind]) for kind in kinds]
    marks = {control.name: (f"– – {style.fit_name(axes, control.name)}", style.SOFT, "") for control in result.controls}
    add_headings(axes, [*words, *(list(marks.values()) if len(marks) == 1 else _name_controls(len(marks)))])


def _mark_control(axes: Any, place: int, control: ControlLayer) -> None:
    """Draw a dashed mark across a bar, with a band of one standard deviation."""
    ends = [place - 0.42, place + 0.42]
    error = control.unique_sd or 0.0
    axes.fill_between(
        ends, control.unique - error, control.unique + error, color=style.SOFT, alpha=0.25, lw=0, zorder=3
    )
    for color, wide in (("white", 2.2), (style.INK, 1.0)):
        axes.plot(ends, [control.unique] * 2, color=color, lw=style.scale_points(wide), ls=(0, (3, 1.5)), zorder=4)


def _name_controls(number: int) -> list[tuple[str, str, str]]:
    return [(f"– – {number} controls", style.SOFT, "")] if number else []


def _write(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
