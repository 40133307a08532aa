"""The runtime of a Ray cluster: what every runtime does, and GPUs, room, lost and stopped actors."""

from __future__ import annotations

import contextlib
import os
import signal

import pytest
from tests import tasks
from tests.runtimes import WorkerRuntimeTests

from netdissect.errors import RunError
from netdissect.runtime.cluster import RayCluster

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def cluster(two_nodes):
    with RayCluster(two_nodes.address) as connected:
        yield connected


class TestRay(WorkerRuntimeTests):
    @pytest.fixture(autouse=True)
    def connected(self, cluster):
        self.cluster = cluster

    @contextlib.contextmanager
    def workers(self, setup):
        from netdissect.runtime.ray import RayRuntime

        with RayRuntime(self.cluster, setup, 2, cpus=1) as runtime:
            yield runtime


def test_cpus_and_gpus_are_counted_over_all_nodes(cluster):
    assert cluster.gpus == 1
    assert cluster.share_cpus(2) == 1


def test_gpus_are_requested_as_resources(cluster):
    from netdissect.runtime.ray import RayRuntime

    with RayRuntime(cluster, tasks.ContextSetup(), 1, gpus=1) as workers:
        assert list(workers.map(tasks.get_visible_gpus, range(2))) == ["0", "0"]


def test_a_worker_the_cluster_has_no_room_for_is_an_error_after_a_while(cluster, monkeypatch):
    from netdissect.runtime import ray

    monkeypatch.setattr(ray, "START_SECONDS", 1)
    with (
        ray.RayRuntime(cluster, tasks.ContextSetup(), 1, cpus=64) as workers,
        pytest.raises(RunError, match="each asks for 64 CPUs"),
    ):
        list(workers.map(tasks.square, range(2)))


def test_the_work_is_done_with_more_workers_than_the_cluster_has_room_for(cluster):
    from netdissect.runtime.ray import RayRuntime

    with RayRuntime(cluster, tasks.ContextSetup(), 5, cpus=1) as workers:
        assert list(workers.map(tasks.square, range(9))) == [n * n for n in range(9)]


def test_a_setup_that_no_node_can_unpickle_is_an_error(cluster):
    from netdissect.runtime.ray import RayRuntime

    with (
        RayRuntime(cluster, tasks.UnloadableSetup(), 1) as workers,
        pytest.raises(RunError, match="no software here.*is the same software installed on every node"),
    ):
        list(workers.map(tasks.square, range(2)))


def test_an_item_that_kills_every_worker_ends_the_run(cluster, tmp_path, monkeypatch):
    from netdissect.runtime import ray

    monkeypatch.setattr(ray, "ATTEMPTS", 2)
    with (
        ray.RayRuntime(cluster, tasks.ContextSetup(), 1) as workers,
        pytest.raises(RunError, match="lost 2 times on the same piece of work"),
    ):
        list(workers.map(tasks.DieOnce(tmp_path, 1, times=99), range(3)))


def test_code_that_exits_in_a_worker_is_an_error(cluster):
    from netdissect.runtime.ray import RayRuntime

    told = r"ended the program itself \(sys\.exit\(3\)\) in a worker"
    with RayRuntime(cluster, tasks.ContextSetup(), 1) as workers, pytest.raises(RunError, match=told):
        list(workers.map(tasks.exit_at_two, range(4)))


def test_a_stopped_actor_is_reported_and_its_item_is_done_by_another(cluster, tmp_path, monkeypatch, caplog):
    from netdissect.runtime import ray

    monkeypatch.setattr(ray, "SILENCE_SECONDS", 1.0)
    monkeypatch.setattr(ray, "GIVE_UP_SECONDS", 2.0)
    mark = tmp_path / "stopped"
    try:
        with (
            ray.RayRuntime(cluster, tasks.ContextSetup(), 2, cpus=1) as workers,
            caplog.at_level("WARNING", logger="netdissect"),
        ):
            assert list(workers.map(tasks.StopOnce(mark, 1), range(6))) == [n * n for n in range(6)]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(mark.read_text()), signal.SIGKILL)
    assert "of the cluster has not answered for 1 s" in caplog.text
    assert "has not answered for 2 s: another worker takes over" in caplog.text
