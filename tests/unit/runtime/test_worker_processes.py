"""The runtimes of this machine: order, errors, dead and stopped workers; no process or file is left open."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests import tasks
from tests.processes import find_descendants, wait_until
from tests.runtimes import RuntimeTests, WorkerRuntimeTests

from netdissect.errors import RunError, SettingsError
from netdissect.runtime import worker_processes
from netdissect.runtime.worker_processes import InProcessRuntime, ProcessRuntime, start_local_workers

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module", autouse=True)
def server():
    tasks.start_fork_server()


@contextlib.contextmanager
def run_processes(setup):
    before = list_open_files()
    with ProcessRuntime(setup, 2) as runtime:
        yield runtime
    assert not multiprocessing.active_children()
    assert list_open_files() == before


def list_open_files():
    """Return what this process has open."""
    if not Path("/proc/self/fd").is_dir():
        return []
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the descriptor of this listing
            links.append(str(descriptor.readlink()))
    return sorted(links)


class TestInProcess(RuntimeTests):
    @contextlib.contextmanager
    def workers(self, setup):
        with setup(1, 0) as context:
            yield InProcessRuntime(context)


class TestProcesses(WorkerRuntimeTests):
    def workers(self, setup):
        return run_processes(setup)


@pytest.mark.parametrize("count", [1, 2])
def test_a_plain_context_is_its_own_setup(count):
    """One worker is this process, so nothing is pickled; several get a copy each."""
    context = tasks.OffsetContext(3)
    with start_local_workers(context, count) as workers:
        assert list(workers.map(tasks.add_offset, range(4))) == [3, 4, 5, 6]
        (process,) = workers.map(tasks.get_process_id, range(1))
    assert (process == os.getpid()) == (count == 1)


def test_the_field_of_a_plain_context_that_cannot_be_pickled_is_named():
    with (
        start_local_workers(tasks.OffsetContext(lambda: None), 2) as workers,
        pytest.raises(SettingsError, match="^amount cannot be sent to worker processes"),
    ):
        list(workers.map(tasks.add_offset, range(4)))


def test_an_item_that_kills_every_worker_ends_the_run_with_advice(tmp_path):
    with (
        run_processes(tasks.ContextSetup()) as workers,
        pytest.raises(RunError, match=r"killed 3 times on .* memory ran out"),
    ):
        list(workers.map(tasks.DieOnce(tmp_path, 2, times=99), range(6)))


def test_a_setup_that_cannot_be_pickled_is_an_error():
    setup = tasks.ContextSetup()
    setup.network = lambda: None
    with ProcessRuntime(setup, 2) as workers, pytest.raises(SettingsError, match="cannot be sent to worker processes"):
        list(workers.map(tasks.square, range(4)))


def test_a_setup_that_cannot_be_unpickled_is_an_error_with_its_cause():
    message = r"cannot unpickle .* \(ImportError: no software here\): .* not in a notebook; or use one worker"
    with run_processes(tasks.UnloadableSetup()) as workers, pytest.raises(SettingsError, match=message):
        list(workers.map(tasks.square, range(4)))


def test_code_that_exits_in_a_worker_is_an_error():
    with run_processes(tasks.ContextSetup()) as workers:
        with pytest.raises(RunError, match=r"ended the program itself \(sys\.exit\(3\)\) in a worker"):
            list(workers.map(tasks.exit_at_two, range(6)))
        assert list(workers.map(tasks.square, range(3))) == [0, 1, 4]


stopping = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")


@stopping
def test_a_stopped_worker_is_reported_and_continues_when_resumed(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(worker_processes, "SILENCE_SECONDS", 1.0)
    with run_processes(tasks.ContextSetup()) as workers, caplog.at_level("WARNING", logger="netdissect"):
        stopped = tasks.StopOnce(tmp_path / "stopped", 1)
        results = workers.map(stopped, range(6))
        watch = threading.Thread(target=_continue_when_reported, args=(caplog, tmp_path / "stopped"))
        watch.start()
        assert list(results) == [n * n for n in range(6)]
        watch.join()
    pid = int((tmp_path / "stopped").read_text())
    assert (
        f"(process {pid}) has not answered for 1 s and may have been stopped: resume it with kill -CONT {pid}"
        in caplog.text
    )
    assert f"(process {pid}) answers again" in caplog.text
    assert caplog.text.count("has not answered") == 1  # a busy worker is not reported


def _continue_when_reported(caplog, mark):
    wait_until(lambda: "has not answered" in caplog.text, "the stopped worker to be reported")
    os.kill(int(mark.read_text()), signal.SIGCONT)


@stopping
def test_a_worker_that_stays_stopped_is_replaced_and_its_item_is_done_again(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(worker_processes, "SILENCE_SECONDS", 1.0)
    monkeypatch.setattr(worker_processes, "GIVE_UP_SECONDS", 1.5)
    with run_processes(tasks.ContextSetup()) as workers, caplog.at_level("WARNING", logger="netdissect"):
        assert list(workers.map(tasks.StopOnce(tmp_path / "stopped", 1), range(6))) == [n * n for n in range(6)]
    assert "it is ended and replaced" in caplog.text
    assert not Path(f"/proc/{(tmp_path / 'stopped').read_text()}/stat").exists()


def test_a_long_task_is_not_mistaken_for_a_stopped_worker(monkeypatch, caplog):
    monkeypatch.setattr(worker_processes, "SILENCE_SECONDS", 0.8)
    with run_processes(tasks.ContextSetup()) as workers, caplog.at_level("WARNING", logger="netdissect"):
        list(workers.map(tasks.sleep_a_second, range(2)))
    assert caplog.text == ""


def test_a_replacement_has_the_number_of_the_worker_that_died(tmp_path):
    """The number decides which GPU a worker uses."""
    with run_processes(tasks.ContextSetup()) as workers:
        list(workers.map(tasks.DieOnce(tmp_path, 1), range(3)))
        assert {context["number"] for context in workers.map(tasks.return_context, range(12))} == {0, 1}


SCRIPT = """
import os, sys
sys.path.insert(0, {root!r})
from tests import tasks
from netdissect.runtime.worker_processes import ProcessRuntime
{guard}
    with ProcessRuntime(tasks.ContextSetup(), 2) as workers:
        print(list(workers.map(tasks.{task}, sys.argv[1:])), flush=True)
