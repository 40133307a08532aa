"""Runs on a cluster of two nodes give the same bytes, even if a node is lost."""

from __future__ import annotations

import threading
import time

import pytest
from tests import nets, small_probe_set

import netdissect as nd
from netdissect.engine import dissect as engine
from netdissect.errors import RunError, SettingsError

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

LAYERS = ["conv1", "conv2"]
OPTIONS = {"quantile": 0.05, "batch_size": 4, "images_per_unit": 3, "pictures": False, "shard_size": 4, "device": "cpu"}


@pytest.fixture(scope="module", autouse=True)
def small_calibration():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "CALIBRATION_IMAGES", 8)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "small", images=100)


@pytest.fixture(scope="module")
def expected(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("here")
    nd.dissect(nets.SlowNet(0), LAYERS, data, out=folder, **OPTIONS)
    return tables(folder)


def run(two_nodes, data, folder, *, network=None, **options):
    return nd.dissect(
        network or nets.SlowNet(0), LAYERS, data, out=folder, runtime="ray", address=two_nodes.address,
        **{**OPTIONS, "workers": 2, **options},
    )  # fmt: skip


def tables(folder):
    return {path.name: path.read_bytes() for path in [*folder.glob("*.csv"), *folder.glob("*.parquet")]}


def test_data_and_artefacts_may_lie_where_every_node_reaches_them(two_nodes, data, expected, tmp_path):
    run(two_nodes, f"file://{data}", tmp_path / "there", artifacts=f"file://{tmp_path}/shared")
    assert tables(tmp_path / "there") == expected
    assert not list((tmp_path / "shared").glob("*"))


def test_a_node_that_does_not_see_the_intermediate_results_is_reported_by_name(two_nodes, data, tmp_path):
    with pytest.raises(RunError, match=r"memory://x/\w+, .* not the same folder on"):
        run(two_nodes, data, tmp_path, artifacts="memory://x", workers=1)


def test_without_a_word_the_clusters_gpus_are_used(two_nodes, data, tmp_path):
    """Its second node only claims to have one, so a worker is put there, looks for it, and says so."""
    with pytest.raises(SettingsError, match="torch sees no CUDA device on"):
        run(two_nodes, data, tmp_path, device="auto", workers=1)
    with pytest.raises(SettingsError, match="use --device cuda, and Ray assigns the GPUs"):
        run(two_nodes, data, tmp_path, device="cuda:1")


def test_a_node_goes_in_the_middle_of_a_run_and_takes_only_its_shards_with_it(two_nodes, data, expected, tmp_path):
    removed = []

    def remove():
        work = tmp_path / ".work"
        while len(list(work.rglob("scan-*.arrays"))) < 15:  # 5 of 24 shards are finished
            time.sleep(0.05)
        (node,) = two_nodes.worker_nodes
        two_nodes.remove_node(node, allow_graceful=False)
        removed.append(len(list(work.rglob("scan-*.arrays"))))

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        run(two_nodes, data, tmp_path, network=nets.SlowNet(0.05))
    finally:
        remover.join()
        two_nodes.add_node(num_cpus=1, num_gpus=1)
        two_nodes.wait_for_nodes()
    assert tables(tmp_path) == expected
    assert 15 <= removed[0] < 24 * 3  # the node was lost during the scan


def test_what_a_cluster_began_one_machine_may_finish(two_nodes, data, expected, tmp_path):
    def stop(scanned):
        if scanned >= 48:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"interrupted after \d+ of 24 shards"):
        run(two_nodes, data, tmp_path, progress=CallingProgress(stop))
    result = nd.dissect(nets.SlowNet(0), LAYERS, data, out=tmp_path, **OPTIONS)
    assert result.journal["resumed_shards"] >= 10
    assert tables(tmp_path) == expected


class CallingProgress:
    """A Progress that calls a function with the number of images that were scanned."""

    def __init__(self, call):
        self.call, self.scanned = call, 0

    def start(self, task, total):
        self.scanned = 0

    def advance(self, steps):
        self.scanned += steps
        self.call(self.scanned)
