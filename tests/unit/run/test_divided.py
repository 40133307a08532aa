"""A run has the same tables however it is divided among workers, and whatever happens to them."""

from __future__ import annotations

import multiprocessing
import tempfile

import numpy as np
import pytest
from tests import nets
from tests.small_runs import dissect_small, interrupt_run, read_tables
from tests.tasks import start_fork_server

import netdissect as nd
from netdissect.errors import DataNotFoundError, RunError
from netdissect.results.run_folder import WORK

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module", autouse=True)
def server():
    start_fork_server()


@pytest.mark.parametrize(("workers", "shard_size"), [(1, 4), (1, 12), (2, 4), (2, 12), (3, 4), (3, 12)])
def test_workers_and_shard_size_do_not_change_the_tables(data, expected, tmp_path, workers, shard_size):
    dissect_small(data, tmp_path, workers=workers, shard_size=shard_size)
    assert read_tables(tmp_path) == expected
    assert not (tmp_path / WORK).exists()


def test_workers_without_a_folder_leave_nothing_behind(data, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    result = dissect_small(data, None, workers=2)
    result.save(tmp_path / "saved")
    assert read_tables(tmp_path / "saved") == expected
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_a_killed_worker_costs_only_its_shard(data, expected, tmp_path):
    deaths = tmp_path / "deaths"
    deaths.mkdir()
    dissect_small(data, tmp_path / "r", network=nets.WorkerKillingNet(deaths, times=2), workers=2)
    assert len(list(deaths.iterdir())) == 2
    assert read_tables(tmp_path / "r") == expected


def test_a_network_that_kills_every_worker_ends_the_run_which_can_be_continued(data, expected, tmp_path):
    deaths = tmp_path / "deaths"
    deaths.mkdir()
    interrupt_run(data, tmp_path / "r", 3, network=nets.WorkerKillingNet(deaths, times=0))
    with pytest.raises(RunError, match=r"killed 3 times .* fewer --workers .* run the same command again"):
        dissect_small(data, tmp_path / "r", network=nets.WorkerKillingNet(deaths, times=99), workers=2)
    assert not multiprocessing.active_children()
    result = dissect_small(data, tmp_path / "r", network=nets.WorkerKillingNet(deaths, times=0))
    assert result.journal["resumed_shards"] == 2
    assert read_tables(tmp_path / "r") == expected


def test_workers_that_see_other_folders_are_an_error_that_says_what_to_share(data, tmp_path):
    with pytest.raises(RunError, match=r"memory://x/\w+, .* is not the same folder"):
        dissect_small(data, tmp_path, workers=2, artifacts="memory://x")  # every process has such a folder of its own
    (tmp_path / "data").symlink_to(data)
    from netdissect.probe_sets.broden.reader import Broden

    probe_set = Broden(tmp_path / "data")
    probe_set.folder = tmp_path / "elsewhere"
    with pytest.raises(DataNotFoundError, match=r"elsewhere does not exist on .*put the probe set where every worker"):
        dissect_small(probe_set, tmp_path / "r", workers=2)


def test_image_maxima_are_kept_on_request(data, tmp_path):
    result = dissect_small(data, tmp_path, image_maxima=True)
    layer = result["conv2"]
    assert layer.image_maxima.shape == (40, 8)
    best = layer.image_maxima.argmax(axis=0)
    np.testing.assert_array_equal(best, layer.exemplars.images[:, 0])
    np.testing.assert_array_equal(nd.load(tmp_path)["conv2"].image_maxima, layer.image_maxima)
