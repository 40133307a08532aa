"""Read the labeled images that ``index.csv`` lists, checked against the vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdissect.errors import LabelError
from netdissect.io import images
from netdissect.probe_sets.broden.index_rows import parse_index

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netdissect.concepts import Vocabulary
    from netdissect.probe_sets.broden.index_rows import IndexRow
    from netdissect.probe_sets.broden.tables import BrodenTable, TableLine

#: Most pixels of all label maps of one image together; they are in memory at once.
MAX_LABEL_PIXELS = 2**27


@dataclass(frozen=True, slots=True)
class ProbeImage:
    """A labeled image of a probe set.

    Attributes:
        number: its row in ``index.csv``, counted from 0.
        image: image file, relative to ``images/``.
        split: such as ``train`` or ``val``.
        image_size: height and width of the image in pixels.
        label_size: height and width of its label maps in pixels.
        planes: label maps of all categories, relative to ``images/``.
        whole: label numbers that hold for the whole image, each once, without 0.
    """

    number: int
    image: str
    split: str
    image_size: tuple[int, int]
    label_size: tuple[int, int]
    planes: tuple[str, ...]
    whole: tuple[int, ...]


def parse_probe_images(table: BrodenTable, vocabulary: Vocabulary) -> list[ProbeImage]:
    """Return the images of ``index.csv`` that carry a label.

    Raises:
        DataFileError: if an image is listed twice, or images or label maps are too large to read.
        LabelError: if a label number is not in ``label.csv``.
    """
    found = []
    first_lines: dict[str, int] = {}
    for number, line, row in parse_index(table, vocabulary.categories):
        first = first_lines.setdefault(row.image, line.number)
        if first != line.number:
            raise line.error(f"{row.image} is already listed in line {first}")
        items = [item for field in row.fields.values() for item in field]
        planes = tuple(item for item in items if isinstance(item, str))
        _require_readable(line, row, len(planes))
        whole = _require_listed(line, vocabulary, (item for item in items if isinstance(item, int)))
        found.append(ProbeImage(number, row.image, row.split, row.image_size, row.label_size, planes, whole))
    return found


def _require_listed(line: TableLine, vocabulary: Vocabulary, numbers: Iterable[int]) -> tuple[int, ...]:
    """Return label numbers, each once and without 0, after checking that the vocabulary has them."""
    distinct = tuple(dict.fromkeys(numbers))
    for number in distinct:
        if number >= vocabulary.codes.size or vocabulary.codes[number] < 0:
            raise LabelError(f"{line.path}, line {line.number}: label {number} is not listed in label.csv")
    return tuple(number for number in distinct if number)


def _require_readable(line: TableLine, row: IndexRow, planes: int) -> None:
    """Refuse an image or label maps beyond the sizes that are read."""
    (ih, iw), (sh, sw) = row.image_size, row.label_size
    if max(ih * iw, sh * sw) > images.MAX_IMAGE_PIXELS:
        raise line.error(
            f"expected images of at most {images.MAX_IMAGE_PIXELS:,} pixels, got {max(ih * iw, sh * sw):,}"
        )
    if planes * sh * sw > MAX_LABEL_PIXELS:
        raise line.error(
            f"{planes} label maps of {sw} x {sh} pixels are {planes * sh * sw:,} in one image, and at most "
            f"{MAX_LABEL_PIXELS:,} are read"
        )
