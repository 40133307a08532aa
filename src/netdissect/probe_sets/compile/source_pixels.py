"""Read the sources' label maps as they are stored, and map their numbers to labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import DataFileError
from netdissect.io import label_images

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

_COLORS = 256**3


def read_rgb_label_map(path: Path) -> NDArray[np.uint8]:
    """Read an RGB label map, uint8, shape (h, w, 3).

    Raises:
        DataFileError: if it is not RGB, cannot be read, or does not decode.
    """
    pixels = label_images.read_label_numbers(path)
    if pixels.ndim != 3:
        raise DataFileError(f"{path}: expected an RGB label map, got a gray or palette image")
    return pixels.astype(np.uint8, copy=False)


def relabel(pixels: NDArray[np.integer[Any]], label: Callable[[int], int]) -> NDArray[np.uint16]:
    """Return the label of every pixel, uint16, shape (h, w).

    Args:
        pixels: numbers, or colors as one number each, shape (h, w).
        label: returns the label of a number; called once for every number that occurs.
    """
    if pixels.size and 0 <= pixels.min() <= pixels.max() < _COLORS:  # a lookup table is much faster than sorting
        seen = np.zeros(int(pixels.max()) + 1, bool)
        seen[pixels] = True
        values = np.flatnonzero(seen)
        table = np.zeros(seen.size, np.uint16)
        table[values] = [label(value) for value in values.tolist()]
        labels: NDArray[np.uint16] = table[pixels]
        return labels
    values, inverse = np.unique(pixels, return_inverse=True)
    return np.array([label(value) for value in values.tolist()], np.uint16)[inverse].reshape(pixels.shape)
