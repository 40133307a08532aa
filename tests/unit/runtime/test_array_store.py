"""Artefacts are whole or not there, found again by the next run, and never mistaken."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from netdissect.errors import RunBusyError, RunError, RunFileError
from netdissect.io import locks
from netdissect.results import run_folder
from netdissect.runtime.array_store import Store

ARRAYS = {"a": np.arange(1000, dtype=np.float32), "names": np.array(["x", "yy"]), "none": np.zeros((0, 3))}


def same(found):
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("budget", [0, 10, 10**9])
@pytest.mark.parametrize("where", ["memory", "folder", "url"])
def test_what_is_put_in_comes_out(where, budget, tmp_path):
    folder = {"memory": None, "folder": tmp_path / "ü x", "url": "memory://bucket/run"}[where]
    with Store(folder, budget=budget) as store:
        assert "k" not in store
        store.put("k", ARRAYS)
        assert "k" in store
        same(store.get("k"))
        store.put("k", ARRAYS)
        same(store.must("k"))
        store.clear()
        assert "k" not in store


def test_a_folder_is_found_again_and_a_temporary_one_goes(tmp_path):
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
def test_a_damaged_artefact_is_as_good_as_none(tmp_path, damage):
    with Store(tmp_path) as store:
        store.put("k", ARRAYS)
        path = tmp_path / "k.arrays"
        path.write_bytes(damage(path.read_bytes()))
        assert "k" not in store
        with pytest.raises(RunFileError, match=r"k.arrays was lost or damaged while the run was going on"):
            store.must("k")


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


def test_a_pickle_in_the_place_of_an_artefact_is_not_opened(tmp_path):
    np.savez(tmp_path / "k.npz", a=np.array([print], dtype=object))
    (tmp_path / "k.npz").rename(tmp_path / "k.arrays")
    assert "k" not in Store(tmp_path)


def test_a_second_run_into_a_folder_is_refused_with_pid_and_host(tmp_path):
    with run_folder.lock_run_folder(tmp_path):
        script = (
            "import sys; from pathlib import Path; from netdissect.results import folder\n"
            f"with folder.held(Path({str(tmp_path)!r})): pass"
        )
        second = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert f"is being written by another run (process {os.getpid()} on " in second.stderr
        assert RunBusyError.__name__ in second.stderr
        assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_lock_file_that_its_last_holder_removes_is_not_taken_for_the_folders(tmp_path, monkeypatch):
    """Two processes once held one folder: the second had opened the file that the first then removed."""
    real = locks.fcntl.flock
    removed = []

    def flock(file, operation):
        real(file, operation)
        if not removed:
            removed.append((tmp_path / ".lock").unlink())

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    with run_folder.lock_run_folder(tmp_path):
        monkeypatch.undo()
        assert removed
        with pytest.raises(RunBusyError, match=f"process {os.getpid()} on"), run_folder.lock_run_folder(tmp_path):
            pass


def test_a_file_system_without_locks_is_told_so(tmp_path, monkeypatch):
    def flock(file, operation):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    with (
        pytest.raises(RunError, match="does not let it be locked .*: choose an --out on another"),
        run_folder.lock_run_folder(tmp_path),
    ):
        pass


def test_an_artefact_of_other_settings_is_not_taken_for_ones_own(tmp_path):
    with Store(tmp_path / "one hash") as store:
        store.put("k", ARRAYS)
    (tmp_path / "another hash").mkdir()
    (tmp_path / "one hash/k.arrays").rename(tmp_path / "another hash/k.arrays")
    assert "k" not in Store(tmp_path / "another hash")


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path):
    script = (
        "import os, signal; from pathlib import Path; from netdissect.results import folder\n"
        f"with folder.held(Path({str(tmp_path)!r})): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    assert (tmp_path / ".lock").exists()
    with run_folder.lock_run_folder(tmp_path):
        pass


def test_what_was_finished_is_found_wherever_its_parent_folder_was_moved(tmp_path):
    with Store(tmp_path / "run" / "0a1b") as store:
        store.put("k", ARRAYS)
    (tmp_path / "run").rename(tmp_path / "moved")
    with Store(tmp_path / "moved" / "0a1b") as store:
        same(store.get("k"))


def test_what_was_cleared_gives_its_share_of_the_memory_back():
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
def test_what_no_run_wrote_in_the_place_of_an_artefact_is_as_good_as_none(tmp_path, what):
    with Store(tmp_path / "one") as store:
        store.put("k", ARRAYS)
        path = tmp_path / "one" / "k.arrays"
        path.rename(tmp_path / "k.arrays")
        path.symlink_to(tmp_path / "k.arrays") if what == "link" else os.mkfifo(path)
        assert "k" not in store
