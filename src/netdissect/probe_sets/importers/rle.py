"""Decode COCO's run-length encoding: lengths of runs of 0 and 1, column by column, as a list or packed into a string."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.probe_sets.importers.painting import abbreviate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

#: Bits of the largest length that is accepted.
_MAX_BITS = 40


def decode_run_lengths(rle: Mapping[str, Any], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask of run lengths, shape (h, w).

    Args:
        rle: ``size`` (h, w) and ``counts``, a list or string of lengths.
        size: the height and width that the mask must have.

    Raises:
        ValueError: if it has another size, or the runs do not fill the mask.

    Example:
        >>> decode_run_lengths({"size": [2, 3], "counts": [1, 2, 3]}, (2, 3)).astype(int).tolist()
        [[0, 1, 0], [1, 0, 0]]
    """
    check_run_lengths(rle, size)
    height, width = size
    counts = rle["counts"]
    lengths = unpack_run_lengths(counts) if isinstance(counts, (str, bytes)) else list(counts)
    if min(lengths, default=0) < 0 or sum(lengths) != height * width:
        raise ValueError(f"runs of {sum(lengths)} pixels in a mask of {width} x {height}")
    values = np.arange(len(lengths)) % 2 == 1
    return np.repeat(values, lengths).reshape(width, height).T


def check_run_lengths(rle: Mapping[str, Any], size: tuple[int, int]) -> None:
    """Check run lengths without unpacking them; raise ValueError for another size or unknown values."""
    given, counts = rle.get("size"), rle.get("counts")
    if not isinstance(given, (list, tuple)) or list(given) != list(size):
        raise ValueError(f"its run lengths have the size {abbreviate(given)}, and the image [{size[0]}, {size[1]}]")
    if isinstance(counts, list):
        wrong = [length for length in counts if type(length) is not int or not 0 <= length < 2**_MAX_BITS]
        if wrong:
            raise ValueError(f"expected whole numbers as run lengths, got {abbreviate(wrong[0])}")
    elif not isinstance(counts, (str, bytes)):
        raise ValueError(f"expected a list or string of run lengths as 'counts', got {abbreviate(counts)}")  # noqa: TRY004


def unpack_run_lengths(counts: str | bytes) -> list[int]:
    """Return the lengths in a string of run lengths.

    A letter holds five bits of a number and whether more bits follow; from the third length on, the number is the difference
    to the length before the previous one.

    Raises:
        ValueError: for another letter, an incomplete number, or one of more than 40 bits.
    """
    letters = counts.encode("ascii") if isinstance(counts, str) else counts
    lengths: list[int] = []
    value = shift = 0
    for letter in letters:
        bits = letter - 48
        if not 0 <= bits < 64:
            raise ValueError(f"the letter {chr(letter)!a} is not allowed in run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            if shift >= _MAX_BITS:
                raise ValueError(f"a run length has more than {_MAX_BITS} bits")
            continue
        if bits & 16:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("the string of run lengths ends inside a number")
    return lengths
