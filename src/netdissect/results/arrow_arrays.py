"""Convert between Python's or numpy's values and Arrow arrays; pyarrow's own conversions import pandas, half a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def make_number_array(values: NDArray[Any]) -> pa.Array:
    """Return numbers, shape (n,), as an Arrow array.

    >>> make_number_array(np.array([3, 4], np.int32)).type, len(make_number_array(np.zeros(0)))
    (DataType(int32), 0)
    """
    flat = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(flat.dtype), len(flat), [None, pa.py_buffer(flat)], null_count=0)


def make_text_array(words: Sequence[str]) -> pa.Array:
    """Return words as an Arrow array.

    >>> make_text_array(["sky", "", "tree"]).equals(pa.array(["sky", "", "tree"]))
    True
    """
    data = [word.encode() for word in words]
    ends = np.cumsum([0, *map(len, data)]).astype(np.int32)
    return pa.Array.from_buffers(
        pa.string(), len(data), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(data))], null_count=0
    )


def make_optional_array(values: Sequence[float | None]) -> pa.Array:
    """Return numbers, of which some may be missing, as an Arrow array.

    >>> make_optional_array([0.5, None]).to_pylist(), make_optional_array([]).type
    ([0.5, None], DataType(double))
    """
    there = np.array([value is not None for value in values], np.bool_)
    numbers = np.array([0.0 if value is None else value for value in values], np.float64)
    bits = pa.py_buffer(np.packbits(there, bitorder="little"))
    return pa.Array.from_buffers(pa.float64(), len(numbers), [bits, pa.py_buffer(numbers)])


def make_list_array(lists: Sequence[Sequence[str]]) -> pa.Array:
    """Return lists of words as an Arrow array.

    >>> make_list_array([("sky", "tree"), ()]).to_pylist()
    [['sky', 'tree'], []]
    """
    ends = np.cumsum([0, *map(len, lists)]).astype(np.int32)
    return pa.ListArray.from_arrays(
        make_number_array(ends), make_text_array([word for words in lists for word in words])
    )


def unpack_numbers(column: pa.ChunkedArray, kind: pa.DataType) -> NDArray[Any]:
    """Return a column of numbers without missing values as a numpy array that cannot be written to.

    Args:
        column: the column.
        kind: the type of its numbers.
    """
    dtype = np.dtype(kind.to_pandas_dtype())
    chunks = [
        np.frombuffer(chunk.buffers()[1], dtype, len(chunk), chunk.offset * dtype.itemsize)
        for chunk in column.chunks
        if len(chunk)
    ]
    found = chunks[0] if len(chunks) == 1 else np.concatenate([np.zeros(0, dtype), *chunks])
    found.setflags(write=False)
    return found
