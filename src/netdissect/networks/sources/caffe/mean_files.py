"""Reads mean images, which are subtracted from every input, from ``.npy`` and ``.binaryproto`` files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netdissect.errors import ModelFileError
from netdissect.io.arrays import parse_npy
from netdissect.networks.sources.caffe import sniff
from netdissect.networks.sources.caffe.caffemodel import read_blob, read_caffe_file
from netdissect.networks.sources.caffe.wire_format import WireError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: Largest file in bytes; a mean image of 4000 x 4000 pixels in double precision has 0.4 GB.
_LARGEST = 1 << 29
_NPY = b"\x93NUMPY"


def read_mean(path: Path) -> NDArray[np.float32]:
    """Read a mean or mean image.

    Returns:
        float32, shape (C,) or (C, H, W), with the channels in the order of the file (Caffe's is BGR).

    Raises:
        ModelNotFoundError: if there is no such file.
        ModelFileError: if it is neither kind, damaged, or has another shape.
    """
    data = read_caffe_file(path, "mean file", most=_LARGEST)
    if data.startswith(_NPY):
        return _to_channels(_parse_npy_mean(path, data), path)
    suspicion = sniff.sniff_caffemodel(data)
    if suspicion:
        raise ModelFileError(f"{path}: expected a mean image (.npy or .binaryproto), got {suspicion}")
    try:
        return _to_channels(np.array(read_blob(data, name="the mean"), dtype=np.float32), path)
    except WireError as error:
        raise ModelFileError(
            f"{path}: expected a mean image (.npy or .binaryproto), got a truncated or damaged file: {error}"
        ) from error


def _parse_npy_mean(path: Path, data: bytes) -> NDArray[np.float32]:
    """Return the array in a .npy file."""
    try:
        found = parse_npy(data)
    except ValueError as error:
        raise ModelFileError(
            f"{path}: expected a mean image (.npy), got a truncated or damaged file: {error}"
        ) from error
    with np.errstate(over="ignore"):
        return found.astype(np.float32)


def _to_channels(mean: NDArray[np.float32], path: Path) -> NDArray[np.float32]:
    shape = mean.shape
    while mean.ndim > 3 and mean.shape[0] == 1:
        mean = mean[0]
    if mean.ndim == 3 and mean.shape[1:] == (1, 1):
        mean = mean[:, 0, 0]
    if mean.ndim == 2:
        mean = mean[np.newaxis]
    last = mean.ndim == 3 and mean.shape[2] in (1, 3) and mean.shape[0] not in (1, 3)
    if mean.ndim not in (1, 3) or mean.size == 0 or mean.shape[0] not in (1, 3) or last:
        advice = (
            "its channels come last: transpose it to (channels, height, width)"
            if last
            else "average it over its images"
        )
        raise ModelFileError(
            f"{path}: expected a mean of shape (channels,) or (channels, height, width) with 1 or 3 channels, got "
            f"{shape}; {advice}"
        )
    if not np.isfinite(mean).all():
        raise ModelFileError(f"{path}: expected a mean image, got one with NaN or infinity in it")
    return mean
