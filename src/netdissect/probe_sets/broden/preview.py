"""Write an HTML page with a few labeled images of a probe set, to look at before running anything on it."""

from __future__ import annotations

import base64
import colorsys
import io
from importlib import resources
from typing import TYPE_CHECKING

import jinja2
import numpy as np
from PIL import Image

from netdissect.concepts import display_name, sort_categories
from netdissect.io import atomic
from netdissect.probe_sets.broden import label_pngs
from netdissect.probe_sets.broden.index_rows import read_index_rows
from netdissect.probe_sets.broden.reader import Broden
from netdissect.protocols import NullProgress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from netdissect.probe_sets.broden.index_rows import IndexRow
    from netdissect.protocols import Progress

_SIDE = 224
_MAX_NAMES = 8
_COLOR_NAMES = {
    "black-c": (20, 20, 20), "blue-c": (40, 80, 220), "brown-c": (130, 85, 45), "grey-c": (130, 130, 130),
    "green-c": (40, 160, 60), "orange-c": (245, 140, 20), "pink-c": (245, 150, 190), "purple-c": (130, 50, 170),
    "red-c": (215, 30, 35), "white-c": (250, 250, 250), "yellow-c": (245, 220, 40),
}  # fmt: skip


def write_preview(folder: Path, page: Path, *, images: int = 12, progress: Progress | None = None) -> Path:
    """Write a page with a few images, evenly spaced in a probe set, and their labels.

    Args:
        folder: the probe set.
        page: the HTML file, which contains the images.
        images: number of images.
        progress: reports the progress.

    Raises:
        DataError: a subclass, if the probe set cannot be read.
    """
    shown = progress or NullProgress()
    source = Broden(folder)
    count = min(images, len(source))
    shown.start("preview", count)
    rows, _ = read_index_rows(source.folder, source.vocabulary.categories)
    cards = []
    for position in np.linspace(0, len(source) - 1, count).round().astype(int).tolist():
        cards.append(_make_card(source, position, rows[position]))
        shown.advance(1)
    template = resources.files("netdissect.probe_sets.broden").joinpath("preview.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    vocabulary = source.vocabulary
    html = environment.from_string(template).render(
        name=source.name, total=len(source), concepts=len(vocabulary), categories=vocabulary.categories, cards=cards
    )
    atomic.write_text(page, html)
    return page


def choose_concept_color(number: int, name: str) -> tuple[int, int, int]:
    """Return the RGB color that shows a concept: the color itself for color concepts, else a hue by its number."""
    if name in _COLOR_NAMES:
        return _COLOR_NAMES[name]
    red, green, blue = colorsys.hls_to_rgb((number * 0.618034) % 1.0, 0.5 + 0.12 * (number % 3 - 1), 0.85)
    return round(255 * red), round(255 * green), round(255 * blue)


def _make_card(source: Broden, position: int, row: IndexRow) -> dict[str, object]:
    """Return the template's data of one image: the image, and each category's labels over it."""
    image = source.read_image(position, (_SIDE, _SIDE))
    names = {concept.number: concept.name for concept in source.vocabulary.concepts} | {0: ""}
    views: list[dict[str, object]] = []
    whole: dict[str, list[str]] = {}
    for category in sort_categories(source.vocabulary.categories):
        items = row.fields[category]
        planes = [
            label_pngs.read_label_map(source.folder / "images" / item, row.label_size)
            for item in items
            if isinstance(item, str)
        ]
        if numbers := [item for item in items if isinstance(item, int) and item]:
            whole[category] = [display_name(names[number]) for number in numbers]
        if planes:
            views.append(_make_view(category, names, image, np.stack(planes)))
    return {
        "name": row.image, "split": row.split, "image": _encode_data_url(image), "views": views, "whole": whole,
    }  # fmt: skip


def _make_view(
    category: str, names: Mapping[int, str], image: NDArray[np.uint8], planes: NDArray[np.uint16]
) -> dict[str, object]:
    """Return one category's labels over the gray image; where planes overlap, the last one is shown."""
    top = planes[0]
    for plane in planes[1:]:
        top = np.where(plane > 0, plane, top)
    labels = np.asarray(Image.fromarray(top.astype(np.int32)).resize((_SIDE, _SIDE), Image.Resampling.NEAREST))
    numbers, inverse = np.unique(labels, return_inverse=True)
    palette = np.array([choose_concept_color(number, names.get(number, "")) for number in numbers.tolist()], np.float32)
    over = palette[inverse].reshape(_SIDE, _SIDE, 3)
    gray = image.mean(axis=2, keepdims=True).astype(np.float32)
    mixed = np.where(labels[..., np.newaxis] > 0, 0.4 * gray + 0.6 * over, 0.35 * gray + 150)
    counted = np.bincount(planes[planes > 0].ravel().astype(np.int64))
    order = sorted(np.flatnonzero(counted).tolist(), key=lambda number: -int(counted[number]))
    return {
        "category": category,
        "image": _encode_data_url(mixed.clip(0, 255).astype(np.uint8)),
        "names": _make_legend(order, names),
    }


def _make_legend(numbers: Sequence[int], names: Mapping[int, str]) -> list[dict[str, str]]:
    """Return name and color of the first few labels."""
    shown = [(number, names.get(number, f"number {number}")) for number in numbers[:_MAX_NAMES]]
    entries = [
        {"name": display_name(name), "color": "#{:02x}{:02x}{:02x}".format(*choose_concept_color(number, name))}
        for number, name in shown
    ]
    rest = len(numbers) - len(entries)
    return [*entries, *([{"name": f"and {rest} more", "color": ""}] if rest else [])]


def _encode_data_url(image: NDArray[np.uint8]) -> str:
    out = io.BytesIO()
    Image.fromarray(image).save(out, format="JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
