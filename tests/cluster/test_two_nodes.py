"""A Ray cluster of two nodes on one machine: same bytes, and a node that goes takes only its shards with it."""

from __future__ import annotations

import threading
import time

import pytest
from tests import folders, nets

import netdissect as nd
from netdissect.engine import dissect as engine

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

OPTIONS = {"quantile": 0.05, "batch_size": 4, "images_per_unit": 3, "pictures": False, "shard_size": 4}


@pytest.fixture
def cluster():
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    yield cluster
    import ray

    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "CALIBRATION_IMAGES", 8)
    return folders.write(tmp_path / "data", images=120)


def tables(folder):
    return {path.name: path.read_bytes() for path in [*folder.glob("*.csv"), *folder.glob("*.parquet")]}


def test_two_nodes_give_the_same_bytes_and_one_may_go_in_the_middle(cluster, data, tmp_path):
    nd.dissect(nets.Slow(0.05), ["conv1", "conv2"], data, out=tmp_path / "here", **OPTIONS)
    removed = []

    def remove():
        work = tmp_path / "there" / ".work"
        while len(list(work.rglob("scan-*.arrays"))) < 15:  # about five of thirty shards are finished
            time.sleep(0.05)
        (node,) = cluster.worker_nodes
        cluster.remove_node(node, allow_graceful=False)
        removed.append(len(list(work.rglob("scan-*.arrays"))))

    remover = threading.Thread(target=remove)
    remover.start()
    nd.dissect(
        nets.Slow(0.05), ["conv1", "conv2"], data, out=tmp_path / "there", runtime="ray", workers=2,
        address=cluster.address, **OPTIONS,
    )  # fmt: skip
    remover.join()
    assert tables(tmp_path / "there") == tables(tmp_path / "here")
    assert 15 <= removed[0] < 29 * 3  # it went while shards were still being scanned


def test_artefacts_and_data_may_lie_where_every_node_reaches_them(cluster, data, tmp_path):
    nd.dissect(nets.small(), ["conv2"], data, out=tmp_path / "here", **OPTIONS)
    nd.dissect(
        nets.small(), ["conv2"], f"file://{data}", out=tmp_path / "there", runtime="ray", workers=2,
        address=cluster.address, artefacts=f"file://{tmp_path}/shared", **OPTIONS,
    )  # fmt: skip
    assert tables(tmp_path / "there") == tables(tmp_path / "here")
