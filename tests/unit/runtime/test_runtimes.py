"""Every runtime serves the same port: tasks mapped over items, whatever happens to the workers."""

from __future__ import annotations

import contextlib
import multiprocessing
import os

import pytest
from tests import tasks

from netdissect.errors import RunError, SettingsError
from netdissect.runtime.local import InProcess, Processes


@contextlib.contextmanager
def in_process(setup):
    with setup(1, 0) as context:
        yield InProcess(context)


@contextlib.contextmanager
def processes(setup):
    with Processes(setup, 2) as runtime:
        yield runtime
    assert not [child for child in multiprocessing.active_children() if child.name.startswith("SpawnProcess")]


@contextlib.contextmanager
def ray_actors(setup):
    pytest.importorskip("ray")
    from netdissect.runtime.ray import Ray

    with Ray(setup, 2, cpus=1) as runtime:
        yield runtime


RUNTIMES = [
    pytest.param(in_process, id="in process"),
    pytest.param(processes, id="processes"),
    pytest.param(ray_actors, id="ray", marks=pytest.mark.cluster),
]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_item_is_done_once_and_comes_back_in_order(runtime):
    with runtime(tasks.Setup()) as workers:
        assert list(workers.map(tasks.square, range(20))) == [n * n for n in range(20)]
        assert list(workers.map(tasks.slowest_first, range(8))) == list(range(8))
        assert list(workers.map(tasks.square, [])) == []


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_error_of_a_task_reaches_the_caller_and_leaves_nothing_behind(runtime):
    with runtime(tasks.Setup()) as workers, pytest.raises(KeyError, match="three"):
        list(workers.map(tasks.complain, range(6)))


@pytest.mark.parametrize("runtime", RUNTIMES[1:])
def test_an_error_of_the_setup_reaches_the_caller(runtime):
    with runtime(tasks.Setup("no such network")) as workers, pytest.raises(ValueError, match="no such network"):
        list(workers.map(tasks.square, range(4)))


@pytest.mark.parametrize("runtime", RUNTIMES[1:])
def test_several_workers_share_the_items(runtime):
    with runtime(tasks.Setup()) as workers:
        pids = set(workers.map(tasks.who, range(12)))
    assert len(pids) == 2
    assert os.getpid() not in pids


@pytest.mark.parametrize("runtime", RUNTIMES[1:])
def test_a_worker_that_is_killed_loses_only_its_item_which_is_done_again(runtime, tmp_path):
    with runtime(tasks.Setup()) as workers:
        assert list(workers.map(tasks.DieOnce(tmp_path, 4), range(10))) == [n * n for n in range(10)]
        assert list(workers.map(tasks.square, range(3))) == [0, 1, 4]
    assert len(list(tmp_path.iterdir())) == 1


def test_an_item_that_kills_every_worker_is_given_up_with_advice(tmp_path):
    with processes(tasks.Setup()) as workers, pytest.raises(RunError, match=r"killed 3 times .* memory ran out"):
        list(workers.map(tasks.DieOnce(tmp_path, 2, times=99), range(6)))


def test_something_that_cannot_be_sent_to_a_worker_is_told_so():
    setup = tasks.Setup()
    setup.network = lambda: None  # type: ignore[attr-defined]
    with Processes(setup, 2) as workers, pytest.raises(SettingsError, match="cannot be sent to worker processes"):
        list(workers.map(tasks.square, range(4)))


def test_a_map_that_is_given_up_half_way_leaves_no_process():
    with processes(tasks.Setup()) as workers:
        assert next(iter(workers.map(tasks.square, range(50)))) == 0
