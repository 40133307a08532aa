"""COCO's run lengths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from netdissect.probe_sets.importers.rle import decode_run_lengths, unpack_run_lengths

MASKS = arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def runs(mask):
    """Return the lengths of runs of 0 and 1, column by column."""
    flat = mask.T.ravel()
    lengths, value = [0], False
    for pixel in flat:
        if pixel != value:
            lengths.append(0)
            value = pixel
        lengths[-1] += 1
    return lengths


def packed(lengths):
    """Return lengths as a string: five bits in every letter, and whether more follow."""
    out = ""
    for position, length in enumerate(lengths):
        value = length - (lengths[position - 2] if position > 2 else 0)
        while True:
            bits, value = value & 31, value >> 5
            more = value != -1 if bits & 16 else value != 0
            out += chr(48 + bits + 32 * more)
            if not more:
                break
    return out


@given(MASKS)
def test_both_spellings_give_the_mask_back(mask):
    lengths = runs(mask)
    size = list(mask.shape)
    assert (decode_run_lengths({"size": size, "counts": lengths}, mask.shape) == mask).all()
    assert (decode_run_lengths({"size": size, "counts": packed(lengths)}, mask.shape) == mask).all()


def test_a_known_string_of_the_format():
    # pycocotools gives this string for a 4 x 5 mask whose column 2 is set in rows 1 and 2.
    mask = np.zeros((4, 5), bool)
    mask[1:3, 2] = True
    assert unpack_run_lengths("929") == [9, 2, 9]
    assert (decode_run_lengths({"size": [4, 5], "counts": "929"}, (4, 5)) == mask).all()


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ([3], "runs of 3 pixels in a mask of 3 x 2"),
        ([1, -1, 9], "expected whole numbers as run lengths, got -1"),
        ([1, 2.0, 3], "got 2.0"),
        ([True, 2, 3], "got True"),
        ([10**400], "a number of many digits"),
        ("929", "runs of 20 pixels"),
        ("o", "ends inside a number"),
        ("9 9", "the letter ' ' is not allowed"),
        (None, "a list or string of run lengths as 'counts', got None"),
    ],
)
def test_runs_that_do_not_fill_the_mask_are_refused(counts, told):
    with pytest.raises(ValueError, match=told):
        decode_run_lengths({"size": [2, 3], "counts": counts}, (2, 3))


def test_a_size_that_is_not_the_images_is_refused_before_anything_is_allocated():
    with pytest.raises(ValueError, match=r"have the size \[1000000, 1000000\], and the image \[2, 3\]"):
        decode_run_lengths({"size": [10**6, 10**6], "counts": [10**12]}, (2, 3))


def test_one_number_of_a_million_letters_is_refused_at_once():
    with pytest.raises(ValueError, match="a run length has more than 40 bits"):
        unpack_run_lengths("o" * 10**6)
