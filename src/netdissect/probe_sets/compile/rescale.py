"""Scale images and label maps to the size of a probe set, as Broden was made (docs/broden.md, Building Broden)."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from PIL import Image

from netdissect.io import images

if TYPE_CHECKING:
    from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.integer[Any])

#: JPEG quality of the images of a probe set.
JPEG_QUALITY = 75


def find_nearest_positions(length: int, wanted: int) -> NDArray[np.int64]:
    """Return the input position of each output position: ``floor(i·(in - 1)/(out - 1) + 0.5)``, int64, shape (wanted,).

    Corners are aligned: the first and last output position read the first and last input position.

    Args:
        length: number of input positions.
        wanted: number of output positions.

    >>> find_nearest_positions(4, 7).tolist()
    [0, 1, 1, 2, 2, 3, 3]
    """
    if wanted == 1 or length == 1:
        return np.zeros(wanted, np.int64)
    # In whole numbers, (2·i·(in - 1) + (out - 1)) // (2·(out - 1)), so that halves round exactly.
    twice = 2 * np.arange(wanted, dtype=np.int64) * (length - 1) + (wanted - 1)
    return twice // (2 * (wanted - 1))


def scale_label_planes(labels: NDArray[Number], size: tuple[int, int]) -> NDArray[Number]:
    """Scale label planes, shape (…, h, w), to a height and width by nearest neighbor."""
    if labels.shape[-2:] == size:
        return labels
    rows, columns = find_nearest_positions(labels.shape[-2], size[0]), find_nearest_positions(labels.shape[-1], size[1])
    return labels[..., rows[:, np.newaxis], columns]


def sample_pixels(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the pixels of an image, shape (h, w, 3), at the positions where `scale_label_planes` reads labels."""
    rows, columns = find_nearest_positions(image.shape[0], size[0]), find_nearest_positions(image.shape[1], size[1])
    return image[rows[:, np.newaxis], columns]


def encode_scaled_jpeg(image: NDArray[np.uint8], size: tuple[int, int]) -> bytes:
    """Scale (not crop) an image to a height and width; return the bytes of a JPEG file."""
    out = io.BytesIO()
    Image.fromarray(images.resize_image(image, size)).save(out, format="JPEG", quality=JPEG_QUALITY)
    return out.getvalue()
