"""The tables and label maps of a look: ``look.json``, ``units.csv``, ``numbers.csv`` and PNG files (docs/look.md)."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

import netdissect
from netdissect.errors import RunError
from netdissect.io.names import make_portable_name
from netdissect.io.text import ESCAPE_UNENCODABLE
from netdissect.report.label_colors import format_hex, pick_color

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.report.image_look import ImageLook, LayerLook
    from netdissect.report.look_numbers import LookNumbers
    from netdissect.results.run_result import Result

#: Version of ``look.json``.
_VERSION = 1
#: Numbers that a palette can color.
_PALETTE = 256
_UNIT_FIELDS = (
    "unit", "channel", "category", "label", "score", "q", "strength", "activation", "threshold", "share", "x", "y"
)  # fmt: skip


def name_image_folder(number: int, image: ImageLook) -> str:
    """Return the folder of an image's maps, such as ``maps/0001-street``; images are numbered from 1."""
    stem = image.name.rpartition("/")[2].rpartition(".")[0] or image.name
    return f"maps/{number:04d}-{make_portable_name(stem)}"


def list_map_files(folder: str, look: LayerLook, numbers: LookNumbers, *, masks: bool) -> list[str]:
    """Return the paths of the maps of a layer over an image, in the order of `encode_maps`."""
    stem = look.result.layer.file_stem
    names = [f"{folder}/{stem}-units.png", f"{folder}/{stem}-concepts.png"]
    if masks:
        names += [f"{folder}/{stem}/unit-{channel + 1:04d}.png" for channel in look.channels]
        names += [f"{folder}/{stem}/concept-{number:03d}.png" for number in numbers.find_concepts(look.columns)]
    return names


def encode_maps(look: LayerLook, numbers: LookNumbers, *, masks: bool) -> Iterator[bytes]:
    """Yield the maps of a layer over an image as PNG files.

    The first holds the number of the strongest unit at every pixel, the second that of the concept with most units. Then
    follow the mask of every unit, with 1 bit per pixel, and the number of every concept's units at every pixel.
    """
    maps = look.make_maps()
    yield encode_numbers(_apply(numbers.find_units(look.channels), maps.strongest))
    yield encode_numbers(_apply(numbers.find_concepts(look.columns), maps.concept))
    if masks:
        yield from (_encode(Image.fromarray(mask)) for mask in maps.masks)
        yield from (encode_numbers(counts, colored=False) for counts in maps.counts)


def encode_numbers(numbers: NDArray[np.integer[Any]], *, colored: bool = True) -> bytes:
    """Return a label map as a PNG file: with 8 bits and a palette up to the number 255, else with 16 bits.

    Args:
        numbers: the map, shape (H, W).
        colored: whether an 8-bit file has a palette; else it is gray.

    Raises:
        RunError: if a number has more than 16 bits.
    """
    most = int(numbers.max(initial=0))
    if most >= 2**16:
        raise RunError(
            f"a label map holds numbers up to 65,535, and {most:,} units are labeled: use a higher --threshold"
        )
    if most >= _PALETTE:
        return _encode(Image.fromarray(numbers.astype(np.uint16)))
    image = Image.fromarray(numbers.astype(np.uint8))
    if colored:
        image = Image.frombytes("P", image.size, numbers.astype(np.uint8).tobytes())
        image.putpalette([value for number in range(_PALETTE) for value in pick_color(number)])
    return _encode(image)


def _apply(numbers: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of the place at every pixel; 0 for -1."""
    return np.append(numbers, 0)[places]


def _encode(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, format="PNG")
    return out.getvalue()


def format_json(
    run: Result, images: Sequence[ImageLook], numbers: Mapping[str, LookNumbers], threshold: float, note: str
) -> str:
    """Return ``look.json``: the units and concepts of every image, the strongest first."""
    record = {
        "look_version": _VERSION,
        "netdissect": netdissect.__version__,
        "network": {"name": run.network.name, "fingerprint": run.network.fingerprint},
        "probe_set": {"name": run.probe_set.name, "fingerprint": run.probe_set.fingerprint},
        "score": run.score_title,
        "threshold": threshold,
        "map_size": list(run.network.input_size),
        "note": note,
        "images": [
            {
                "name": image.name,
                "row": image.row,
                "maps": name_image_folder(number, image),
                "layers": {name: _describe_layer(look, numbers[name]) for name, look in image.layers.items()},
            }
            for number, image in enumerate(images, 1)
        ],
    }
    return json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _describe_layer(look: LayerLook, numbers: LookNumbers) -> dict[str, Any]:
    of_concepts = numbers.find_concepts(look.columns).tolist()
    return {
        "labeled_units": look.labeled,
        "known_units": look.known,
        "units": [{name: getattr(unit, name) for name in _UNIT_FIELDS} for unit in look.units],
        "concepts": [
            {**asdict(concept), "map_number": of_concepts[at]} | {"layer": look.name}
            for at, concept in enumerate(look.concepts)
        ],
    }


def format_units_csv(images: Iterable[ImageLook]) -> str:
    """Return ``units.csv``: one row for every image and labeled unit that fires in it."""
    rows = (
        [image.name, look.name, *(_format(getattr(unit, name)) for name in _UNIT_FIELDS)]
        for image in images
        for look in image.layers.values()
        for unit in look.units
    )
    return _format_csv(["image", "layer", *_UNIT_FIELDS], rows)


def format_numbers_csv(numbers: Mapping[str, LookNumbers]) -> str:
    """Return ``numbers.csv``: what each number in a label map stands for, and its color where the map has a palette."""
    rows: list[list[Any]] = []
    for name, of_layer in numbers.items():
        layer, concepts = of_layer.layer, of_layer.layer.vocabulary.concepts
        for column, number in zip(of_layer.columns, of_layer.find_concepts(of_layer.columns).tolist(), strict=True):
            concept = concepts[int(column)]
            rows.append([name, "concepts", number, concept.name, concept.category, concept.number, "", _color(number)])
        for channel, number in zip(of_layer.channels, of_layer.find_units(of_layer.channels).tolist(), strict=True):
            concept = concepts[int(layer.labels[channel])]
            unit = int(channel) + 1
            rows.append([name, "units", number, concept.name, concept.category, concept.number, unit, _color(number)])
    return _format_csv(["layer", "map", "number", "label", "category", "label_number", "unit", "color"], rows)


def _color(number: int) -> str:
    return format_hex(pick_color(number)) if number < _PALETTE else ""


def _format(value: object) -> object:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else value


def _format_csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue().encode(errors=ESCAPE_UNENCODABLE).decode()
