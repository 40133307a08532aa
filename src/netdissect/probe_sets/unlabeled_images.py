"""Images without label maps, as a probe set without concepts: what a network needs to run on them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from netdissect.concepts import Labels, Vocabulary
from netdissect.io import images
from netdissect.probe_sets.source import check_image_and_labels, hash_parts, stat_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class UnlabeledImages:
    """Images of any sizes, from files or arrays; a ConceptSource without concepts.

    Attributes:
        name: what they are called, such as the name of their folder.
        images: the files, or arrays RGB, uint8, shape (H, W, 3).
        names: the name of every image.
        path: their folder; empty if they are not in one.
    """

    name: str
    images: Sequence[Path | NDArray[np.uint8]]
    names: Sequence[str]
    path: str = ""

    def __post_init__(self) -> None:
        for image in self.images:
            if not isinstance(image, Path):
                check_image_and_labels(image, {})

    def __len__(self) -> int:
        return len(self.images)

    @property
    def vocabulary(self) -> Vocabulary:
        """No concepts."""
        return Vocabulary((), ())

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the names, and of the size and modification time of every file, or the pixels of every array."""
        files = stat_files(image for image in self.images if isinstance(image, Path))
        arrays = [(image.shape, hash_parts(image.tobytes())) for image in self.images if not isinstance(image, Path)]
        return hash_parts(list(self.names), files, arrays)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the first image in pixels, as it is stored."""
        return self.label_size(0)

    def row(self, index: int) -> int:
        """Return an image's position."""
        return index

    def image_name(self, index: int) -> str:
        """Return an image's name."""
        return self.names[index]

    def label_size(self, index: int) -> tuple[int, int]:
        """Return height and width of an image in pixels, as it is stored; it has no label map."""
        image = self.images[index]
        return images.read_image_size(image) if isinstance(image, Path) else (image.shape[0], image.shape[1])

    def read_image(self, index: int, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """Return an image upright, RGB, uint8, shape (H, W, 3), scaled (not cropped) to `size` (height, width) if given.

        Raises:
            DataNotFoundError: if its file does not exist.
            DataFileError: if it cannot be decoded.
        """
        image = self.images[index]
        pixels = images.load_image(image, upright=True) if isinstance(image, Path) else image
        return pixels if size is None else images.resize_image(pixels, size)

    def read_image_file(self, index: int) -> bytes:
        """Return an image as the bytes of its file; an array as PNG."""
        image = self.images[index]
        if isinstance(image, Path):
            return images.read_image_bytes(image)
        file = io.BytesIO()
        Image.fromarray(image).save(file, format="PNG")
        return file.getvalue()

    def read_labels(self, index: int) -> Labels:
        """Return no labels."""
        return Labels(np.zeros((0, *self.label_size(index)), np.uint16), np.zeros(0, np.int64))
