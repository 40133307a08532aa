"""Who owns a folder; files are complete or absent; no link is followed."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from netdissect.errors import DataError
from netdissect.io import atomic, folders, locks

KIND = folders.FolderKind("thing", {"mark.txt": b"ours".__eq__}, ".work", DataError, DataError, "written by another")


def test_a_folder_is_ours_by_its_mark_and_nobodys_when_it_is_empty(tmp_path):
    assert folders.find_owner(tmp_path / "none", KIND) == "free"
    (tmp_path / ".DS_Store").touch()  # the system's
    assert folders.find_owner(tmp_path, KIND) == "free"
    (tmp_path / "mark.txt").write_bytes(b"theirs")
    assert folders.find_owner(tmp_path, KIND) == "foreign"
    (tmp_path / "mark.txt").write_bytes(b"ours")
    assert folders.find_owner(tmp_path, KIND) == "ours"


def test_partial_files_and_locks_do_not_make_a_folder_anothers(tmp_path):
    (tmp_path / ".work" / "parts").mkdir(parents=True)
    (tmp_path / ".work" / "parts" / ".mark.txt.abc.part").write_bytes(b"half")
    (tmp_path / ".lock").write_bytes(b'{"pid": 1, "host": "h"}')
    assert folders.find_owner(tmp_path, KIND) == "free"
    (tmp_path / ".work" / "mine.txt").write_bytes(b"")
    assert folders.find_owner(tmp_path, KIND) == "foreign"


@pytest.mark.parametrize("what", ["pipe", "link", "folder"])
def test_a_mark_is_a_regular_file_that_is_reached_through_no_link(tmp_path, what):
    (tmp_path / "aside").write_bytes(b"ours")
    mark = tmp_path / "it" / "mark.txt"
    mark.parent.mkdir()
    {"pipe": os.mkfifo, "folder": os.mkdir, "link": lambda path: path.symlink_to(tmp_path / "aside")}[what](mark)
    with pytest.raises(DataError, match=r"it holds mark\.txt and is not the folder of a thing"):
        folders.require_free(tmp_path / "it", KIND)


def test_files_are_written_through_one_subfolder_and_recorded_before(tmp_path):
    told = []
    with atomic.stage_writes(tmp_path, tmp_path / ".work/parts", told.append):
        with atomic.open_replacement(tmp_path / "a/b.txt") as file:
            file.write(b"b")
            assert [path.parent.name for path in tmp_path.rglob(".*.part")] == ["parts"]
            assert told == []
        assert told == ["a/b.txt"]
    with atomic.open_replacement(tmp_path / "c.txt"):
        assert [path.parent for path in tmp_path.rglob(".*.part")] == [tmp_path]
    assert not list(tmp_path.rglob("*.part"))


def test_a_locked_folder_inside_another_has_its_own_subfolder(tmp_path):
    outer, inner = [], []
    with (
        atomic.stage_writes(tmp_path, tmp_path / ".work", outer.append),
        atomic.stage_writes(tmp_path / "in", tmp_path / "in/.work", inner.append),
    ):
        atomic.write_text(tmp_path / "in/x.txt", "x")
        atomic.write_text(tmp_path / "y.txt", "y")
    assert (outer, inner) == (["y.txt"], ["x.txt"])


def test_only_files_below_the_folder_and_not_through_links_are_removed(tmp_path):
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    for folder in (root / "a/b", elsewhere):
        folder.mkdir(parents=True)
        (folder / "x.txt").touch()
    (root / "a/mine.txt").touch()
    (root / "link").symlink_to(elsewhere)
    atomic.remove_files_below(root, ["a/b/x.txt", "link/x.txt", "a", "none/x.txt"])
    assert not (root / "a/b").exists()
    assert (root / "a/mine.txt").exists()
    assert (elsewhere / "x.txt").exists()


def test_bytes_that_are_not_text_are_written_escaped(tmp_path):
    atomic.write_text(tmp_path / "a.txt", "caf\udce9 ü")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "caf\\xe9 ü"


def test_a_long_name_is_not_cut_within_a_character(tmp_path):
    atomic.write_text(tmp_path / ("ü" * 100 + "a.txt"), "x")
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [1]


@pytest.mark.parametrize("what", ["text", "link", "pipe"])
def test_a_foreign_lock_file_is_neither_taken_nor_changed(tmp_path, what):
    mine, lock = tmp_path / "mine.txt", tmp_path / ".lock"
    mine.write_text("my own lock file")
    make = {
        "text": lambda: lock.write_text("mine"),
        "link": lambda: lock.symlink_to(mine),
        "pipe": lambda: os.mkfifo(lock),
    }
    make[what]()
    assert not locks.is_lock_file(lock)
    with (
        pytest.raises(
            OSError,
            match="expected a lock file of netdissect, got another file|it is a link, and links are not followed here",
        ),
        locks.lock_file(lock, ValueError, unlocked=lambda error: error),
    ):
        pytest.fail("it was taken")
    assert mine.read_text() == "my own lock file"
    assert what != "text" or lock.read_text() == "mine"


def test_files_written_together_are_there_only_at_the_end_and_recorded_before(tmp_path):
    told = []
    names = [f"in/{n}.txt" for n in range(40)]

    def record(name):
        assert not (tmp_path / name).exists()
        told.append(name)

    with atomic.stage_writes(tmp_path, tmp_path / ".work/parts", record), atomic.write_together() as write:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda name: write(tmp_path / name, name.encode()), names))
        assert len(list((tmp_path / ".work/parts").iterdir())) == 40
        assert told == [] == list((tmp_path / "in").iterdir())
    assert sorted(told) == sorted(names)
    assert {path.name: path.read_bytes() for path in (tmp_path / "in").iterdir()} == {
        name.removeprefix("in/"): name.encode() for name in names
    }
    assert not list(tmp_path.rglob("*.part"))


def test_every_file_written_together_is_synced_before_the_first_is_renamed(tmp_path, monkeypatch):
    (tmp_path / "3.txt").write_bytes(b"old")
    synced, left = [], []

    def sync(descriptor, real=os.fsync):
        left.append(sorted(path.name for path in tmp_path.glob("*.txt")))
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", sync)
    with atomic.write_together() as write:
        for number in range(5):
            write(tmp_path / f"{number}.txt", b"new")
    assert len([path for path in synced if path.endswith(".part")]) == 5
    assert left[:5] == [["3.txt"]] * 5
    assert synced[5:] == [str(tmp_path)]  # the folder once
    assert [(tmp_path / f"{number}.txt").read_bytes() for number in range(5)] == [b"new"] * 5


@pytest.mark.parametrize("when", ["block", "sync"])
def test_after_an_error_no_file_written_together_is_left(tmp_path, monkeypatch, when):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a.txt").write_bytes(b"old")
    if when == "sync":
        monkeypatch.setattr(atomic.os, "fsync", full)

    def write_both():
        with atomic.write_together() as write:
            write(tmp_path / "a.txt", b"new")
            write(tmp_path / "b.txt", b"new")
            if when == "block":
                full(0)

    with pytest.raises(OSError, match="No space left") as stopped:
        write_both()
    assert stopped.value.filename == str(tmp_path / "a.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"old"
