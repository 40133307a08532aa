"""Draw the page of a look: pointing at a pixel of an image lists the units that fire there, the strongest first."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.concepts import display_name
from netdissect.report.browser_images import encode_for_browser
from netdissect.report.html import mask_grids, page
from netdissect.report.html.script_data import pack_arrays
from netdissect.report.label_colors import format_hex, pick_color
from netdissect.results.unit_trust import LEVEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.report.image_look import ImageLook, LayerLook
    from netdissect.report.look_numbers import LookNumbers
    from netdissect.results.run_result import Result

#: Images of a page, at most; the tables and maps have all.
MOST_IMAGES = 200


def render_look_page(
    run: Result, images: Sequence[ImageLook], numbers: Mapping[str, LookNumbers], threshold: float, note: str
) -> str:
    """Return the page, which loads nothing.

    Args:
        run: the run, with the layers that were looked at.
        images: the images; the first `MOST_IMAGES` are shown.
        numbers: the numbers of concepts in label maps, by layer name.
        threshold: score from which a unit counts as labeled.
        note: what a reader should know about where activations are from.
    """
    shown = images[:MOST_IMAGES]
    return page.render_standalone_page(
        "look.html", ("look.css",), ("interpolate.js", "masks.js", "look-point.js", "look-image.js", "look.js"), run=run, threshold=threshold, note=note, number=len(images), left_out=len(images) - len(shown),
        blocks=[*_pack_run(run, shown, numbers, threshold), *_pack_images(shown, numbers)], trusted=any(layer.trust is not None for layer in run.layers.values()), level=LEVEL,
    )  # fmt: skip


def _pack_run(
    run: Result, images: Sequence[ImageLook], numbers: Mapping[str, LookNumbers], threshold: float
) -> Iterable[tuple[str, str, str]]:
    """Yield the block with what all images share."""
    facts = {
        "input": list(run.network.input_size),
        "threshold": threshold,
        "scoreTitle": run.score_title,
        "level": LEVEL,
        "layers": [
            {
                "name": name,
                "grid": list(layer.layer.grid),
                "field": {part: list(pair) for part, pair in layer.layer.field._asdict().items()},
                "concepts": _list_concepts(numbers[name]),
            }
            for name, layer in run.layers.items()
        ],
        "images": [
            {"name": image.name, "row": image.row, "width": image.pixels.shape[1], "height": image.pixels.shape[0]}
            for image in images
        ],
    }
    yield "data/look", "application/json", pack_arrays("look", facts, {})


def _list_concepts(numbers: LookNumbers) -> list[dict[str, str]]:
    """Return name, category and color of every concept of a layer, in the order of its numbers."""
    concepts = [numbers.layer.vocabulary.concepts[int(column)] for column in numbers.columns]
    return [
        {"name": display_name(concept.name), "category": concept.category, "color": format_hex(pick_color(number))}
        for number, concept in enumerate(concepts, 1)
    ]


def _pack_images(images: Sequence[ImageLook], numbers: Mapping[str, LookNumbers]) -> Iterable[tuple[str, str, str]]:
    """Yield the blocks of every image: its file, and the units that fire in it."""
    for at, image in enumerate(images):
        layers: list[dict[str, Any]] = []
        arrays: dict[str, NDArray[Any]] = {}
        for place, look in enumerate(image.layers.values()):
            layers.append(_describe_layer(look, numbers[look.name]))
            arrays |= {f"{name}{place}": array for name, array in _collect_arrays(look, numbers[look.name]).items()}
        key = f"image-{at}"
        yield f"data/{key}", "application/json", pack_arrays(key, {"layers": layers}, arrays)
        yield f"file/{at}", "text/plain", base64.b64encode(encode_for_browser(image.pixels)).decode()


def _describe_layer(look: LayerLook, numbers: LookNumbers) -> dict[str, Any]:
    of_concepts = (numbers.find_concepts(look.columns) - 1).tolist()
    return {
        "labeled": look.labeled,
        "known": look.known,
        "units": [
            {
                "unit": unit.unit,
                "concept": of_concepts[int(member)],
                "score": unit.score,
                "q": unit.q,
                "strength": unit.strength,
                "share": unit.share,
            }
            for unit, member in zip(look.units, look.members, strict=True)
        ],
        "concepts": [
            {"concept": of_concepts[at], "share": concept.share, "most": concept.most}
            for at, concept in enumerate(look.concepts)
        ],
    }


def _collect_arrays(look: LayerLook, numbers: LookNumbers) -> dict[str, NDArray[Any]]:
    """Return the grids of the units, and the number of the concept with most units at every pixel."""
    strengths = (look.grids - look.thresholds[:, None, None]) / look.spans[:, None, None]
    codes, scale = mask_grids.encode_grids(strengths[:, None])
    of_concepts = np.append(numbers.find_concepts(look.columns), 0)
    segments = of_concepts[look.make_maps().concept]
    return {
        "codes": codes[:, 0],
        "scale": scale,
        "segments": segments.astype(np.uint8 if int(segments.max(initial=0)) < 256 else np.uint16),
    }
