"""Read and write arrays in .npy and .npz files, bounded in size and never unpickled."""

from __future__ import annotations

import io
import math
import warnings
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

#: The most dimensions that any version of numpy allows.
_MAX_DIMENSIONS = 32


def encode_npz(arrays: Mapping[str, NDArray[Any]], *, compressed: bool = False) -> bytes:
    """Return named arrays as the bytes of a .npz file."""
    out = io.BytesIO()
    named: dict[str, Any] = dict(arrays)
    (np.savez_compressed if compressed else np.savez)(out, **named)
    return out.getvalue()


def parse_npz(data: bytes, *, most: int | None = None) -> dict[str, NDArray[Any]]:
    """Return the arrays of a .npz file by name.

    Args:
        data: the file's bytes.
        most: bytes that the arrays may unpack to; None sets no limit, for files whose checksum was verified.

    Raises:
        ValueError: if it is not a .npz file, is damaged, holds pickled objects, or would unpack to more bytes.

    Example:
        >>> import numpy as np
        >>> parse_npz(encode_npz({"a": np.arange(3)}))["a"].tolist()
        [0, 1, 2]
    """
    if not data.startswith(b"PK"):
        raise ValueError("it is not a .npz file")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            size = sum(info.file_size for info in arrays.zip.infolist())
            if most is not None and size > most:
                raise ValueError(f"it would unpack to {size:,} bytes")
            return dict(arrays)
    except (OSError, KeyError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError,
            MemoryError) as error:  # fmt: skip
        raise ValueError(str(error) or type(error).__name__) from error


def parse_npy(data: bytes) -> NDArray[Any]:
    """Return the array of a .npy file; it allocates no more than the file's own bytes.

    Raises:
        ValueError: if it is not a .npy file, holds no numbers, or has more or fewer bytes than its header says.

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
            warnings.simplefilter("ignore", UserWarning)  # numpy warns of files that Python 2 wrote
            version = np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, by_columns, dtype = header(file)
    except Exception as error:  # numpy evaluates the header, which may fail in any way
        raise ValueError("it is not a .npy file, or its header is damaged") from error
    if dtype.kind not in "fiub":
        raise ValueError(f"it is an array of {dtype}, not of numbers")
    left = len(data) - file.tell()
    if len(shape) > _MAX_DIMENSIONS or any(size < 0 for size in shape):
        raise ValueError("its header has an impossible shape")
    if math.prod(shape) * dtype.itemsize != left:
        sides = " x ".join(map(str, shape[:4]))
        raise ValueError(f"its header says {sides[:80]} numbers of {dtype.itemsize} bytes, and {left:,} bytes follow")
    array = np.frombuffer(data, dtype, offset=file.tell()).reshape(shape, order="F" if by_columns else "C")
    return array.copy(order="K")  # writable, unlike the buffer
