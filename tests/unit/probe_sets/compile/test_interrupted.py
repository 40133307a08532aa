"""A build in worker processes that is killed or interrupted from outside."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from tests.unit.probe_sets import originals

pytestmark = pytest.mark.processes

IMAGES = 240


@pytest.fixture
def sources(tmp_path):
    """DTD with a few hundred images, all the same."""
    root = tmp_path / "sources" / "dtd" / "dtd-r1.0.1"
    originals.write_image(root / "images" / "banded" / "0.jpg", (300, 300))
    for number in range(1, IMAGES):
        shutil.copy(root / "images" / "banded" / "0.jpg", root / "images" / "banded" / f"{number}.jpg")
    (root / "labels").mkdir()
    (root / "labels" / "labels_joint_anno.txt").write_text(
        "\n".join(f"banded/{number}.jpg banded" for number in range(IMAGES))
    )
    return tmp_path / "sources"


def command(sources, out):
    return [
        sys.executable, "-m", "netdissect", "data", "build", "--sources", sources, "--out", out, "--size", "64",
        "--workers", "2", "--quiet",
    ]  # fmt: skip


def bytes_of(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "build.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def until_pieces(process, out, count):
    """Wait until a build has kept some pieces."""
    pieces = out / ".build" / "pieces"
    for _ in range(3000):
        if pieces.is_dir() and len(list(pieces.glob("*.json"))) >= count:
            return
        if process.poll() is not None:
            break
        time.sleep(0.005)
    pytest.fail("the build ended before it could be interrupted")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_build_that_was_stopped_goes_on_to_the_very_bytes(sources, tmp_path, how):
    whole = subprocess.run(command(sources, tmp_path / "whole"), capture_output=True, text=True, check=True)
    assert f"{IMAGES} images" in whole.stdout
    process = subprocess.Popen(
        command(sources, tmp_path / "out"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    until_pieces(process, tmp_path / "out", 3)
    os.killpg(process.pid, how)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL), err
    assert "Traceback" not in err
    if how == signal.SIGINT:
        assert "run the same command again to continue" in " ".join(err.split())
    assert not (tmp_path / "out" / "index.csv").exists()
    again = subprocess.run(command(sources, tmp_path / "out"), capture_output=True, text=True, check=True)
    assert "continuing an unfinished build" in " ".join(again.stdout.split())
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")
