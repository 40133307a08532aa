"""Arrays in numpy's own file format (.npy), read in one way: of numbers, and as many as their header says, or none."""

from __future__ import annotations

import io
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: More dimensions than this no version of numpy makes.
_MAX_DIMENSIONS = 32


def parse_npy(data: bytes) -> NDArray[Any]:
    """Return the array of a .npy file; nothing is allocated beyond the file's own bytes, and nothing is unpickled.

    Raises:
        ValueError: if it is none, is no array of numbers, or has not as many bytes as its header says.

    Example:
        >>> import numpy as np
        >>> file = io.BytesIO()
        >>> np.save(file, np.arange(3))
        >>> parse_npy(file.getvalue()).tolist()
        [0, 1, 2]
    """
    file = io.BytesIO(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # files that Python 2 wrote are read too
            version = np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, by_columns, dtype = header(file)
    except Exception as error:  # numpy evaluates the header, which may fail in any way
        raise ValueError("it is no .npy file, or its header is damaged") from error
    if dtype.kind not in "fiub":
        raise ValueError(f"it is an array of {dtype}, and not of numbers")
    left = len(data) - file.tell()
    if len(shape) > _MAX_DIMENSIONS or any(size < 0 for size in shape):
        raise ValueError("its header says a shape that no array has")
    if math.prod(shape) * dtype.itemsize != left:
        sides = " x ".join(map(str, shape[:4]))
        raise ValueError(f"its header says {sides[:80]} numbers of {dtype.itemsize} bytes, and {left:,} bytes follow")
    found = np.frombuffer(data, dtype, offset=file.tell()).reshape(shape, order="F" if by_columns else "C")
    return found.copy(order="K")  # one that can be written to
