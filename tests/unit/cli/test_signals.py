"""A run that a signal ends cleans up, says how to resume, and resumes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests import small_probe_set
from tests.processes import find_descendants, wait_until

from netdissect.networks.sources.caffe.caffe_writer import write_caffe
from netdissect.networks.sources.caffe.prototxt import parse_prototxt
from netdissect.networks.sources.caffe.random_weights import make_random_weights

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc"),
]

#: So much comes out of every image that the calibration sample is small, and the whole takes some seconds.
WIDE = """
name: "wide" input: "data" input_shape { dim: 1 dim: 3 dim: 64 dim: 64 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 256 kernel_size: 3 pad: 1 } }
"""


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """Return the words of the command, without the run folder."""
    folder = tmp_path_factory.mktemp("signals")
    net = parse_prototxt(WIDE)
    write_caffe(folder / "wide", net, make_random_weights(net, seed=0))
    data = small_probe_set.write_probe_set(folder / "set", images=90, size=(64, 64), labels=(32, 32))
    command = [sys.executable, "-m", "netdissect", "run", folder / "wide", "--layers", "conv1", "--data", data]
    return [*command, "--batch-size", "2", "--shard-size", "2", "--images-per-unit", "0", "--no-pictures", "--out"]


@pytest.fixture(scope="module")
def expected(words, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    subprocess.run([*words, folder], check=True, capture_output=True)
    return (folder / "conv1-result.csv").read_bytes()


@pytest.mark.parametrize(
    ("end", "workers", "code"),
    [(signal.SIGINT, 2, 130), (signal.SIGTERM, 1, 143)],
    ids=["Ctrl-C with workers", "SIGTERM alone"],
)
def test_a_signal_ends_a_run_cleanly_and_the_same_command_resumes_it(words, expected, tmp_path, end, workers, code):
    command = [*words, tmp_path, "--workers", str(workers)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as run:
        wait_until(lambda: len(list(tmp_path.glob(".work/*/scan-*.arrays"))) > 4, "the first shards")
        started = find_descendants(run.pid)
        if end == signal.SIGINT:
            os.killpg(run.pid, end)  # as a terminal does: everybody in the foreground gets it
        else:
            run.send_signal(end)
        err = run.communicate(timeout=120)[1]
    assert run.returncode == code, err
    assert "; the same command continues from there" in err
    assert "Traceback" not in err
    assert (
        len([line for line in err.splitlines() if "images, " not in line]) == 1
    )  # beside lines about progress, if it is slow
    assert not list(tmp_path.rglob("*.part"))
    assert not (tmp_path / ".lock").exists()
    wait_until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in started), "every process to end")
    finished = len(list(tmp_path.glob(".work/*/scan-*.arrays")))
    assert finished > 4
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "conv1-result.csv").read_bytes() == expected


#: A command that receives a signal while it works. It has a process of its own: libraries that other tests load may have
#: ways of their own with signals.
TOLD_TO_END = """
import os, signal, sys
from netdissect.cli import app
number = getattr(signal, sys.argv[1])
before = signal.getsignal(number)
app.app = lambda *_, **__: os.kill(os.getpid(), number)
try:
    app.main(["layers", "x"])
finally:
    assert signal.getsignal(number) is before
"""


@pytest.mark.parametrize(("end", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_every_command_exits_with_the_code_of_the_signal(end, code):
    left = subprocess.run([sys.executable, "-c", TOLD_TO_END, end], capture_output=True, text=True, check=False)
    assert left.returncode == code
    assert re.fullmatch(r"netdissect: interrupted; .*same command again.*\n", left.stderr)
