"""Images as programs hold them, as 8-bit RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import DataFileError
from netdissect.io import images
from netdissect.probe_sets.given.array_values import is_pil_image, to_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.probe_sets.given.normalization import Denormalizer


def read_given_image(value: Any, where: str, floats: Denormalizer) -> NDArray[np.uint8]:
    """Return an image as RGB, uint8, shape (H, W, 3), with exactly the pixels it has.

    Args:
        value: a PIL image; or a tensor or array, gray or RGB, channels first or last, of integers from 0 to 255 or floats.
        where: which item of the data it is, for errors.
        floats: gives back 8-bit images from floats.

    Raises:
        DataFileError: if it is none of these.
    """
    if is_pil_image(value):
        return images.convert_to_rgb(value, where)
    is_tensor = hasattr(value, "detach")
    pixels = _put_channels_last(to_array(value, where, "image"), where, is_tensor=is_tensor)
    if pixels.shape[0] * pixels.shape[1] > images.MAX_IMAGE_PIXELS:
        raise DataFileError(
            f"{where}: expected an image of at most {images.MAX_IMAGE_PIXELS:,} pixels, got {pixels.shape[1]} x "
            f"{pixels.shape[0]}: scale it down first"
        )
    if pixels.dtype.kind == "f":
        return floats.restore(np.broadcast_to(pixels, (*pixels.shape[:2], 3)), where)
    if pixels.dtype == bool or pixels.min() < 0 or pixels.max() > 255:
        got = "bools" if pixels.dtype == bool else f"{pixels.min()} to {pixels.max()}"
        raise DataFileError(f"{where}: expected an image of values from 0 to 255, got {got}: pass 8-bit images")
    return np.ascontiguousarray(np.broadcast_to(pixels.astype(np.uint8), (*pixels.shape[:2], 3)))


def _put_channels_last(pixels: NDArray[Any], where: str, *, is_tensor: bool) -> NDArray[Any]:
    """Return an image with its channels last, shape (H, W, 1 or 3); where both ends could be channels, tensors have them first."""
    if pixels.ndim == 2 and pixels.size:
        return pixels[..., np.newaxis]
    first, last = (pixels.ndim == 3 and pixels.shape[end] in (1, 3) for end in (0, -1))
    if not pixels.size or not (first or last):
        size = " x ".join(map(str, pixels.shape)) or "a single number"
        raise DataFileError(
            f"{where}: expected an image with 1 or 3 channels, shape (3, H, W) or (H, W, 3), got {size}: pass RGB images"
        )
    return np.moveaxis(pixels, 0, -1) if first and (is_tensor or not last) else pixels
