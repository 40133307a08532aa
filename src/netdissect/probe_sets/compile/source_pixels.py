"""Label maps of the sources, as the numbers that are in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import DataFileError
from netdissect.io import images

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

_COLORS = 256**3


def read_rgb_label_map(path: Path) -> NDArray[np.uint8]:
    """Read an RGB label map, (h, w, 3).

    Raises:
        DataFileError: if it is not RGB, or as `read_label_numbers`.
    """
    pixels = images.read_label_numbers(path)
    if pixels.ndim != 3:
        raise DataFileError(f"{path}: expected an RGB label map, got a grey or palette picture")
    return pixels.astype(np.uint8, copy=False)


def relabel(pixels: NDArray[np.integer[Any]], label: Callable[[int], int]) -> NDArray[np.uint16]:
    """Return a plane of labels, given the label of a number; every number that occurs is asked for once.

    Args:
        pixels: numbers, or colors as one number each, shape (h, w).
        label: the label of a number.
    """
    if pixels.size and 0 <= pixels.min() <= pixels.max() < _COLORS:  # a table of them all is much quicker than sorting
        seen = np.zeros(int(pixels.max()) + 1, bool)
        seen[pixels] = True
        values = np.flatnonzero(seen)
        table = np.zeros(seen.size, np.uint16)
        table[values] = [label(value) for value in values.tolist()]
        labels: NDArray[np.uint16] = table[pixels]
        return labels
    values, inverse = np.unique(pixels, return_inverse=True)
    return np.array([label(value) for value in values.tolist()], np.uint16)[inverse].reshape(pixels.shape)
