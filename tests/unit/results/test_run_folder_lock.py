"""One process at a time writes into a run folder."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest

from netdissect.errors import RunBusyError, RunError
from netdissect.io import locks
from netdissect.results import run_folder


def test_a_second_run_into_a_folder_is_refused_with_pid_and_host(tmp_path):
    with run_folder.lock_run_folder(tmp_path):
        script = (
            "import sys; from pathlib import Path; from netdissect.results import run_folder\n"
            f"with run_folder.lock_run_folder(Path({str(tmp_path)!r})): pass"
        )
        second = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert f"is being written by another run (process {os.getpid()} on " in second.stderr
        assert RunBusyError.__name__ in second.stderr
        assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_lock_on_a_file_that_was_removed_meanwhile_is_taken_again(tmp_path, monkeypatch):
    """Two processes could lock one folder: the second had opened the file that the first then removed."""
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


def test_a_file_system_without_locks_is_an_error(tmp_path, monkeypatch):
    def flock(file, operation):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    with (
        pytest.raises(RunError, match="cannot be locked on its file system .*: choose an --out on another"),
        run_folder.lock_run_folder(tmp_path),
    ):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    script = (
        "import os, signal; from pathlib import Path; from netdissect.results import run_folder\n"
        f"with run_folder.lock_run_folder(Path({str(tmp_path)!r})): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    assert (tmp_path / ".lock").exists()
    with run_folder.lock_run_folder(tmp_path):
        pass
