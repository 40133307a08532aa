"""One process at a time holds a lock."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from netdissect.errors import DataError
from netdissect.io import locks

WAITING = """
import sys, time
from pathlib import Path
from netdissect.io import locks
with locks.lock_file(Path(sys.argv[1]), ValueError):
    print("held", flush=True)
    time.sleep(60)
"""


def refuse(who):
    return DataError(f"taken by {who}")


@pytest.mark.processes
def test_another_process_is_refused_with_the_holder_and_a_killed_one_holds_nothing(tmp_path):
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", WAITING, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DataError, match=f"taken by process {holder.pid} on "), locks.lock_file(path, refuse):
            pytest.fail("it was held")
        holder.kill()
        holder.wait()
    assert path.exists()
    with locks.lock_file(path, refuse):
        assert str(os.getpid()) in path.read_text()
    assert not path.exists()


def test_it_is_free_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), locks.lock_file(tmp_path / "lock", refuse):
        raise ZeroDivisionError
    with locks.lock_file(tmp_path / "lock", refuse):
        pass


def test_without_write_permission_nothing_is_locked(tmp_path, monkeypatch):
    def read_only(path, *, needed):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(locks, "_open_locked", read_only)
    with locks.lock_file(tmp_path / "lock", refuse):
        assert not (tmp_path / "lock").exists()


@pytest.mark.skipif(locks.fcntl is None, reason="POSIX")
def test_a_file_system_without_locks_locks_nothing(tmp_path, monkeypatch):
    def without(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", without)
    with locks.lock_file(tmp_path / "lock", refuse):
        assert (tmp_path / "lock").exists()


@pytest.mark.skipif(locks.fcntl is None, reason="POSIX")
def test_a_lock_file_removed_by_its_holder_is_no_lock(tmp_path, monkeypatch):
    """Opened just before the holder removed it: the file that lies there now is another one."""
    path, real = tmp_path / "lock", locks.fcntl.flock
    opened = []

    def removed_first(file, how):
        opened.append(file)
        if len(opened) == 1:
            path.unlink()
        real(file, how)

    monkeypatch.setattr(locks.fcntl, "flock", removed_first)
    with locks.lock_file(path, refuse):
        assert len(opened) == 2
        assert path.exists()


def test_on_windows_a_byte_beyond_the_end_is_locked_and_the_file_closed_before_it_is_removed(tmp_path, monkeypatch):
    path, calls, opened = tmp_path / "lock", [], []
    is_taken = iter([False, True])

    def lock(descriptor, mode, count):
        calls.append((os.lseek(descriptor, 0, os.SEEK_CUR), mode, count))
        opened.append(descriptor)
        if next(is_taken):
            raise PermissionError(errno.EACCES, "Permission denied")

    real = type(path).unlink

    def unlink(path, **options):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(opened[0])
        real(path, **options)

    monkeypatch.setattr(locks, "fcntl", None)
    monkeypatch.setattr(locks, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=lock))
    monkeypatch.setattr(type(path), "unlink", unlink)
    with locks.lock_file(path, refuse):
        with pytest.raises(DataError, match=f"taken by process {os.getpid()} on "), locks.lock_file(path, refuse):
            pytest.fail("it was held")
        assert path.exists()
    assert calls == [(2**30, 2, 1)] * 2
    assert not path.exists()
