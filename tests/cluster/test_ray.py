"""Work done by the actors of a Ray cluster: the same port, and what a cluster adds to it."""

from __future__ import annotations

import contextlib
import os
import signal

import pytest
from tests import tasks
from tests.runtimes import EveryRuntimeOfWorkers

from netdissect.errors import RunError
from netdissect.runtime.cluster import RayCluster

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def cluster(two_nodes):
    with RayCluster(two_nodes.address) as connected:
        yield connected


class TestRay(EveryRuntimeOfWorkers):
    @pytest.fixture(autouse=True)
    def connected(self, cluster):
        self.cluster = cluster

    @contextlib.contextmanager
    def workers(self, setup):
        from netdissect.runtime.ray import RayRuntime

        with RayRuntime(self.cluster, setup, 2, cpus=1) as runtime:
            yield runtime


def test_processors_and_gpus_are_counted_over_the_nodes(cluster):
    assert cluster.gpus == 1
    assert cluster.cpus_of_each(2) == 1


def test_gpus_are_asked_for_as_resources(cluster):
    from netdissect.runtime.ray import RayRuntime

    with RayRuntime(cluster, tasks.Setup(), 1, gpus=1) as workers:
        assert list(workers.map(tasks.visible_gpus, range(2))) == ["0", "0"]


def test_a_worker_that_finds_no_place_is_waited_for_and_then_told(cluster, monkeypatch):
    from netdissect.runtime import ray

    monkeypatch.setattr(ray, "START_SECONDS", 1)
    with (
        ray.RayRuntime(cluster, tasks.Setup(), 1, cpus=64) as workers,
        pytest.raises(RunError, match="each asks for 64 CPUs"),
    ):
        list(workers.map(tasks.square, range(2)))


def test_more_workers_than_places_do_the_work_all_the_same(cluster):
    from netdissect.runtime.ray import RayRuntime

    with RayRuntime(cluster, tasks.Setup(), 5, cpus=1) as workers:
        assert list(workers.map(tasks.square, range(9))) == [n * n for n in range(9)]


def test_a_setup_that_no_node_can_open_is_told_and_not_tried_for_ever(cluster):
    from netdissect.runtime.ray import RayRuntime

    with (
        RayRuntime(cluster, tasks.Unwelcome(), 1) as workers,
        pytest.raises(RunError, match="no software here.*is the same software installed on every node"),
    ):
        list(workers.map(tasks.square, range(2)))


def test_an_item_that_kills_every_worker_is_given_up(cluster, tmp_path, monkeypatch):
    from netdissect.runtime import ray

    monkeypatch.setattr(ray, "ATTEMPTS", 2)
    with (
        ray.RayRuntime(cluster, tasks.Setup(), 1) as workers,
        pytest.raises(RunError, match="lost 2 times over the same piece of work"),
    ):
        list(workers.map(tasks.DieOnce(tmp_path, 1, times=99), range(3)))


def test_code_that_leaves_the_program_is_told_once(cluster):
    from netdissect.runtime.ray import RayRuntime

    told = r"ended the program itself \(sys\.exit\(3\)\) in a worker"
    with RayRuntime(cluster, tasks.Setup(), 1) as workers, pytest.raises(RunError, match=told):
        list(workers.map(tasks.leave, range(4)))


def test_an_actor_that_is_stopped_is_told_of_and_its_work_done_by_another(cluster, tmp_path, monkeypatch, caplog):
    from netdissect.runtime import ray

    monkeypatch.setattr(ray, "SILENCE_SECONDS", 1.0)
    monkeypatch.setattr(ray, "GIVE_UP_SECONDS", 2.0)
    mark = tmp_path / "stopped"
    try:
        with (
            ray.RayRuntime(cluster, tasks.Setup(), 2, cpus=1) as workers,
            caplog.at_level("WARNING", logger="netdissect"),
        ):
            assert list(workers.map(tasks.StopOnce(mark, 1), range(6))) == [n * n for n in range(6)]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(mark.read_text()), signal.SIGKILL)
    assert "of the cluster has given no sign of life for 1 s" in caplog.text
    assert "has been silent for 2 s: its work is done by another" in caplog.text
