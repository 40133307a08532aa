"""Render image number n of the bundled probe set, with its labels."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from netdissect.demo.world import shading
from netdissect.demo.world.canvas import Canvas
from netdissect.demo.world.colors import name_colors
from netdissect.demo.world.light import choose_light
from netdissect.demo.world.scenes import SCENES
from netdissect.demo.world.textures import TEXTURES, draw_texture
from netdissect.demo.world.world_concepts import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

#: Subjects of the images, repeated in this order: every scene twice, every texture once.
SUBJECTS: tuple[str, ...] = (*SCENES, *SCENES, *TEXTURES)
#: Images of the demo: every texture 22 times, every scene 44 times.
DEMO_IMAGES = 22 * len(SUBJECTS)


class Rendering(NamedTuple):
    """An image and its labels.

    Attributes:
        image: RGB, uint8, shape (size, size, 3).
        labels: by category, a label map, uint16, shape (size // 2, size // 2), or the label number of the whole image.
    """

    image: NDArray[np.uint8]
    labels: Mapping[str, NDArray[np.uint16] | int]


def render_image(index: int, *, size: int, seed: int) -> Rendering:
    """Return an image and its labels; they depend on the seed, the index and the size only.

    Args:
        index: from 0; ``SUBJECTS[index % len(SUBJECTS)]`` is what the image shows.
        size: side of the image in pixels.
        seed: seed of the probe set.
    """
    subject = SUBJECTS[index % len(SUBJECTS)]
    rng = Random(f"netdissect/{seed}/{index}")  # noqa: S311 - an image is no secret
    return _render_texture(subject, rng, size) if subject in TEXTURES else _render_scene(subject, rng, size)


def _render_scene(name: str, rng: Random, size: int) -> Rendering:
    draw, times_of_day = SCENES[name]
    times = 3 if size < 160 else 2
    canvas = Canvas(size * times, choose_light(rng, times_of_day))
    draw(canvas, rng)
    ids = canvas.rasterize()
    drift = (int(rng.random() * canvas.side), int(rng.random() * canvas.side))
    image = shading.shade_image(canvas, ids, times=times, drift=drift)
    rows = _find_label_rows(size)
    middle = rows * times + times // 2
    under = ids[np.ix_(middle, middle)]
    labels: dict[str, NDArray[np.uint16] | int] = {}
    regions = [shape.region for shape in canvas.shapes]
    for category, names in (
        ("object", [region.object for region in regions]),
        ("part", [region.part for region in regions]),
        ("material", [region.material for region in regions]),
    ):
        numbers = NUMBERS[category]
        table = np.array([numbers[name] if name else 0 for name in names], dtype=np.uint16)
        plane = table.take(under)
        if plane.any():
            labels[category] = plane
    labels["color"] = _name_label_colors(image, rows)
    labels["scene"] = NUMBERS["scene"][f"{name}-s"]
    return Rendering(image, labels)


def _render_texture(name: str, rng: Random, size: int) -> Rendering:
    image = draw_texture(name, rng, size=size, times=2)
    return Rendering(
        image, {"color": _name_label_colors(image, _find_label_rows(size)), "texture": NUMBERS["texture"][name]}
    )


def _find_label_rows(size: int) -> NDArray[np.int64]:
    """Return the row of the image at which each row of the label map is sampled; the same holds for columns."""
    cells = size // 2
    return (2 * np.arange(cells) + 1) * size // (2 * cells)


def _name_label_colors(image: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.uint16]:
    first = min(NUMBERS["color"].values())
    return name_colors(image[np.ix_(rows, rows)]).astype(np.uint16) + np.uint16(first)
