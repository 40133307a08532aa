"""Labels side by side say which concepts a segment and a whole image have, and which categories an image has."""

from __future__ import annotations

import numpy as np
import pytest
from tests import fakes

from netdissect.concepts import Labels
from netdissect.engine.packed_labels import LabelShelf, LabelTotals, pack_label_maps
from netdissect.engine.row_threads import RowThreads
from netdissect.segments import Segments


@pytest.mark.parametrize(
    ("codes", "whole", "has"),
    [
        ([0, 0], [], [False, False, False]),
        ([1, 0], [], [True, False, False]),  # one pixel is enough
        ([0, 0], [3], [False, False, True]),
        ([0, 4], [], [True, False, False]),  # the fourth concept is of the first category again
        ([1, 2], [3, 4], [True, True, True]),
    ],
)
def test_an_image_has_a_category_from_one_labeled_pixel_on(codes, whole, has):
    labels = Segments.from_labels(Labels(np.array([[codes]], np.uint16), np.array(whole, np.int64)))
    maps = pack_label_maps([labels, labels], fakes.make_vocabulary(4, categories=3))
    assert maps.has_category.tolist() == [has, has]


def test_columns_of_every_segment_and_image_are_found_by_their_places():
    first = Segments.from_labels(Labels(np.array([[[1, 1, 2]], [[0, 3, 1]]], np.uint16), np.array([5])))
    second = Segments.from_labels(Labels(np.array([[[0, 4, 4]]], np.uint16), np.array([2, 3])))
    maps = pack_label_maps([first, second], fakes.make_vocabulary(5))
    assert maps.maps.tolist() == [[0, 1, 2], [0, 1, 1]]
    found = [
        [
            maps.columns[maps.first_column[segment] : maps.first_column[segment + 1]].tolist()
            for segment in range(maps.first_segment[image], maps.first_segment[image + 1])
        ]
        for image in range(2)
    ]
    assert found == [[[0], [0, 2], [1, 0]], [[], [3]]]
    assert [maps.whole[maps.first_whole[n] : maps.first_whole[n + 1]].tolist() for n in range(2)] == [[4], [1, 2]]


@pytest.mark.parametrize(("segments", "kind"), [(256, np.uint8), (257, np.uint16), (2**16 + 1, np.uint32)])
def test_segments_take_as_few_bytes_as_their_number_needs(segments, kind):
    planes = np.stack(np.divmod(np.arange(segments), 1000)).astype(np.uint16)[:, None]
    labels = Segments.from_labels(Labels(planes, np.zeros(0, np.int64)))
    maps = pack_label_maps([labels], fakes.make_vocabulary(999))
    assert maps.maps.dtype == kind
    assert (maps.maps[0] == np.arange(segments)).all()


def test_labels_on_the_shelf_are_not_read_again_until_they_are_not_kept():
    read = []

    class Counted(fakes.ArrayConcepts):
        def read_labels(self, index):
            read.append(index)
            return super().read_labels(index)

    entries = [Labels(np.full((1, 2, 2), n + 1, np.uint16), np.zeros(0, np.int64)) for n in range(4)]
    concepts, shelf = Counted(fakes.make_vocabulary(4), entries, (2, 2)), LabelShelf()
    with RowThreads(1) as threads:
        shelf.read(concepts, [0, 1], threads, keep=True)
        found = shelf.read(concepts, [1, 2], threads, keep=True)
        assert [int(entry.table[0, 0]) for entry in found] == [2, 3]
        assert read == [0, 1, 2]
        shelf.read(concepts, [2, 3], threads, keep=False)
        assert read == [0, 1, 2, 3]
        shelf.read(concepts, [0, 3], threads, keep=False)
    assert read == [0, 1, 2, 3, 0]


def test_labeled_pixels_are_summed_over_planes_and_whole_image_labels_in_the_rows_of_an_image():
    planes = np.array([[[1, 2, 0], [2, 2, 0]], [[3, 0, 0], [0, 0, 2]]], np.uint16)
    first = Segments.from_labels(Labels(planes, np.array([1, 4])))
    second = Segments.from_labels(Labels(np.array([[[3, 3, 0], [0, 0, 0]]], np.uint16), np.zeros(0, np.int64)))
    vocabulary = fakes.make_vocabulary(5)  # object: 1 and 4, part: 2 and 5, color: 3
    totals = LabelTotals.empty(3, vocabulary)
    places = np.array([1, 0, -1], np.int32)
    totals.update(pack_label_maps([first, second], vocabulary), places, np.array([[0, 1, 1], [-1, 2, 2]], np.int32))
    own = [1 + 6, 4, 1, 6, 0]
    assert totals.pixels.tolist() == [[0, 0, 2, 0, 0], own, own]
    assert totals.in_category.tolist() == [6, 6, 12]
    assert totals.partial.tolist() == [True, True, True, False, False]


def test_labels_that_are_kept_are_packed_again_only_if_others_are_read():
    entries = [Labels(np.full((1, 2, 2 + n % 2), n + 1, np.uint16), np.zeros(0, np.int64)) for n in range(4)]
    concepts, shelf = fakes.ArrayConcepts(fakes.make_vocabulary(4), entries, (2, 2)), LabelShelf()
    with RowThreads(1) as threads:
        first = shelf.pack(concepts, [0, 1], threads, keep=True)
        assert shelf.pack(concepts, [1], threads, keep=True) is first
        assert [(part.size, part.places.tolist()) for part in first] == [
            ((2, 2), [0, -1, -1, -1, -1]),
            ((2, 3), [-1, 0, -1, -1, -1]),
        ]
        more = shelf.pack(concepts, [2], threads, keep=True)
        assert [part.places.tolist() for part in more] == [[0, -1, 1, -1, -1], [-1, 0, -1, -1, -1]]
        (alone,) = shelf.pack(concepts, [3], threads, keep=False)
        assert (alone.size, alone.places.tolist()) == ((2, 3), [-1, -1, -1, 0, -1])
