"""Mean pictures: what is subtracted from every input, as a ``.npy`` or Caffe's ``.binaryproto``."""

from __future__ import annotations

import tokenize
import warnings
from typing import TYPE_CHECKING

import numpy as np

from netdissect.errors import ModelFileError
from netdissect.models.caffe import suspects
from netdissect.models.caffe.caffemodel import read_blob, read_bytes
from netdissect.models.caffe.wire import WireError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def read_mean(path: Path) -> NDArray[np.float32]:
    """Read a mean.

    Returns:
        float32, shape (C,) for one number a channel or (C, H, W) for a picture, channels in the order of the file
        (Caffe's is BGR).

    Raises:
        ModelNotFoundError: if it is not there.
        ModelFileError: if it is neither kind, damaged, or has another shape.
    """
    data = read_bytes(path, "mean file")
    if data.startswith(b"\x93NUMPY"):
        mean = _from_npy(path)
    else:
        suspicion = suspects.not_a_caffemodel(data)
        if suspicion:
            raise ModelFileError(f"{path}: expected a mean picture (.npy or .binaryproto), got {suspicion}")
        try:
            mean = np.array(read_blob(data, name="the mean"), dtype=np.float32)
        except WireError as error:
            raise ModelFileError(
                f"{path}: expected a mean picture (.npy or .binaryproto), got a truncated or damaged file: {error}"
            ) from error
    return _as_channels(mean, path)


def _from_npy(path: Path) -> NDArray[np.float32]:
    try:
        with warnings.catch_warnings():
            # Files that Python 2 wrote are read too, and need no warning.
            warnings.simplefilter("ignore", UserWarning)
            # A map, so that a shape the file only claims is not allocated.
            stored = np.load(path, mmap_mode="r", allow_pickle=False)
        if stored.dtype.kind not in "fiu":
            raise ModelFileError(f"{path}: expected a mean picture of numbers, got an array of {stored.dtype}")
        with np.errstate(over="ignore"):
            return np.array(stored, dtype=np.float32)
    except ModelFileError:
        raise
    except (ValueError, TypeError, SyntaxError, KeyError, OSError, EOFError, OverflowError, MemoryError, RecursionError,
            tokenize.TokenError) as error:  # fmt: skip
        raise ModelFileError(f"{path}: expected a mean picture (.npy), got a truncated or damaged file") from error


def _as_channels(mean: NDArray[np.float32], path: Path) -> NDArray[np.float32]:
    shape = mean.shape
    while mean.ndim > 3 and mean.shape[0] == 1:
        mean = mean[0]
    if mean.ndim == 3 and mean.shape[1:] == (1, 1):
        mean = mean[:, 0, 0]
    if mean.ndim == 2:
        mean = mean[np.newaxis]
    if mean.ndim not in (1, 3) or mean.size == 0:
        raise ModelFileError(
            f"{path}: expected a mean of shape (channels,) or (channels, height, width), got {shape}; "
            f"average it over its pictures first"
        )
    if not np.isfinite(mean).all():
        raise ModelFileError(f"{path}: expected a mean picture, got one with NaN or infinity in it")
    return mean
