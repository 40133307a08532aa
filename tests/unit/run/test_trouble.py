"""What stops a run: disks that are full or read-only, another run, images that cannot be read, signals."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from tests import small_probe_set
from tests.small_runs import dissect_small, interrupt_run, read_tables

from netdissect.errors import DataFileError, RunBusyError
from netdissect.io import atomic


class SmallDisk:
    """A file system of its own, whose size can be changed while it is in use."""

    def __init__(self, folder):
        self.folder = folder

    def mount(self, options):
        mounted = shutil.which("mount") and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)], capture_output=True, check=False
        )
        return bool(mounted) and mounted.returncode == 0

    def change(self, options):
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.folder)], check=True)


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    disk = SmallDisk(folder)
    if not disk.mount("size=64k"):
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_disk_that_fills_up_anywhere_stops_the_run_which_continues_with_space(data, expected, small_disk):
    """The disk grows until the run fits, so it is full once in every kind of file."""
    full = set()
    for kilobytes in range(64, 8192, 120):
        small_disk.change(f"size={kilobytes}k")
        try:
            result = dissect_small(data, small_disk.folder / "r", pictures=True)
        except OSError as error:
            assert error.errno == errno.ENOSPC
            assert error.filename is not None
            full.add("/".join(str(error.filename).split("/")[-2:-1]))
            assert not list(small_disk.folder.rglob("*.part"))
            assert not (small_disk.folder / "r/run.json").exists() or read_tables(small_disk.folder / "r") == expected
        else:
            break
    assert read_tables(small_disk.folder / "r") == expected
    assert result.journal["resumed_shards"] >= 3  # the rest was full when only the report was missing
    assert len(full) > 3, full


def test_a_read_only_disk_is_named(data, small_disk):
    small_disk.change("ro")
    with pytest.raises(OSError) as refused:
        dissect_small(data, small_disk.folder / "r")
    assert refused.value.errno == errno.EROFS
    assert "r" in str(refused.value.filename)


def test_a_full_disk_stops_the_run_which_continues_with_space(data, expected, tmp_path):
    import errno

    with pytest.MonkeyPatch.context() as patch:
        real, calls = os.fsync, []

        def full(descriptor):
            calls.append(descriptor)
            if len(calls) > 22:  # within the third shard: the first is the calibration sample, which is not counted
                raise OSError(errno.ENOSPC, "No space left on device")
            real(descriptor)

        patch.setattr(atomic.os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            dissect_small(data, tmp_path)
    assert not list(tmp_path.rglob("*.part"))
    assert dissect_small(data, tmp_path).journal["resumed_shards"] == 1
    assert read_tables(tmp_path) == expected


@pytest.mark.processes
def test_two_runs_into_one_folder_at_once_are_refused(data, tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from netdissect.results import run_folder\n"
        "with run_folder.lock_run_folder(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunBusyError, match=f"process {holder.pid} on"):
            dissect_small(data, tmp_path)
        holder.kill()
    for _ in range(50):
        if holder.poll() is not None:
            break
        time.sleep(0.1)
    dissect_small(data, tmp_path)


def test_an_unreadable_image_stops_the_run_by_name_or_is_skipped_and_listed(tmp_path):
    data = small_probe_set.write_probe_set(tmp_path / "data", images=40)
    (data / "images/a/image 7.jpg").write_bytes(b"no picture")
    (data / "images/a/image 9_color.png").write_bytes(b"no labels")
    with pytest.raises(DataFileError, match=r"image (7\.jpg|9_color)"):
        dissect_small(data, tmp_path / "stopped")
    result = dissect_small(data, tmp_path / "r", on_error="skip")
    assert sorted(result.journal["skipped_images"]) == ["a/image 7.jpg", "a/image 9.jpg"]
    assert result.probe_set.images == 38
    assert json.loads((tmp_path / "r/run.json").read_text())["skipped_images"]["a/image 7.jpg"]
    lines = (data / "index.csv").read_text().splitlines()
    (data / "index.csv").write_text(
        "\n".join(line for line in lines if "image 7" not in line and "image 9." not in line) + "\n"
    )
    without = dissect_small(data, None)
    np.testing.assert_array_equal(result["conv2"].counts.G, without["conv2"].counts.G)
    np.testing.assert_allclose(result["conv2"].thresholds, without["conv2"].thresholds, rtol=1e-5)


def test_skipping_continues_after_an_interrupt(tmp_path):
    data = small_probe_set.write_probe_set(tmp_path / "data", images=40)
    for n in (3, 20, 33):
        (data / f"images/a/image {n}.jpg").write_bytes(b"")
    dissect_small(data, tmp_path / "whole", on_error="skip")
    interrupt_run(data, tmp_path / "r", 3, on_error="skip")
    result = dissect_small(data, tmp_path / "r", on_error="skip")
    assert result.journal["resumed_shards"] > 0
    assert len(result.journal["skipped_images"]) == 3
    assert read_tables(tmp_path / "r") == read_tables(tmp_path / "whole")
