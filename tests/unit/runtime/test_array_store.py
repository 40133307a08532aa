"""Entries of the store are complete or absent, found again by the next run, and never those of other settings."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from netdissect.errors import RunFileError
from netdissect.runtime.array_store import Store

ARRAYS = {"a": np.arange(1000, dtype=np.float32), "names": np.array(["x", "yy"]), "none": np.zeros((0, 3))}


def same(found):
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("budget", [0, 10, 10**9])
@pytest.mark.parametrize("where", ["memory", "folder", "url"])
def test_what_is_put_is_what_is_got(where, budget, tmp_path):
    folder = {"memory": None, "folder": tmp_path / "ü x", "url": "memory://bucket/run"}[where]
    with Store(folder, budget=budget) as store:
        assert "k" not in store
        store.put("k", ARRAYS)
        assert "k" in store
        same(store.get("k"))
        store.put("k", ARRAYS)
        same(store.get("k"))
        store.clear()
        assert "k" not in store


def test_a_named_folder_stays_and_a_temporary_one_is_removed(tmp_path):
    with Store(tmp_path / "w", budget=10**9) as store:
        store.put("k", ARRAYS)
    with Store(tmp_path / "w") as store:
        same(store.get("k"))
    with Store() as store:
        store.put("k", ARRAYS)
        folder = store.folder
        assert Path(folder).is_dir()
    assert not Path(folder).exists()


def test_memory_is_used_up_to_the_budget_and_no_further(tmp_path):
    size = sum(array.nbytes for array in ARRAYS.values())
    with Store(budget=2 * size) as store:
        for n in range(4):
            store.put(f"k{n}", ARRAYS)
        assert store.written_bytes == 2 * size
        for n in range(4):
            same(store.get(f"k{n}"))


@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: d[: len(d) // 2], lambda d: b"", lambda d: b"<html>"])
def test_a_damaged_entry_counts_as_missing(tmp_path, damage):
    with Store(tmp_path) as store:
        store.put("k", ARRAYS)
        path = tmp_path / "k.arrays"
        path.write_bytes(damage(path.read_bytes()))
        assert "k" not in store
        with pytest.raises(RunFileError, match=r"k.arrays was lost or damaged during the run"):
            store.get("k")


def test_every_flipped_bit_is_noticed(tmp_path):
    rng = np.random.default_rng(0)
    with Store(tmp_path) as store:
        store.put("k", ARRAYS)
        path = tmp_path / "k.arrays"
        data = path.read_bytes()
        for place in rng.integers(0, len(data), size=150):
            flipped = bytearray(data)
            flipped[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(bytes(flipped))
            assert "k" not in store


def test_a_pickle_in_place_of_an_entry_is_not_opened(tmp_path):
    np.savez(tmp_path / "k.npz", a=np.array([print], dtype=object))
    (tmp_path / "k.npz").rename(tmp_path / "k.arrays")
    assert "k" not in Store(tmp_path)


def test_an_entry_moved_from_another_folder_counts_as_missing(tmp_path):
    with Store(tmp_path / "one hash") as store:
        store.put("k", ARRAYS)
    (tmp_path / "another hash").mkdir()
    (tmp_path / "one hash/k.arrays").rename(tmp_path / "another hash/k.arrays")
    assert "k" not in Store(tmp_path / "another hash")


def test_entries_are_found_after_the_parent_folder_was_moved(tmp_path):
    with Store(tmp_path / "run" / "0a1b") as store:
        store.put("k", ARRAYS)
    (tmp_path / "run").rename(tmp_path / "moved")
    with Store(tmp_path / "moved" / "0a1b") as store:
        same(store.get("k"))


def test_clearing_and_dropping_free_the_budget():
    size = sum(array.nbytes for array in ARRAYS.values())
    with Store(budget=2 * size) as store:
        for key in ("a", "b"):
            store.put(key, ARRAYS)
        store.clear()
        for key in ("c", "d"):
            store.put(key, ARRAYS)
        assert store.written_bytes == 0
        store.put("d", ARRAYS)  # replaced
        store.drop("c")
        store.put("e", ARRAYS)
        assert store.written_bytes == 0
        store.put("f", ARRAYS)
        assert store.written_bytes == size


@pytest.mark.parametrize("what", ["link", "pipe"])
def test_a_link_or_pipe_in_place_of_an_entry_counts_as_missing(tmp_path, what):
    with Store(tmp_path / "one") as store:
        store.put("k", ARRAYS)
        path = tmp_path / "one" / "k.arrays"
        path.rename(tmp_path / "k.arrays")
        path.symlink_to(tmp_path / "k.arrays") if what == "link" else os.mkfifo(path)
        assert "k" not in store