"""


def script(path, task, guard="if __name__ == '__main__':"):
    root = str(Path.cwd())
    path.write_text(textwrap.dedent(SCRIPT).format(root=root, task=task, guard=guard))
    return path


def test_a_script_without_a_main_guard_is_an_error_with_advice(tmp_path):
    program = script(tmp_path / "unguarded.py", "get_worker_pid", "if True:")
    ended = subprocess.run([sys.executable, program, "1"], capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 1
    assert 'below an `if __name__ == "__main__":`' in ended.stderr.splitlines()[-1]
    assert SettingsError.__name__ in ended.stderr.splitlines()[-1]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda kill: kill.name)
def test_workers_end_with_their_coordinator_however_it_ends(tmp_path, kill):
    program = script(tmp_path / "p.py", "sleep_for_minutes")
    marks = [tmp_path / "0", tmp_path / "1"]
    with subprocess.Popen([sys.executable, program, *marks], stderr=subprocess.PIPE, text=True) as coordinator:
        wait_until(lambda: all(mark.exists() for mark in marks), "both workers to be at work")
        started = find_descendants(coordinator.pid)
        assert len(started) >= 2
        os.kill(coordinator.pid, kill)
        try:
            stderr = coordinator.communicate(timeout=60)[1]
        finally:
            coordinator.kill()
    assert coordinator.returncode == -kill
    wait_until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in started), "every process to end")
    assert stderr.count("Traceback") == (kill == signal.SIGINT)  # the coordinator's own; workers print none


def test_windows_waits_for_twenty_workers_at_most(monkeypatch):
    monkeypatch.setattr(worker_processes.sys, "platform", "win32")
    with pytest.raises(SettingsError, match=r"workers is 21, and Windows can wait for 20 .* use fewer"):
        ProcessRuntime(tasks.ContextSetup(), 21)
    ProcessRuntime(tasks.ContextSetup(), 20)


def test_workers_that_are_spawned_give_the_same_results(monkeypatch):
    """As on macOS and Windows; nothing that is sent to them needs the memory of this process."""
    monkeypatch.setattr(worker_processes, "sys", SimpleNamespace(platform="darwin", modules=sys.modules))
    with run_processes(tasks.ContextSetup()) as workers:
        assert list(workers.map(tasks.square, range(6))) == [n * n for n in range(6)]
    assert workers._processes.get_start_method() == "spawn"
