"""Tensors, images and nested lists as numpy arrays, without importing the libraries they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.bounds import describe_type
from netdissect.errors import DataFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def is_array(value: object) -> bool:
    """Return whether a value is a tensor or an array of numbers: it has a shape and a type of its elements."""
    return hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, type)


def is_number(value: object) -> bool:
    """Return whether a value is a single number: a Python one, or a tensor or array without dimensions."""
    return isinstance(value, (int, float)) or (is_array(value) and value.shape == ())  # type: ignore[attr-defined]


def is_pil_image(value: object) -> bool:
    """Return whether a value is an image of Pillow."""
    from PIL import Image

    return isinstance(value, Image.Image)


def to_array(value: Any, where: str, what: str) -> NDArray[Any]:
    """Return a tensor, an array or nested lists of numbers as an array.

    Args:
        value: the tensor, on any device.
        where: which item of the data it is, for errors.
        what: what it is, for errors.

    Raises:
        DataFileError: if it is nothing of the kind, or of a type that numpy lacks.
    """
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        value = value.detach().cpu()
        if "bfloat16" in str(value.dtype):
            raise DataFileError(
                f"{where}: the {what} is a tensor of bfloat16, which cannot hold 256 different values of a pixel: pass float32"
            )
    try:
        found = np.asarray(value)
    except Exception as error:  # tensors of users' own classes may raise anything
        raise DataFileError(
            f"{where}: the {what} cannot be read as an array ({type(error).__name__}: {error})"
        ) from error
    if found.dtype.kind not in "buif":
        raise DataFileError(
            f"{where}: expected the {what} as a tensor, an array or a PIL image, got {describe_type(value)}"
        )
    return found


def require_whole_numbers(array: NDArray[Any], where: str, what: str, advice: str) -> NDArray[Any]:
    """Return an array of integers or bools as it is, and one of floats as integers.

    Args:
        array: the numbers.
        where: which item of the data it is, for errors.
        what: what it is, for errors.
        advice: what to do otherwise, the end of the error sentence.

    Raises:
        DataFileError: if one of its numbers is not whole.
    """
    if array.dtype.kind != "f":
        return array
    whole = np.rint(array)
    if array.size and not (np.isfinite(array).all() and (whole == array).all()):
        broken = array[~np.isfinite(array) | (whole != array)]
        raise DataFileError(f"{where}: expected whole numbers as {what}, got {float(broken.flat[0]):g}: {advice}")
    if array.size and np.abs(array).max() >= 2**31:
        raise DataFileError(f"{where}: {what} hold {float(np.abs(array).max()):g}, which is no label number: {advice}")
    found: NDArray[Any] = whole.astype(np.int64)
    return found
