"""Segments hold what label planes hold, and count the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from netdissect.concepts import Labels
from netdissect.segments import MAX_SEGMENTS, Segments

PLANES = st.tuples(st.integers(0, 4), st.integers(1, 7), st.integers(1, 7)).flatmap(
    lambda shape: arrays.arrays(np.uint16, shape, elements=st.sampled_from([0, 1, 2, 3, 256, 65535]))
)
WHOLE = np.array([7, 9])


@given(PLANES)
def test_segments_are_the_distinct_tuples_of_codes_in_the_order_of_their_first_pixels(planes):
    segments = Segments.from_labels(Labels(planes, WHOLE))
    numbers: dict[tuple[int, ...], int] = {}
    for y in range(planes.shape[1]):
        for x in range(planes.shape[2]):
            pixel = tuple(planes[:, y, x].tolist())
            assert segments.map[y, x] == numbers.setdefault(pixel, len(numbers))
    assert segments.table.shape == (len(numbers), len(planes))
    assert [tuple(row) for row in segments.table.tolist()] == list(numbers)
    for number, pixel in enumerate(numbers):
        own = segments.codes[segments.start[number] : segments.start[number + 1]]
        assert own.tolist() == [code for code in pixel if code]


@given(PLANES)
def test_counts_of_segments_equal_those_of_planes_and_a_code_in_two_planes_counts_twice(planes):
    segments = Segments.from_labels(Labels(planes, WHOLE))
    expected = np.bincount(planes.ravel(), minlength=MAX_SEGMENTS)
    pixels = np.bincount(segments.map.ravel(), minlength=len(segments.table))
    counts = np.zeros(MAX_SEGMENTS, np.int64)
    for number, size in enumerate(pixels):
        for code in segments.codes[segments.start[number] : segments.start[number + 1]]:
            counts[code] += size
    assert (counts[1:] == expected[1:]).all()
    assert counts[0] == 0


@given(PLANES)
def test_planes_come_back_from_segments_as_they_were(planes):
    segments = Segments.from_labels(Labels(planes, WHOLE))
    back = segments.to_labels()
    assert back.planes.dtype == np.uint16
    assert np.array_equal(back.planes, planes)
    assert back.whole is WHOLE


def test_segments_beyond_65_536_are_numbered_with_32_bits():
    most = np.arange(MAX_SEGMENTS, dtype=np.uint16).reshape(1, 256, 256)
    full = Segments.from_labels(Labels(most, WHOLE))
    assert np.array_equal(full.map, most[0])
    assert np.array_equal(full.to_labels().planes, most)
    beyond = np.zeros((2, 257, 256), np.uint16)
    beyond[0, :256] = most
    beyond[1, 256] = 1
    more = Segments.from_labels(Labels(beyond, WHOLE))
    assert (full.map.dtype, more.map.dtype, len(more.table)) == (np.uint16, np.uint32, MAX_SEGMENTS + 1)
    assert np.array_equal(more.to_labels().planes, beyond)
    noise = np.random.default_rng(0).integers(0, 60_000, size=(2, 300, 300)).astype(np.uint16)
    assert np.array_equal(Segments.from_labels(Labels(noise, WHOLE)).to_labels().planes, noise)


def test_planes_that_are_not_contiguous_are_read():
    planes = np.arange(24, dtype=np.uint16).reshape(4, 3, 2).transpose(2, 0, 1)
    segments = Segments.from_labels(Labels(planes, WHOLE))
    assert np.array_equal(segments.to_labels().planes, planes)
