"""A run gives the same result however it is divided, and goes on after anything that stops it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests import folders, nets

import netdissect as nd
from netdissect import atomic
from netdissect.engine import dissect as engine
from netdissect.errors import DataFileError, RunBusyError
from netdissect.runs import WORK

LAYERS = ["conv1", "conv2"]
OPTIONS = {"quantile": 0.05, "batch_size": 4, "images_per_unit": 3, "pictures": False}


@pytest.fixture(scope="module", autouse=True)
def small_calibration():
    """A calibration sample of 8 images, so that 40 images make five shards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "CALIBRATION_IMAGES", 8)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return folders.write(tmp_path_factory.mktemp("data") / "small", images=40)


@pytest.fixture(scope="module")
def expected(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("expected")
    run(data, folder)
    return tables(folder)


def run(data, folder, **options):
    return nd.dissect(nets.small(), LAYERS, data, out=folder, **{**OPTIONS, "shard_size": 8, **options})


def tables(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.csv"))} | {
        path.name: path.read_bytes() for path in sorted(folder.glob("*.parquet"))
    }


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("shard_size", [4, 12])
def test_any_number_of_workers_and_any_size_of_shards_give_the_same_bytes(
    data, expected, tmp_path, workers, shard_size
):
    run(data, tmp_path, workers=workers, shard_size=shard_size)
    assert tables(tmp_path) == expected
    assert not (tmp_path / WORK).exists()


def test_workers_without_a_folder_leave_nothing_behind(data, expected, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    result = nd.dissect(nets.small(), LAYERS, data, **OPTIONS, workers=2)
    result.save(tmp_path / "saved")
    assert tables(tmp_path / "saved") == expected
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


@pytest.mark.cluster
def test_a_ray_cluster_gives_the_same_bytes(data, expected, tmp_path):
    pytest.importorskip("ray")
    run(data, tmp_path, runtime="ray", workers=2)
    assert tables(tmp_path) == expected


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
def test_a_crash_at_any_write_loses_nothing_but_the_shard_at_hand(data, expected, tmp_path):
    crashes = 0
    for number in range(1, 200, 3):  # every write syncs twice, the file and its folder: both are hit
        folder = tmp_path / "r"
        with pytest.MonkeyPatch.context() as patch:
            crash_at(patch, number)
            try:
                run(data, folder)
            except Crash:
                crashes += 1
                assert tables(folder) == expected or not (folder / "run.json").exists()
            else:
                break
        result = run(data, folder)
        assert tables(folder) == expected
        assert not list(folder.rglob("*.part"))
        if number > 14:  # the first two shards are stored by then
            assert result.journal["resumed_shards"] > 0
        for path in folder.iterdir():
            path.unlink()
    else:
        pytest.fail("the run never came to an end")
    assert crashes > 10


SCRIPT = """
import sys, netdissect as nd
from tests import nets
from netdissect.engine import dissect as engine
engine.CALIBRATION_IMAGES = 8
import tests.unit.test_runs as t
import netdissect.engine.tasks as tasks, os, signal
keep = tasks.keep
def kill_after(store, shard, found, kind="scan"):
    receipt = keep(store, shard, found, kind)
    if shard.number == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return receipt
tasks.keep = kill_after
t.run(sys.argv[1], t.Path(sys.argv[2]))
"""


def test_a_killed_run_goes_on_from_its_finished_shards(data, expected, tmp_path):
    script = SCRIPT.replace("t.Path", "__import__('pathlib').Path")
    for number in (0, 3, 4):
        killed = subprocess.run(
            [sys.executable, "-c", script, str(data), str(tmp_path), str(number)], check=False, cwd=Path.cwd(),
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )  # fmt: skip
        assert killed.returncode == -signal.SIGKILL
    result = run(data, tmp_path)
    assert result.journal["resumed_shards"] >= 3
    assert tables(tmp_path) == expected


def interrupted(data, folder, after, **options):
    """Run until some shards are finished, then stop as Ctrl-C does."""
    from netdissect.engine import tasks

    keep = tasks.keep

    def stop(store, shard, found, kind="scan"):
        if shard.number == after:
            raise KeyboardInterrupt
        return keep(store, shard, found, kind)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "keep", stop)
        with pytest.raises(KeyboardInterrupt) as stopped:
            run(data, folder, **options)
    return str(stopped.value)


def test_an_interrupt_says_how_far_it_came(data, tmp_path):
    assert interrupted(data, tmp_path, 3) == "interrupted after 3 of 5 shards"


def test_other_settings_never_reuse_anything(data, tmp_path):
    for n, other in enumerate(
        [{"quantile": 0.1}, {"batch_size": 8}, {"seed": 1}, {"limit": 30}, {"images_per_unit": 2}]
    ):
        folder = tmp_path / str(n)
        interrupted(data, folder, 3)
        result = run(data, folder, **other)
        assert result.journal["resumed_shards"] == 0
        run(data, tmp_path / f"alone {n}", **other)
        assert tables(folder) == tables(tmp_path / f"alone {n}")


def test_other_weights_never_reuse_anything(data, tmp_path):
    interrupted(data, tmp_path, 3)
    result = nd.dissect(nets.small(seed=1), LAYERS, data, out=tmp_path, **OPTIONS, shard_size=8)
    assert result.journal["resumed_shards"] == 0


def test_another_layer_gives_another_result(data, tmp_path):
    interrupted(data, tmp_path, 3)
    result = nd.dissect(nets.small(), ["relu1"], data, out=tmp_path, **OPTIONS, shard_size=8)
    assert result.journal["resumed_shards"] == 0


def test_a_changed_table_of_the_probe_set_never_reuses_anything(tmp_path):
    data = folders.write(tmp_path / "data", images=40)
    interrupted(data, tmp_path / "r", 3)
    index = (data / "index.csv").read_text().splitlines()
    (data / "index.csv").write_text("\n".join(index[:-1]) + "\n")
    assert run(data, tmp_path / "r").journal["resumed_shards"] == 0


def test_fresh_starts_over(data, expected, tmp_path):
    interrupted(data, tmp_path, 3)
    result = run(data, tmp_path, fresh=True)
    assert result.journal["resumed_shards"] == 0
    assert tables(tmp_path) == expected


def test_a_corrupt_artefact_is_found_and_made_again(data, expected, tmp_path):
    interrupted(data, tmp_path, 4)
    (victim,) = tmp_path.glob(f"{WORK}/*/scan-00002-conv2.arrays")
    victim.write_bytes(victim.read_bytes()[:-40] + b"x" * 40)
    result = run(data, tmp_path)
    assert result.journal["resumed_shards"] == 2  # shards 1 and 3, beside the calibration sample
    assert tables(tmp_path) == expected


def test_finished_shards_are_not_run_through_the_network_again(data, tmp_path):
    interrupted(data, tmp_path, 4)
    seen = []
    network = nets.small()
    network.conv1.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    nd.dissect(network, LAYERS, data, out=tmp_path, **OPTIONS, shard_size=8)
    assert sum(seen) <= 8 + 4  # one shard, and the empty pictures of the traces


def test_intermediate_results_can_be_kept(data, tmp_path):
    run(data, tmp_path, keep=True)
    assert list((tmp_path / WORK).rglob("*.arrays"))
    assert run(data, tmp_path).journal["resumed_shards"] == 4
    assert not (tmp_path / WORK).exists()


def test_artefacts_may_lie_behind_a_url(data, expected, tmp_path):
    run(data, tmp_path, artefacts="memory://bucket/artefacts")
    assert tables(tmp_path) == expected


def test_a_full_disk_stops_the_run_and_space_lets_it_go_on(data, expected, tmp_path):
    import errno

    with pytest.MonkeyPatch.context() as patch:
        real, calls = os.fsync, []

        def full(descriptor):
            calls.append(descriptor)
            if len(calls) > 14:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(descriptor)

        patch.setattr(atomic.os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            run(data, tmp_path)
    assert not list(tmp_path.rglob("*.part"))
    assert run(data, tmp_path).journal["resumed_shards"] > 0
    assert tables(tmp_path) == expected


def test_two_runs_into_one_folder_at_once_are_refused(data, tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from netdissect.runtime import lock\n"
        "with lock.held(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunBusyError, match=f"process {holder.pid} on"):
            run(data, tmp_path)
        holder.kill()
    for _ in range(50):
        if holder.poll() is not None:
            break
        time.sleep(0.1)
    run(data, tmp_path)


def test_an_unreadable_image_stops_the_run_by_name_or_is_skipped_and_listed(tmp_path):
    data = folders.write(tmp_path / "data", images=40)
    (data / "images/a/picture 7.jpg").write_bytes(b"no picture")
    (data / "images/a/picture 9_color.png").write_bytes(b"no labels")
    with pytest.raises(DataFileError, match=r"picture (7\.jpg|9_color)"):
        run(data, tmp_path / "stopped")
    result = run(data, tmp_path / "r", on_error="skip")
    assert sorted(result.journal["skipped_images"]) == ["a/picture 7.jpg", "a/picture 9.jpg"]
    assert result.probe_set.images == 38
    assert json.loads((tmp_path / "r/run.json").read_text())["skipped_images"]["a/picture 7.jpg"]
    lines = (data / "index.csv").read_text().splitlines()
    (data / "index.csv").write_text(
        "\n".join(line for line in lines if "picture 7" not in line and "picture 9." not in line) + "\n"
    )
    without = nd.dissect(nets.small(), LAYERS, data, **OPTIONS)
    np.testing.assert_array_equal(result["conv2"].counts.G, without["conv2"].counts.G)
    np.testing.assert_allclose(result["conv2"].thresholds, without["conv2"].thresholds, rtol=1e-5)


def test_skipping_goes_on_after_an_interrupt(tmp_path):
    data = folders.write(tmp_path / "data", images=40)
    for n in (3, 20, 33):
        (data / f"images/a/picture {n}.jpg").write_bytes(b"")
    run(data, tmp_path / "whole", on_error="skip")
    interrupted(data, tmp_path / "r", 3, on_error="skip")
    result = run(data, tmp_path / "r", on_error="skip")
    assert result.journal["resumed_shards"] > 0
    assert len(result.journal["skipped_images"]) == 3
    assert tables(tmp_path / "r") == tables(tmp_path / "whole")


def test_image_maxima_are_kept_on_request(data, tmp_path):
    result = run(data, tmp_path, image_maxima=True)
    layer = result["conv2"]
    assert layer.image_maxima.shape == (40, 8)
    best = layer.image_maxima.argmax(axis=0)
    np.testing.assert_array_equal(best, layer.exemplars.images[:, 0])
    np.testing.assert_array_equal(nd.load(tmp_path)["conv2"].image_maxima, layer.image_maxima)
