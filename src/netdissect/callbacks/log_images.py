"""The images of a dissection that a logger gets: the bar graph of every layer, and cards of its best units."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from netdissect.callbacks.log_numbers import GROUP
from netdissect.concepts import display_name
from netdissect.report.figures import style
from netdissect.report.figures.run_plots import LayerPlots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result
    from netdissect.results.units import UnitRow

#: Exemplars on a card.
_EXEMPLARS = 6
#: Height of the bar graph, and of a card with its title, in lines of text.
_GRAPH_LINES, _CARD_LINES = 18, 9.0


def draw_images(result: Result, cards: int) -> dict[str, NDArray[np.uint8]]:
    """Return the images of a dissection by name, such as ``netdissect/layer4/bar_graph``, each uint8, shape (H, W, 3).

    Args:
        result: the dissection.
        cards: the most units of a layer that are shown with their exemplars, each of another concept; 0 shows none.
    """
    found = {}
    for name, layer in result.layers.items():
        found[f"{GROUP}/{name}/bar_graph"] = _draw_bar_graph(layer, result.settings.threshold)
        shown = _draw_cards(layer, _choose_units(layer, cards))
        if shown is not None:
            found[f"{GROUP}/{name}/unit_cards"] = shown
    return found


def _draw_bar_graph(layer: LayerResult, threshold: float) -> NDArray[np.uint8]:
    with style.open_figure("text", _GRAPH_LINES) as (figure, (axes,)):
        LayerPlots(layer, threshold).bar_graph(axes)
        return _read_pixels(figure)


def _choose_units(layer: LayerResult, most: int) -> list[UnitRow]:
    """Return the unit with the highest score of each concept, by falling score."""
    best: dict[str, UnitRow] = {}
    for row in sorted((row for row in layer.units if row.label), key=lambda row: -row.score):
        best.setdefault(row.label, row)
    return list(best.values())[:most]


def _draw_cards(layer: LayerResult, rows: list[UnitRow]) -> NDArray[np.uint8] | None:
    """Return units below each other with their exemplars, darkened outside of the mask; None if there are no images."""
    strips = [(row, layer.unit(row.unit).strip(_EXEMPLARS)) for row in rows]
    drawn = [(row, strip) for row, strip in strips if strip is not None]
    if not drawn:
        return None
    with style.open_figure("text", _CARD_LINES * len(drawn), rows=len(drawn)) as (figure, panels):
        for axes, (row, strip) in zip(panels, drawn, strict=True):
            with Image.open(io.BytesIO(strip)) as image:
                axes.imshow(np.asarray(image.convert("RGB")))
            axes.set_title(_describe_unit(layer, row))
            axes.set_anchor("W")
            axes.axis("off")
        return _read_pixels(figure)


def _describe_unit(layer: LayerResult, row: UnitRow) -> str:
    """Return a unit's number, concept and score, with the error of the score where it was measured."""
    low, high = (None, None) if row.trust is None else (row.trust.low, row.trust.high)
    error = "" if low is None or high is None else f" ± {(high - low) / 2:.3f}"
    return f"unit {row.unit}: {display_name(row.label)} ({row.category}), {layer.score_title} {row.score:.3f}{error}"


def _read_pixels(figure: Any) -> NDArray[np.uint8]:
    figure.set_dpi(150)
    figure.canvas.draw()
    return np.ascontiguousarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
