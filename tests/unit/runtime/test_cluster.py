"""Which Ray cluster is used: the one that is named, one that answers, or a new one; none is waited for without end."""

from __future__ import annotations

import socket

import pytest

from netdissect.errors import RunError, SettingsError
from netdissect.runtime import cluster
from netdissect.runtime.cluster import RayCluster, share_cpus_evenly

pytest.importorskip("ray")
pytestmark = pytest.mark.processes


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Record an address where ``ray start`` does."""
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def record(address):
        (tmp_path / "ray").mkdir()
        (tmp_path / "ray" / "ray_current_cluster").write_text(address)

    return record


@pytest.fixture
def started(monkeypatch):
    """The addresses of clusters that would be connected to."""
    addresses = []
    monkeypatch.setattr(RayCluster, "_init", lambda self, address, failed: addresses.append(address))
    return addresses


@pytest.fixture
def silent():
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def closed():
    """A port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


def test_without_any_cluster_one_is_started_here(recorded, started):
    RayCluster()
    assert started == ["local"]


def test_a_recorded_cluster_that_has_ended_is_not_waited_for(recorded, started, closed):
    recorded(closed)
    RayCluster()
    assert started == ["local"]


def test_a_recorded_cluster_that_does_not_answer_is_not_waited_for(recorded, started, silent, monkeypatch):
    """A run once waited without end for a recorded cluster that did not answer any more."""
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 3)
    recorded(silent)
    RayCluster()
    assert started == ["local"]


def test_a_cluster_that_answers_is_used(recorded, started, silent, monkeypatch):
    monkeypatch.setattr(cluster, "find_cluster_problem", lambda _: None)
    recorded(silent)
    RayCluster()
    assert started == [silent]


def test_a_named_cluster_that_does_not_answer_is_reported_in_a_sentence(started, silent, closed, monkeypatch, recorded):
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 3)
    with pytest.raises(RunError, match=rf"cluster at {silent} .* not answer within 3 s"):
        RayCluster(silent)
    with pytest.raises(RunError, match=rf"cluster at {closed} .*nothing listens there.*or leave out --address"):
        RayCluster(closed)
    monkeypatch.setenv("RAY_ADDRESS", closed)
    with pytest.raises(RunError, match="nothing listens there"):
        RayCluster()
    monkeypatch.setenv("RAY_ADDRESS", "local")
    RayCluster()
    assert started == ["local"]


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "head:port", ":", "auto"])
def test_an_address_that_is_none_is_reported_what_one_looks_like(address, started):
    with pytest.raises(SettingsError, match="--address takes HOST:PORT"):
        RayCluster(address)


@pytest.mark.parametrize(
    ("nodes", "count", "gpus", "share"),
    [
        ([(8, 0)], 2, 0, 4),
        ([(1, 0), (1, 0)], 1, 0, 1),
        ([(8, 0), (8, 0), (2, 0)], 3, 0, 4),
        ([(64, 8), (64, 8)], 16, 1, 8),
        ([(64, 8), (64, 0)], 8, 1, 8),
        ([(4, 0)], 9, 0, 1),
        ([], 3, 0, 1),
        ([(2.5, 0)], 1, 0, 2),
    ],
)
def test_cpus_are_divided_so_that_all_workers_fit(nodes, count, gpus, share):
    assert share_cpus_evenly(nodes, count, gpus) == share


@pytest.mark.cluster
def test_a_new_cluster_is_shut_down_with_its_block(recorded, tmp_path, monkeypatch):
    import ray

    monkeypatch.setenv("RAY_TMPDIR", "/tmp")  # names of sockets must be short
    monkeypatch.setenv("RAY_ADDRESS", "local")
    with RayCluster() as own:
        assert len(own.ray.nodes()) == 1
    assert not ray.is_initialized()
