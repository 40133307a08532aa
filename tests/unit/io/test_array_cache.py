from __future__ import annotations

import io
import logging
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from netdissect.io.array_cache import ArrayCache


def make_array(number: int, size: int = 1000) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 2**16, size=(size // 10, 10)).astype(np.uint16)


def test_arrays_come_back_from_memory_and_from_the_file(tmp_path):
    arrays = {n: make_array(n) for n in range(5)} | {"empty": np.zeros((0, 3), np.int64)}
    with ArrayCache(2 * 2000 + 1, tmp_path, free_bytes=0) as cache:
        for key, array in arrays.items():
            cache.put(key, array)
        assert (cache.memory_bytes, cache.file_bytes) == (4000, 6000)
        for key, array in arrays.items():
            found = cache.get(key)
            assert found is not None
            assert (found.dtype, found.shape) == (array.dtype, array.shape)
            assert np.array_equal(found, array)
        cache.put(4, make_array(9))
        assert np.array_equal(cache.get(4), arrays[4])
        assert cache.file_bytes == 6000
        assert cache.get("never put") is None


def test_nothing_is_left_in_the_folder_and_nothing_is_kept_after_the_end(tmp_path):
    with ArrayCache(0, tmp_path, free_bytes=0) as cache:
        cache.put("a", make_array(1))
        assert list(tmp_path.iterdir()) == []
    assert cache.get("a") is None
    cache.put("b", make_array(2))
    assert cache.get("b") is None
    assert (cache.memory_bytes, cache.file_bytes) == (0, 0)


@pytest.mark.parametrize("reason", ["no room", "no folder", "the disk is full"])
def test_without_room_on_disk_only_the_budget_is_used(tmp_path, reason, caplog, monkeypatch):
    caplog.set_level(logging.INFO, "netdissect")
    if reason == "the disk is full":

        class FullDisk(io.FileIO):
            def write(self, _):
                raise OSError(28, "No space left on device")

        monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: FullDisk(tmp_path / "cache", "w+b"))
    folder = tmp_path / "missing" if reason == "no folder" else tmp_path
    with ArrayCache(2000, folder, free_bytes=2**60 if reason == "no room" else 0) as cache:
        for number in range(4):
            cache.put(number, make_array(number))
        assert [cache.get(number) is not None for number in range(4)] == [True, False, False, False]
        assert (cache.memory_bytes, cache.file_bytes) == (2000, 0)
    assert caplog.text.count("the disk has no room") == 1


def test_a_file_that_was_cut_off_gives_nothing_instead_of_other_bytes(tmp_path):
    with ArrayCache(0, tmp_path, free_bytes=0) as cache:
        cache.put("a", make_array(1))
        os.truncate(cache._file.fileno(), 100)
        assert cache.get("a") is None


def test_several_threads_put_and_get_at_once(tmp_path):
    arrays = {n: make_array(n) for n in range(200)}
    with ArrayCache(100 * 2000, tmp_path, free_bytes=0) as cache, ThreadPoolExecutor(8) as threads:
        keys = [number % 200 for number in range(1000)]
        list(threads.map(lambda key: cache.put(key, arrays[key]), keys))
        assert all(threads.map(lambda key: np.array_equal(cache.get(key), arrays[key]), keys))
        assert (cache.memory_bytes, cache.file_bytes) == (200_000, 200_000)


def test_systems_without_pread_read_the_same(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "pread")
    arrays = {n: make_array(n) for n in range(50)}
    with ArrayCache(0, tmp_path, free_bytes=0) as cache, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: cache.put(key, arrays[key]), arrays))
        keys = [number % 50 for number in range(500)]
        assert all(threads.map(lambda key: np.array_equal(cache.get(key), arrays[key]), keys))
