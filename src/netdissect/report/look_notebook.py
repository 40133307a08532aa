"""Render a look for notebooks: every image with its concepts in color, and the units that fire."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING

import numpy as np

from netdissect.concepts import display_name
from netdissect.io.images import resize_image
from netdissect.report.browser_images import encode_for_browser
from netdissect.report.label_colors import format_hex, pick_color
from netdissect.report.look_numbers import LookNumbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.report.image_look import ImageLook, LayerLook

#: Images that are shown, concepts of each layer, and the height of an image in pixels.
_IMAGES, _CONCEPTS, _HEIGHT = 4, 8, 180
#: How much of a concept's color is mixed into the image.
_MIX = 0.55
_CELL = "padding:0 12px 0 0;text-align:left;vertical-align:top"


def render_look(images: Sequence[ImageLook], threshold: float, note: str = "") -> str:
    """Return images as HTML: for every layer, the image with its concepts in color, and their units.

    Args:
        images: the images; the first few are shown.
        threshold: score from which a unit counts as labeled.
        note: what a reader should know about where activations are from.
    """
    parts = [f"<p>{html.escape(note)}</p>"] if note else []
    for image in images[:_IMAGES]:
        layers = "".join(_render_layer_look(image, look, threshold) for look in image.layers.values())
        parts.append(f"<p><b>{html.escape(image.name)}</b></p><table>{layers}</table>")
    left = len(images) - _IMAGES
    return "".join([*parts, f"<p>… and {left:,} more images</p>" if left > 0 else ""])


def _render_layer_look(image: ImageLook, look: LayerLook, threshold: float) -> str:
    numbers = LookNumbers(look.result, threshold).find_concepts(look.columns)
    data = base64.b64encode(encode_for_browser(color_concepts(image.pixels, look, numbers))).decode()
    rows = "".join(
        f'<div><span style="display:inline-block;width:10px;height:10px;background:{format_hex(pick_color(int(number)))}"></span> '
        f"{html.escape(display_name(concept.label))}: unit{'s' if len(concept.units) > 1 else ''} {', '.join(map(str, concept.units))}"
        f" ({concept.share:.0%})</div>"
        for number, concept in zip(numbers[:_CONCEPTS], look.concepts, strict=False)
    )
    left = len(look.concepts) - _CONCEPTS
    more = f"<div>… and {left} more concepts</div>" if left > 0 else ""
    said = f"{len(look.channels)} of {look.known} labeled units{'' if look.known == look.labeled else ' that are known'} fire"
    return (
        f'<tr><td style="{_CELL}"><img alt="" height="{_HEIGHT}" src="data:image/jpeg;base64,{data}"></td>'
        f'<td style="{_CELL}"><div>{html.escape(look.name)}: {said}</div>{rows}{more}</td></tr>'
    )


def color_concepts(pixels: NDArray[np.uint8], look: LayerLook, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return an image in which every pixel has some of the color of the concept with most units there.

    Args:
        pixels: the image, RGB, uint8, shape (H, W, 3).
        look: the units that fire in it.
        numbers: the number of every concept of `look.columns`, which decides its color, int64, shape (c,).
    """
    height = min(_HEIGHT * 2, pixels.shape[0])
    size = height, max(1, round(height * pixels.shape[1] / pixels.shape[0]))
    image = resize_image(pixels, size).astype(np.float64)
    colors = np.array([*(pick_color(int(number)) for number in numbers), (0, 0, 0)], np.float64)
    concept = look.make_maps(size).concept
    mixed = np.where((concept >= 0)[..., None], (1 - _MIX) * image + _MIX * colors[concept], image)
    return np.rint(mixed).astype(np.uint8)
