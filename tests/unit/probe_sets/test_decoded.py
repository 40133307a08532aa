from __future__ import annotations

import numpy as np
import pytest
from tests import fakes, small_probe_set

from netdissect.concepts import Labels
from netdissect.errors import DataError
from netdissect.probe_sets.broden.reader import Broden
from netdissect.probe_sets.decoded import decode_once
from netdissect.protocols import ConceptSource, LatentSource


class Counting(Broden):
    """A probe set that counts what is decoded."""

    images = labels = 0

    def read_image(self, index, size=None):
        self.images += 1
        return super().read_image(index, size)

    def read_labels(self, index):
        self.labels += 1
        return super().read_labels(index)


@pytest.mark.parametrize("memory", [2**20, 0, 10_000])
def test_images_and_labels_are_decoded_once_and_stay_the_same(tmp_path, memory):
    source = Counting(small_probe_set.write_probe_set(tmp_path / "data", images=7))
    plain = Broden(source.folder)
    with decode_once(source, memory) as decoded:
        assert isinstance(decoded, ConceptSource)
        assert isinstance(decoded, LatentSource)
        for _ in range(3):
            for index in range(len(plain)):
                for size in (None, (16, 20)):
                    assert np.array_equal(decoded.read_image(index, size), plain.read_image(index, size))
                found, wanted = decoded.read_labels(index), plain.read_labels(index)
                assert found.planes.dtype == wanted.planes.dtype
                assert found.planes.shape == wanted.planes.shape
                assert np.array_equal(found.planes, wanted.planes)
                assert np.array_equal(found.whole, wanted.whole)
        assert (source.images, source.labels) == (14, 7)
        assert decoded.cache.memory_bytes <= memory
        assert (decoded.cache.file_bytes > 0) == (memory < 2**20)
    for name in ("name", "path", "fingerprint", "image_size", "vocabulary"):
        assert getattr(decoded, name) == getattr(plain, name)
    for method in ("row", "image_name", "label_size", "read_image_file"):
        assert getattr(decoded, method)(3) == getattr(plain, method)(3)
    assert len(decoded) == 7


def test_the_cache_stops_growing_at_its_budget(tmp_path):
    source = Counting(small_probe_set.write_probe_set(tmp_path / "data", images=8))
    with decode_once(source, 8000) as decoded:
        decoded.cache._free_bytes = 2**60  # no disk has so much room
        for _ in range(2):
            for index in range(8):
                decoded.read_image(index, (32, 32))
        assert (decoded.cache.memory_bytes, decoded.cache.file_bytes) == (6144, 0)
        assert source.images == 2 + 2 * 6


def test_an_image_that_cannot_be_read_fails_every_time():
    vocabulary = fakes.make_vocabulary(2)
    labels = Labels(np.zeros((1, 4, 4), np.uint16), np.zeros(0, np.int64))
    source = fakes.ArrayConcepts(vocabulary, [labels] * 3, (8, 8), unreadable=frozenset({1}))
    with decode_once(source, 2**20) as decoded:
        assert not isinstance(decoded, LatentSource)
        for _ in range(2):
            with pytest.raises(DataError, match=r"image1\.png"):
                decoded.read_image(1)
            assert decoded.read_image(2)[0, 0, 0] == 2


def test_an_image_that_is_kept_cannot_be_changed(tmp_path):
    with decode_once(Broden(small_probe_set.write_probe_set(tmp_path / "data", images=1)), 2**20) as decoded:
        for _ in range(2):
            with pytest.raises(ValueError, match="read-only"):
                decoded.read_image(0)[0, 0] = 0


def test_only_labels_are_kept_and_only_as_far_as_memory_goes(tmp_path):
    source = Counting(small_probe_set.write_probe_set(tmp_path / "data", images=7))
    with decode_once(source, 2**20, tmp_path, labels_only=True) as decoded:
        for _ in range(2):
            for index in range(7):
                decoded.read_image(index, (16, 20))
                decoded.read_labels(index)
        assert (source.images, source.labels) == (14, 7)
    source.labels = 0
    with decode_once(source, 0, tmp_path, labels_only=True) as decoded:
        for _ in range(2):
            assert np.array_equal(decoded.read_labels(3).planes, source.read_labels(3).planes)
        assert (decoded.cache.memory_bytes, decoded.cache.file_bytes) == (0, 0)
        assert source.labels == 4  # ours and the decoded one's, twice each
