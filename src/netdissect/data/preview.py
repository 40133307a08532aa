"""A page that shows a few labelled images of a probe set: to look at before anything is run on it."""

from __future__ import annotations

import base64
import colorsys
import io
from importlib import resources
from typing import TYPE_CHECKING

import jinja2
import numpy as np
from PIL import Image

from netdissect import atomic
from netdissect.concepts import display_name, in_figure_order
from netdissect.data import masks
from netdissect.data.broden import Broden
from netdissect.data.index import read_rows
from netdissect.protocols import Silent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from netdissect.data.index import IndexedRow
    from netdissect.protocols import Progress

_SIDE = 224
_MOST_NAMES = 8


def write_preview(folder: Path, page: Path, *, images: int = 12, progress: Progress | None = None) -> Path:
    """Write a page with a few images of a probe set, spread evenly over it, and what is labelled in them.

    Args:
        folder: the probe set.
        page: the HTML file; everything it shows is inside it.
        images: how many images.
        progress: shown how far it is.

    Raises:
        DataError: one of its leaves, if the set cannot be read.
    """
    shown = progress or Silent()
    source = Broden(folder)
    count = min(images, len(source))
    shown.start("preview", count)
    rows, _ = read_rows(source.folder, source.vocabulary.categories)
    cards = []
    for position in np.linspace(0, len(source) - 1, count).round().astype(int).tolist():
        cards.append(_card(source, position, rows[position]))
        shown.advance(1)
    template = resources.files("netdissect.data").joinpath("preview.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    vocabulary = source.vocabulary
    html = environment.from_string(template).render(
        name=source.name, total=len(source), concepts=len(vocabulary), categories=vocabulary.categories, cards=cards
    )
    atomic.write_text(page, html)
    return page


def color_of(code: int) -> tuple[int, int, int]:
    """Return the colour a concept is shown in: neighbouring codes far apart on the colour wheel."""
    hue = (code * 0.618034) % 1.0
    red, green, blue = colorsys.hls_to_rgb(hue, 0.5 + 0.12 * (code % 3 - 1), 0.85)
    return round(255 * red), round(255 * green), round(255 * blue)


def _card(source: Broden, position: int, row: IndexedRow) -> dict[str, object]:
    """Return what the page shows of one image: the picture, and each category's labels over it."""
    picture = source.picture(position, (_SIDE, _SIDE))
    views = []
    for category in in_figure_order(source.vocabulary.categories):
        items = row.fields[category]
        planes = [masks.read(source.folder / "images" / item, row.label_size) for item in items if not item.isdigit()]
        whole = [int(item) for item in items if item.isdigit() and int(item)]
        if planes:
            views.append(_view(source, category, picture, np.stack(planes)))
        elif whole:
            views.append({"category": category, "picture": "", "names": _names(source, whole)})
    return {"name": row.image, "split": row.split, "picture": _data(picture), "views": views}


def _view(source: Broden, category: str, picture: NDArray[np.uint8], planes: NDArray[np.uint16]) -> dict[str, object]:
    top = planes[0]
    for plane in planes[1:]:
        top = np.where(plane > 0, plane, top)
    labels = np.asarray(Image.fromarray(top.astype(np.int32)).resize((_SIDE, _SIDE), Image.Resampling.NEAREST))
    numbers, inverse = np.unique(labels, return_inverse=True)
    palette = np.array([color_of(int(number)) if number else (0, 0, 0) for number in numbers], np.float32)
    over = palette[inverse].reshape(_SIDE, _SIDE, 3)
    grey = picture.mean(axis=2, keepdims=True).astype(np.float32)
    mixed = np.where(labels[..., np.newaxis] > 0, 0.45 * grey + 0.55 * over, 0.35 * grey + 150)
    counted = np.bincount(planes[planes > 0].ravel().astype(np.int64))
    order = sorted(np.flatnonzero(counted).tolist(), key=lambda number: -int(counted[number]))
    return {
        "category": category,
        "picture": _data(mixed.clip(0, 255).astype(np.uint8)),
        "names": _names(source, order),
    }


def _names(source: Broden, numbers: Sequence[int]) -> list[dict[str, str]]:
    known = {concept.number: concept.name for concept in source.vocabulary.concepts}
    names = [
        {"name": display_name(known[number]), "color": "#{:02x}{:02x}{:02x}".format(*color_of(number))}
        for number in numbers[:_MOST_NAMES]
    ]
    rest = len(numbers) - len(names)
    return [*names, *([{"name": f"and {rest} more", "color": "#ffffff"}] if rest else [])]


def _data(picture: NDArray[np.uint8]) -> str:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, format="JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
