"""COCO's run lengths: masks as the lengths of runs of 0 and 1, column by column, spelled out or packed into letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def decode(rle: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Return a mask, (h, w).

    Args:
        rle: ``size`` (h, w) and ``counts``: a list of lengths, or a string of them.

    Raises:
        ValueError: if the runs do not fill the mask.

    Example:
        >>> decode({"size": [2, 3], "counts": [1, 2, 3]}).astype(int).tolist()
        [[0, 1, 0], [1, 0, 0]]
    """
    height, width = (int(side) for side in rle["size"])
    counts = rle["counts"]
    lengths = unpacked(counts) if isinstance(counts, (str, bytes)) else [int(length) for length in counts]
    if height < 0 or width < 0 or min(lengths, default=0) < 0 or sum(lengths) != height * width:
        raise ValueError(f"runs of {sum(lengths)} pixels in a mask of {width} x {height}")
    values = np.arange(len(lengths)) % 2 == 1
    return np.repeat(values, lengths).reshape(width, height).T


def unpacked(counts: str | bytes) -> list[int]:
    """Return the lengths that a string of run lengths holds.

    Every letter carries five bits and whether more follow; from the third length on, it is the difference to the one
    before the last.

    Raises:
        ValueError: if the string ends inside a number.
    """
    letters = counts.encode("ascii") if isinstance(counts, str) else counts
    lengths: list[int] = []
    value = shift = 0
    for letter in letters:
        bits = letter - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("the string of run lengths ends inside a number")
    return lengths
