"""Read label maps from image files, with the numbers unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import DataFileError
from netdissect.io.images import open_image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

#: Formats that change pixel values, so that label numbers are lost.
_LOSSY = ("JPEG", "MPO", "WEBP", "AVIF")
_LABEL_MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L", "LA", "PA", "RGB", "RGBA")


def read_label_numbers(path: Path, what: str = "label map") -> NDArray[np.integer[Any]]:
    """Read the numbers of a label map: shape (h, w) for gray and palette images (the index), (h, w, 3) for RGB.

    Raises:
        DataNotFoundError: if it does not exist.
        DataFileError: if it cannot be decoded, or its format is lossy.
    """
    with open_image(path, path, what=what) as image:
        return extract_label_numbers(image, path, what)


def extract_label_numbers(image: Image.Image, where: object, what: str = "label map") -> NDArray[np.integer[Any]]:
    """Return the numbers of an open label map, as `read_label_numbers`.

    Raises:
        DataFileError: if its format is lossy, or its mode holds no class numbers.
    """
    if image.format in _LOSSY:
        raise DataFileError(f"{where}: a {what} cannot be a {image.format} file, which changes the numbers: use PNG")
    if image.mode not in _LABEL_MODES:
        raise DataFileError(f"{where}: expected a gray, palette or RGB {what}, got mode {image.mode}")
    pixels = np.asarray(image)
    if image.mode in ("LA", "PA"):
        return pixels[..., 0]
    if pixels.ndim == 3:
        return pixels[..., :3]
    return pixels.astype(np.uint8) if pixels.dtype == bool else pixels
