"""Convert image files so that every browser shows them as the network saw them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from netdissect.io import images

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Longer side of a converted image in pixels, at most.
MAX_SIDE = 640
_QUALITY = 85
#: Formats and modes that every browser shows.
_FORMATS = ("JPEG", "PNG")
_MODES = ("L", "RGB", "P", "1")
#: EXIF's orientation tag.
_ORIENTATION = 274


def convert_for_browser(data: bytes) -> bytes:
    """Return an image file unchanged if every browser shows it as the network saw it, else converted to JPEG.

    An image is converted if it is larger than `MAX_SIDE`, has transparency or an EXIF orientation, or is of another format
    or mode.
    """
    with images.open_image(data, "of the report") as image:
        fits = max(image.size) <= MAX_SIDE
        is_plain = image.format in _FORMATS and image.mode in _MODES and "transparency" not in image.info
        if is_plain and fits and image.getexif().get(_ORIENTATION, 1) == 1:
            return data
        factor = min(1.0, MAX_SIDE / max(image.size))
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        pixels = images.convert_to_rgb(image, "of the report")
    out = io.BytesIO()
    Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS).save(out, format="JPEG", quality=_QUALITY)
    return out.getvalue()


def shrink_image(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image, RGB, uint8, shape (H, W, 3), scaled so that its longer side has at most `MAX_SIDE` pixels."""
    height, width = pixels.shape[:2]
    factor = min(1.0, MAX_SIDE / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)) if factor < 1 else pixels


def encode_for_browser(pixels: NDArray[np.uint8]) -> bytes:
    """Return an image, RGB, uint8, shape (H, W, 3), as the bytes of a JPEG file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="JPEG", quality=_QUALITY)
    return out.getvalue()
