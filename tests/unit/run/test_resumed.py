"""A run continues after any interruption, from its finished shards and only from those."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest
from tests import nets, small_probe_set
from tests.small_runs import dissect_small, interrupt_run, read_tables
from tests.tasks import start_fork_server

from netdissect.errors import FolderTakenError
from netdissect.io import atomic
from netdissect.results.run_folder import WORK


class Crash(BaseException):
    """Stands for the end of the process: no handler of ours may swallow it."""


def crash_at(monkeypatch, number):
    """Crash at the number-th file that is written: before it is synced, or before it is renamed."""
    calls = []
    real = os.fsync

    def fsync(descriptor):
        calls.append(descriptor)
        if len(calls) == number:
            raise Crash
        real(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", fsync)
    return calls


@pytest.mark.slow
def test_a_crash_at_any_write_loses_only_the_current_shard(data, expected, tmp_path):
    crashes = 0
    for number in range(1, 260, 7):  # every write syncs twice, the file and its folder: both are hit
        folder = tmp_path / "r"
        with pytest.MonkeyPatch.context() as patch:
            crash_at(patch, number)
            try:
                dissect_small(data, folder)
            except Crash:
                crashes += 1
                assert read_tables(folder) == expected or not (folder / "run.json").exists()
            else:
                break
        finished = (folder / "run.json").exists()  # a crash after the last file: nothing is left to do
        result = dissect_small(data, folder)
        assert read_tables(folder) == expected
        assert not list(folder.rglob("*.part"))
        if number > 20 and not finished:  # the first two shards are stored by then
            assert result.journal["resumed_shards"] > 0
        for path in folder.iterdir():
            path.unlink()
    else:
        pytest.fail("the run never came to an end")
    assert crashes > 10


def run_and_kill(data, folder, number):
    """In a process of its own: kill it when a shard has just been stored."""
    from netdissect.engine import dissect as engine
    from netdissect.engine import tasks

    engine.CALIBRATION_IMAGES = 8
    keep = tasks.store_scan

    def kill_after(store, shard, found, kind="scan"):
        receipt = keep(store, shard, found, kind)
        if shard.number == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return receipt

    tasks.store_scan = kill_after
    dissect_small(data, folder)


@pytest.mark.processes
def test_a_killed_run_continues_from_its_finished_shards(data, expected, tmp_path):
    start_fork_server()
    for number in (0, 3, 4):
        killed = multiprocessing.get_context("forkserver").Process(target=run_and_kill, args=(data, tmp_path, number))
        killed.start()
        killed.join()
        assert killed.exitcode == -signal.SIGKILL
    result = dissect_small(data, tmp_path)
    assert result.journal["resumed_shards"] >= 3
    assert read_tables(tmp_path) == expected


def test_an_interrupt_says_how_far_it_came(data, tmp_path):
    said = interrupt_run(data, tmp_path, 3)
    assert "after 3 of 5 shards" in said and "same command" in said


def test_other_settings_never_reuse_anything(data, tmp_path):
    for n, other in enumerate(
        [{"quantile": 0.1}, {"batch_size": 8}, {"seed": 1}, {"limit": 30}, {"images_per_unit": 2}]
    ):
        folder = tmp_path / str(n)
        interrupt_run(data, folder, 3)
        with pytest.raises(FolderTakenError, match="--fresh removes them, or choose another --out"):
            dissect_small(data, folder, **other)
        result = dissect_small(data, folder, fresh=True, **other)
        assert result.journal["resumed_shards"] == 0
        dissect_small(data, tmp_path / f"alone {n}", **other)
        assert read_tables(folder) == read_tables(tmp_path / f"alone {n}")


def test_other_weights_never_reuse_anything(data, tmp_path):
    interrupt_run(data, tmp_path, 3)
    with pytest.raises(FolderTakenError):
        dissect_small(data, tmp_path, network=nets.make_small_net(seed=1))
    result = dissect_small(data, tmp_path, network=nets.make_small_net(seed=1), fresh=True)
    assert result.journal["resumed_shards"] == 0


def test_another_layer_gives_another_result(data, tmp_path):
    interrupt_run(data, tmp_path, 3)
    with pytest.raises(FolderTakenError):
        dissect_small(data, tmp_path, layers=["relu1"])
    result = dissect_small(data, tmp_path, layers=["relu1"], fresh=True)
    assert result.journal["resumed_shards"] == 0


def test_a_changed_table_of_the_probe_set_never_reuses_anything(tmp_path):
    data = small_probe_set.write_probe_set(tmp_path / "data", images=40)
    interrupt_run(data, tmp_path / "r", 3)
    index = (data / "index.csv").read_text().splitlines()
    (data / "index.csv").write_text("\n".join(index[:-1]) + "\n")
    with pytest.raises(FolderTakenError):
        dissect_small(data, tmp_path / "r")
    assert dissect_small(data, tmp_path / "r", fresh=True).journal["resumed_shards"] == 0


def test_fresh_starts_over(data, expected, tmp_path):
    interrupt_run(data, tmp_path, 3)
    result = dissect_small(data, tmp_path, fresh=True)
    assert result.journal["resumed_shards"] == 0
    assert read_tables(tmp_path) == expected


def test_a_damaged_intermediate_result_is_computed_again(data, expected, tmp_path):
    interrupt_run(data, tmp_path, 4)
    (victim,) = tmp_path.glob(f"{WORK}/*/scan-00002-conv2.arrays")
    victim.write_bytes(victim.read_bytes()[:-40] + b"x" * 40)
    result = dissect_small(data, tmp_path)
    assert result.journal["resumed_shards"] == 2  # shards 1 and 3, beside the calibration sample
    assert read_tables(tmp_path) == expected


def test_finished_shards_are_not_scanned_again(data, tmp_path):
    interrupt_run(data, tmp_path, 4)
    seen = []
    network = nets.make_small_net()
    network.conv1.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    dissect_small(data, tmp_path, network=network)
    assert sum(seen) <= 8 + 4  # one shard, and the empty images of the traces


def test_intermediate_results_can_be_kept(data, tmp_path):
    dissect_small(data, tmp_path, keep=True)
    assert list((tmp_path / WORK).rglob("*.arrays"))
    (tmp_path / "run.json").unlink()
    assert dissect_small(data, tmp_path).journal["resumed_shards"] == 4
    assert not (tmp_path / WORK).exists()


def test_artefacts_at_a_url_are_removed_when_the_run_succeeds(data, expected, tmp_path):
    import fsspec

    where = {"artifacts": "memory://artifacts-bucket/run"}
    interrupt_run(data, tmp_path, 3, **where)
    assert fsspec.filesystem("memory").find("/artifacts-bucket")
    assert dissect_small(data, tmp_path, **where).journal["resumed_shards"] == 2
    assert read_tables(tmp_path) == expected
    assert not fsspec.filesystem("memory").find("/artifacts-bucket")


def test_fresh_and_keep_hold_for_artefacts_elsewhere_too(data, tmp_path):
    where = {"artifacts": str(tmp_path / "elsewhere")}
    interrupt_run(data, None, 3, **where)
    assert dissect_small(data, None, fresh=True, keep=True, **where).journal["resumed_shards"] == 0
    assert dissect_small(data, None, **where).journal["resumed_shards"] == 4
    assert not list((tmp_path / "elsewhere").iterdir())
