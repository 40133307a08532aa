"""Label pictures of the sources, as the numbers that are in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from netdissect.errors import DataFileError, DataNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

_COLORS = 256**3


def read(path: Path) -> NDArray[np.integer[Any]]:
    """Read a label picture: (h, w) for grey and palette pictures (the index), (h, w, 3) for RGB.

    Raises:
        DataNotFoundError: if it is not there.
        DataFileError: if it does not decode, or is of a lossy format, which no label survives.
    """
    try:
        with Image.open(path) as picture:
            if picture.format in ("JPEG", "MPO", "WEBP"):
                raise DataFileError(
                    f"{path}: a label map cannot be a {picture.format} picture, which changes the numbers: use PNG"
                )
            if picture.mode in ("LA", "PA"):
                return np.asarray(picture)[..., 0]
            if picture.mode in ("RGBA", "RGB"):
                return np.asarray(picture)[..., :3]
            if picture.mode not in ("1", "L", "P", "I", "I;16", "I;16B", "I;16L"):
                raise DataFileError(f"{path}: expected a grey, palette or RGB label map, got mode {picture.mode}")
            pixels = np.asarray(picture)
            return pixels.astype(np.uint8) if pixels.dtype == bool else pixels
    except FileNotFoundError as error:
        raise DataNotFoundError(f"label map {path} does not exist") from error
    except DataFileError:
        raise
    except UnidentifiedImageError as error:
        raise DataFileError(f"label map {path} does not decode: it is no picture of a known kind") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataFileError(f"label map {path} does not decode: {error}") from error


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read an RGB label picture, (h, w, 3).

    Raises:
        DataFileError: if it is not RGB, or as `read`.
    """
    pixels = read(path)
    if pixels.ndim != 3:
        raise DataFileError(f"{path}: expected an RGB label map, got a grey or palette picture")
    return pixels.astype(np.uint8, copy=False)


def relabelled(pixels: NDArray[np.integer[Any]], label: Callable[[int], int]) -> NDArray[np.uint16]:
    """Return a plane of labels, given the label of a number; every number that occurs is asked for once.

    Args:
        pixels: numbers, or colours as one number each, shape (h, w).
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


def size_of(path: Path) -> tuple[int, int]:
    """Return height and width of a label picture.

    Raises:
        DataNotFoundError: if it is not there.
        DataFileError: if it is no picture.
    """
    try:
        with Image.open(path) as picture:
            return picture.height, picture.width
    except FileNotFoundError as error:
        raise DataNotFoundError(f"label map {path} does not exist") from error
    except UnidentifiedImageError as error:
        raise DataFileError(f"label map {path} does not decode: it is no picture of a known kind") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataFileError(f"label map {path} does not decode: {error}") from error
