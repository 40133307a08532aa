"""Images and label maps that are read from data once, and kept until all are there: in memory, then in a temporary file."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from PIL import Image

from netdissect.concepts import Labels
from netdissect.errors import DataError, DataFileError
from netdissect.io import images
from netdissect.io.array_cache import ArrayCache
from netdissect.probe_sets.broden.index_rows import IndexRow
from netdissect.probe_sets.compile import rescale
from netdissect.probe_sets.compile.statistics import Counts, count_labels
from netdissect.probe_sets.source import to_planes
from netdissect.segments import Segments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from netdissect.probe_sets.source import CategoryLabels

#: Bytes that are kept in memory.
_MEMORY = 2**28


@dataclass(frozen=True)
class KeptImage:
    """What is known of an image that was kept.

    Attributes:
        image_size: height and width in pixels, as it was given.
        label_size: height and width of its label maps.
        planes: number of label maps by category.
        whole: label numbers of the whole image by category.
        split: such as ``train``.
        group: what images that belong together share.
        digest: hash of its pixels and labels.
    """

    image_size: tuple[int, int]
    label_size: tuple[int, int]
    planes: Mapping[str, int]
    whole: Mapping[str, tuple[int, ...]]
    split: str
    group: str
    digest: str

    def make_row(self, number: int, image_size: tuple[int, int], label_size: tuple[int, int]) -> IndexRow:
        """Return the image's line of ``index.csv``.

        Args:
            number: its position in the data.
            image_size: height and width it is written with.
            label_size: height and width its label maps are written with.
        """
        name = f"{number:07d}"
        fields: dict[str, list[str | int]] = {}
        for category, count in self.planes.items():
            ends = [f"_{level}" for level in range(1, count + 1)] if count > 1 else [""]
            fields[category] = [f"{name}_{category}{end}.png" for end in ends]
        for category, numbers in self.whole.items():
            fields.setdefault(category, []).extend(numbers)
        return IndexRow(f"{name}.png", self.split, image_size, label_size, fields, self.group)


@dataclass
class KeptImages:
    """Images and labels that were read; use it as a context manager.

    Attributes:
        known: what is known of every image that carries labels, in their order.
        numbers: the position of each in the data.
        counts: how often every label is used, at full resolution.
    """

    known: list[KeptImage] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    counts: Counts = field(default_factory=dict)
    _cache: ArrayCache = field(default_factory=lambda: ArrayCache(_MEMORY))

    def add(
        self,
        number: int,
        pixels: NDArray[np.uint8],
        labels: Mapping[str, CategoryLabels],
        split: str,
        group: str,
        where: str,
    ) -> None:
        """Keep an image and its labels.

        Args:
            number: its position in the data.
            pixels: the image, RGB, shape (H, W, 3).
            labels: its labels by category, as label numbers; at least one.
            split: its split.
            group: what images that belong together share.
            where: which item of the data it is, for errors.

        Raises:
            DataFileError: if a label map has another aspect ratio than the image.
            DataError: if there is no room for it.
        """
        maps = {category: to_planes(own) for category, own in labels.items() if not isinstance(own, tuple)}
        whole = {category: own for category, own in labels.items() if isinstance(own, tuple)}
        _require_same_frame(pixels, maps, where)
        count_labels(dict(labels), self.counts)
        size = max((its.shape[-2:] for its in maps.values()), key=lambda shape: shape[0] * shape[1], default=None)
        size = size or (max(1, pixels.shape[0] // 2), max(1, pixels.shape[1] // 2))
        stacked = [rescale.scale_label_planes(its, size) for its in maps.values()]
        planes = np.concatenate(stacked).astype(np.uint16) if stacked else np.zeros((0, *size), np.uint16)
        segments = Segments.from_labels(Labels(planes, np.zeros(0, np.int64)))
        at = len(self.known)
        self._keep(("image", at), np.frombuffer(_encode_png(pixels), np.uint8))
        self._keep(("map", at), segments.map)
        self._keep(("table", at), segments.table)
        counts = {category: len(its) for category, its in maps.items()}
        digest = _hash_image(pixels, planes, counts, whole)
        self.known.append(KeptImage(pixels.shape[:2], size, counts, whole, split, group, digest))
        self.numbers.append(number)

    def read(
        self, at: int, image_size: tuple[int, int], label_size: tuple[int, int]
    ) -> tuple[bytes, Segments, NDArray[np.uint16]]:
        """Return a kept image as the bytes of a PNG, the segments of its label numbers, and its label planes.

        Args:
            at: its position among the kept images.
            image_size: height and width to which it is scaled.
            label_size: height and width to which its label maps are scaled, by nearest neighbor.

        Raises:
            DataError: if the temporary file cannot be read.
        """
        data, segments = (
            self._find(("image", at)).tobytes(),
            Segments(self._find(("map", at)), self._find(("table", at))),
        )
        known = self.known[at]
        if image_size != known.image_size:
            data = _encode_png(images.resize_image(images.decode_image(data, f"image {at}"), image_size))
        planes = rescale.scale_label_planes(segments.to_labels().planes, label_size)
        if label_size != known.label_size:
            segments = Segments.from_labels(Labels(np.ascontiguousarray(planes), segments.whole))
        return data, segments, planes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._cache.close()

    def _keep(self, key: tuple[str, int], array: NDArray[Any]) -> None:
        before = self._cache.memory_bytes + self._cache.file_bytes
        self._cache.put(key, array)
        if array.nbytes and self._cache.memory_bytes + self._cache.file_bytes == before:
            raise DataError(
                f"the disk of the temporary folder has no room for the images: {len(self.known):,} are kept there; make room, set TMPDIR "
                f"to another folder, or pass limit="
            )

    def _find(self, key: tuple[str, int]) -> NDArray[Any]:
        found = self._cache.get(key)
        if found is None:
            raise DataError(f"the temporary file of the images was cut off at image {key[1]}: try again")
        return found


def _require_same_frame(pixels: NDArray[np.uint8], maps: Mapping[str, NDArray[np.integer[Any]]], where: str) -> None:
    height, width = pixels.shape[:2]
    for planes in maps.values():
        rows, columns = planes.shape[-2:]
        if not images.is_same_shape((height, width), (rows, columns)):
            raise DataFileError(
                f"{where}: the mask is {columns} x {rows} pixels and the image {width} x {height}, so they do not show the same frame: "
                f"give both the same scaling and cropping"
            )


def _encode_png(pixels: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="PNG", compress_level=1)
    return out.getvalue()


def _hash_image(
    pixels: NDArray[np.uint8],
    planes: NDArray[np.uint16],
    counts: Mapping[str, int],
    whole: Mapping[str, tuple[int, ...]],
) -> str:
    facts = repr((pixels.shape, planes.shape, sorted(counts.items()), sorted(whole.items())))
    hashed = hashlib.blake2b(facts.encode(), digest_size=12)
    hashed.update(np.ascontiguousarray(pixels).data)
    hashed.update(np.ascontiguousarray(planes, "<u2").data)
    return hashed.hexdigest()
