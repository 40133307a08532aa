"""Scaling pictures and label planes to one size, as Broden was made (BRODEN, § 2)."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from PIL import Image

from netdissect.io import images

if TYPE_CHECKING:
    from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.integer[Any])

#: JPEG quality of the pictures written.
QUALITY = 75


def nearest(length: int, wanted: int) -> NDArray[np.int64]:
    """Return, for each of `wanted` positions, the position it is read from: floor(i·(in - 1)/(out - 1) + 0.5).

    The first and last position are read from the first and last (corner-aligned).

    >>> nearest(4, 7).tolist()
    [0, 1, 1, 2, 2, 3, 3]
    """
    if wanted == 1 or length == 1:
        return np.zeros(wanted, np.int64)
    # Whole numbers: 2·i·(in - 1) + (out - 1) over 2·(out - 1), so that a half is a half.
    twice = 2 * np.arange(wanted, dtype=np.int64) * (length - 1) + (wanted - 1)
    return twice // (2 * (wanted - 1))


def planes(labels: NDArray[Number], size: tuple[int, int]) -> NDArray[Number]:
    """Scale label planes, shape (…, h, w), to a height and width by nearest neighbour."""
    if labels.shape[-2:] == size:
        return labels
    rows, columns = nearest(labels.shape[-2], size[0]), nearest(labels.shape[-1], size[1])
    return labels[..., rows[:, np.newaxis], columns]


def pixels(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the pixels of a picture, shape (h, w, 3), from which `planes` would read labels of that height and width."""
    rows, columns = nearest(picture.shape[0], size[0]), nearest(picture.shape[1], size[1])
    return picture[rows[:, np.newaxis], columns]


def jpeg(picture: NDArray[np.uint8], size: tuple[int, int]) -> bytes:
    """Scale (not crop) a picture to a height and width and return it as a JPEG file."""
    out = io.BytesIO()
    Image.fromarray(images.resize(picture, size)).save(out, format="JPEG", quality=QUALITY)
    return out.getvalue()
