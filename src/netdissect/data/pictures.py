"""Photographs: decoded to RGB, by the fast JPEG decoder where it can."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import simplejpeg
from PIL import Image, ImageOps, UnidentifiedImageError

from netdissect.errors import DataFileError, DataNotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def read_bytes(path: Path) -> bytes:
    """Return a picture file's bytes.

    Raises:
        DataNotFoundError: if it is not there.
        DataFileError: if it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DataNotFoundError(f"picture {path}, named in index.csv, does not exist") from error
    except OSError as error:
        raise DataFileError(f"picture {path} cannot be read: {error.strerror}") from error


def load(path: Path, *, upright: bool = False) -> NDArray[np.uint8]:
    """Read any picture file, RGB, shape (H, W, 3).

    Args:
        path: the file.
        upright: turn it as its camera says (EXIF); only where no label map lies over it.

    Raises:
        DataNotFoundError: if it is not there.
        DataFileError: if it does not decode.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise DataNotFoundError(f"picture {path} does not exist") from error
    except OSError as error:
        raise DataFileError(f"picture {path} cannot be read: {error.strerror}") from error
    return decode(data, path, None, upright=upright)


def decode(data: bytes, path: Path, expected: tuple[int, int] | None, *, upright: bool = False) -> NDArray[np.uint8]:
    """Decode a picture to RGB, shape (H, W, 3).

    Args:
        data: the file's bytes.
        path: its name, for messages.
        expected: the height and width it must have, if any; checked before anything is unpacked.
        upright: turn it as its camera says (EXIF).

    Raises:
        DataFileError: if it has another size, or does not decode.
    """
    if simplejpeg.is_jpeg(data) and not (upright and b"Exif" in data[:65536]):
        try:
            height, width, space, _ = simplejpeg.decode_jpeg_header(data)
            _check(path, (height, width), expected)
            if space in ("YCbCr", "Gray", "RGB", "YUV"):
                pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, colorspace="RGB")
                return pixels
        except ValueError as error:
            raise DataFileError(f"picture {path} does not decode: {error}") from error
    try:
        with Image.open(io.BytesIO(data)) as picture:
            _check(path, (picture.height, picture.width), expected)
            return _rgb(ImageOps.exif_transpose(picture) if upright else picture)
    except DataFileError:
        raise
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataFileError(f"picture {path} does not decode: {error}") from error


def resize(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Scale (not crop) a picture to a height and width, bilinear with smoothing, as Broden itself was made."""
    if picture.shape[:2] == size:
        return picture
    return np.asarray(Image.fromarray(picture).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _rgb(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode.startswith("I;16"):
        grey = (np.asarray(picture) >> 8).astype(np.uint8)
        return np.repeat(grey[..., np.newaxis], 3, axis=2)
    return np.asarray(picture.convert("RGB"))


def _check(path: Path, got: tuple[int, int], expected: tuple[int, int] | None) -> None:
    if expected is not None and got != expected:
        raise DataFileError(
            f"picture {path}: expected {expected[1]} x {expected[0]} pixels as index.csv says, got {got[1]} x {got[0]}"
        )
