"""What a process needs before it starts: a current folder, memory for the libraries, threads."""

from __future__ import annotations

import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from netdissect.cli import app, environment, main


def run_command(words, capsys):
    with pytest.raises(SystemExit) as left:
        main(words)
    return left.value.code, capsys.readouterr().err.strip()


def test_a_deleted_current_folder_is_reported_before_a_library_ends_the_process(tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert run_command(["--version"], capsys) == (
        2, "netdissect: the current folder no longer exists: change to another one"
    )  # fmt: skip


@pytest.mark.parametrize(("name", "letter"), [("RLIMIT_AS", "v"), ("RLIMIT_DATA", "d")])
def test_too_little_memory_for_the_libraries_is_reported(monkeypatch, capsys, name, letter):
    limits = {"RLIMIT_AS": 1, "RLIMIT_DATA": 2}
    small = SimpleNamespace(
        RLIM_INFINITY=-1, **limits, getrlimit=lambda which: (400_000_000 if which == limits[name] else -1, -1)
    )
    monkeypatch.setattr(environment, "resource", small)
    sentence = (
        "netdissect: this process may use 400 MB of memory, and the libraries alone need 1,000 MB: raise the limit"
    )
    assert run_command(["--version"], capsys) == (2, f"{sentence} (ulimit -{letter})")


def test_a_process_without_threads_is_reported(monkeypatch, capsys):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert run_command(["--version"], capsys) == (
        2, "netdissect: no more threads can be started here: raise the limit of processes (ulimit -u)"
    )  # fmt: skip


def test_this_process_lacks_nothing():
    assert environment.find_missing_resource() is None


@pytest.mark.parametrize("limited", [True, False])
def test_an_interpreter_error_under_a_memory_limit_is_reported_as_too_little_memory(monkeypatch, capsys, limited):
    def fail(*_, **__):
        raise SystemError("error return without exception set")

    monkeypatch.setattr(app, "app", fail)
    monkeypatch.setattr(environment, "is_memory_limited", lambda: limited)
    if limited:
        code, message = run_command(["--version"], capsys)
        assert (code, message.startswith("netdissect: memory ran out")) == (2, True)
    else:
        with pytest.raises(SystemError):
            main(["--version"])


def test_garbage_is_collected_rarely_during_a_command_and_not_when_the_process_ends():
    code = """
import atexit, gc
from netdissect.cli import app, environment
before = gc.get_threshold()
atexit.register(lambda: print(gc.get_freeze_count() > 10_000))
with environment.collect_garbage_rarely():
    print(gc.isenabled(), gc.get_threshold()[0], gc.get_freeze_count())
print(gc.get_threshold() == before)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "100000", "0", "True", "True"]
