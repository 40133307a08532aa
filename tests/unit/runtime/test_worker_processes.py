"""Work in this process and in worker processes: the port, and that no process is left, whatever happens."""

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

import pytest
from tests import tasks
from tests.processes import below, wait_until
from tests.runtimes import EveryRuntime, EveryRuntimeOfWorkers

from netdissect.errors import RunError, SettingsError
from netdissect.runtime import worker_processes
from netdissect.runtime.worker_processes import InProcessRuntime, ProcessRuntime

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module", autouse=True)
def server():
    tasks.start_server_of_processes()


@contextlib.contextmanager
def processes(setup):
    before = handles()
    with ProcessRuntime(setup, 2) as runtime:
        yield runtime
    assert not multiprocessing.active_children()
    assert handles() == before


def handles():
    """Files that this process has open, by what they are."""
    if not Path("/proc/self/fd").is_dir():
        return []
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the one that listed the folder
            links.append(str(descriptor.readlink()))
    return sorted(links)


class TestInProcess(EveryRuntime):
    @contextlib.contextmanager
    def workers(self, setup):
        with setup(1, 0) as context:
            yield InProcessRuntime(context)


class TestProcesses(EveryRuntimeOfWorkers):
    def workers(self, setup):
        return processes(setup)


def test_an_item_that_kills_every_worker_is_given_up_with_advice(tmp_path):
    with (
        processes(tasks.Setup()) as workers,
        pytest.raises(RunError, match=r"killed 3 times over .* memory ran out"),
    ):
        list(workers.map(tasks.DieOnce(tmp_path, 2, times=99), range(6)))


def test_something_that_cannot_be_sent_to_a_worker_is_told_so():
    setup = tasks.Setup()
    setup.network = lambda: None
    with ProcessRuntime(setup, 2) as workers, pytest.raises(SettingsError, match="cannot be sent to worker processes"):
        list(workers.map(tasks.square, range(4)))


def test_something_that_a_worker_cannot_open_is_told_as_it_was_met():
    told = r"cannot be opened there \(ImportError: no software here\): .* not in a notebook; or use one worker"
    with processes(tasks.Unwelcome()) as workers, pytest.raises(SettingsError, match=told):
        list(workers.map(tasks.square, range(4)))


def test_code_that_leaves_the_program_in_a_worker_is_told_once():
    with processes(tasks.Setup()) as workers:
        with pytest.raises(RunError, match=r"ended the program itself \(sys\.exit\(3\)\) in a worker"):
            list(workers.map(tasks.leave, range(6)))
        assert list(workers.map(tasks.square, range(3))) == [0, 1, 4]


stopping = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="nothing can be stopped here")


@stopping
def test_a_worker_that_is_stopped_is_told_of_and_goes_on_when_it_is_let(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(worker_processes, "SILENCE_SECONDS", 1.0)
    with processes(tasks.Setup()) as workers, caplog.at_level("WARNING", logger="netdissect"):
        stopped = tasks.StopOnce(tmp_path / "stopped", 1)
        results = workers.map(stopped, range(6))
        watch = threading.Thread(target=_continue_when_told, args=(caplog, tmp_path / "stopped"))
        watch.start()
        assert list(results) == [n * n for n in range(6)]
        watch.join()
    pid = int((tmp_path / "stopped").read_text())
    assert (
        f"(process {pid}) has given no sign of life for 1 s, it may have been stopped: kill -CONT {pid}" in caplog.text
    )
    assert f"(process {pid}) answers again" in caplog.text
    assert caplog.text.count("no sign of life") == 1  # nobody else is suspected, however long an item takes


def _continue_when_told(caplog, mark):
    wait_until(lambda: "no sign of life" in caplog.text, "the stopped worker to be told of")
    os.kill(int(mark.read_text()), signal.SIGCONT)


@stopping
def test_a_worker_that_stays_stopped_is_replaced_and_its_item_done_again(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(worker_processes, "SILENCE_SECONDS", 1.0)
    monkeypatch.setattr(worker_processes, "GIVE_UP_SECONDS", 1.5)
    with processes(tasks.Setup()) as workers, caplog.at_level("WARNING", logger="netdissect"):
        assert list(workers.map(tasks.StopOnce(tmp_path / "stopped", 1), range(6))) == [n * n for n in range(6)]
    assert "it is ended, and replaced" in caplog.text
    assert not Path(f"/proc/{(tmp_path / 'stopped').read_text()}/stat").exists()


def test_work_that_takes_long_is_not_taken_for_a_stopped_worker(monkeypatch, caplog):
    monkeypatch.setattr(worker_processes, "SILENCE_SECONDS", 0.8)
    with processes(tasks.Setup()) as workers, caplog.at_level("WARNING", logger="netdissect"):
        list(workers.map(tasks.take_a_second, range(2)))
    assert caplog.text == ""


def test_a_worker_that_is_replaced_gets_the_number_of_the_one_that_died(tmp_path):
    """Numbers decide which GPU a worker uses."""
    with processes(tasks.Setup()) as workers:
        list(workers.map(tasks.DieOnce(tmp_path, 1), range(3)))
        assert {context["number"] for context in workers.map(tasks.give_context, range(12))} == {0, 1}


SCRIPT = """
import os, sys
sys.path.insert(0, {root!r})
from tests import tasks
from tests.processes import below, wait_until
from netdissect.runtime.local import Processes
{guard}
    with Processes(tasks.Setup(), 2) as workers:
        print(list(workers.map(tasks.{task}, sys.argv[1:])), flush=True)
"""


def script(path, task, guard="if __name__ == '__main__':"):
    root = str(Path.cwd())
    path.write_text(textwrap.dedent(SCRIPT).format(root=root, task=task, guard=guard))
    return path


def test_a_script_without_the_usual_guard_is_told_what_to_write(tmp_path):
    program = script(tmp_path / "unguarded.py", "who", "if True:")
    ended = subprocess.run([sys.executable, program, "1"], capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 1
    assert 'below an `if __name__ == "__main__":`' in ended.stderr.splitlines()[-1]
    assert SettingsError.__name__ in ended.stderr.splitlines()[-1]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda kill: kill.name)
def test_workers_go_with_their_coordinator_however_it_ends(tmp_path, kill):
    program = script(tmp_path / "p.py", "sleep")
    marks = [tmp_path / "0", tmp_path / "1"]
    with subprocess.Popen([sys.executable, program, *marks], stderr=subprocess.PIPE, text=True) as coordinator:
        wait_until(lambda: all(mark.exists() for mark in marks), "both workers to be at work")
        started = below(coordinator.pid)
        assert len(started) >= 2
        os.kill(coordinator.pid, kill)
        try:
            said = coordinator.communicate(timeout=60)[1]
        finally:
            coordinator.kill()
    assert coordinator.returncode == -kill
    wait_until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in started), "every process to end")
    assert said.count("Traceback") == (kill == signal.SIGINT)  # the coordinator's own, and none of a worker
