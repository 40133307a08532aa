"""Commands make no network requests unless the user asks for a download."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests import small_probe_set, small_runs

import netdissect as nd
from netdissect.networks.sources.caffe.caffe_writer import write_caffe
from netdissect.networks.sources.caffe.prototxt import parse_prototxt
from netdissect.networks.sources.caffe.random_weights import make_random_weights

#: Script that runs commands and prints every attempt to reach the network, by an audit hook.
SCRIPT = """
import json, sys
attempts = []

def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"):
        attempts.append([event, str(arguments)])
    if event in ("socket.connect", "socket.sendto", "socket.bind") and isinstance(arguments[1], tuple):
        attempts.append([event, str(arguments[1])])

sys.addaudithook(watch)
from netdissect.cli import main

if __name__ == "__main__":
    for words in json.loads(sys.argv[1]):
        try:
            main(words)
        except SystemExit as left:
            print(json.dumps([left.code, attempts]), flush=True)
"""

TEXT = """
name: "small" input: "data" input_shape { dim: 1 dim: 3 dim: 32 dim: 32 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param { num_output: 5 kernel_size: 5 } }
"""


def run_watched(folder, *commands):
    """Run commands in one process; return each one's exit code and all attempts so far."""
    (folder / "watched.py").write_text(SCRIPT)
    words = json.dumps([[str(word) for word in command] for command in commands])
    ended = subprocess.run(
        [sys.executable, folder / "watched.py", words], capture_output=True, text=True, check=False, cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    lines = [line for line in ended.stdout.splitlines() if line.startswith("[")]
    assert len(lines) == len(commands), ended.stderr
    return [tuple(json.loads(line)) for line in lines]


def test_a_run_and_its_report_make_no_requests(tmp_path):
    net = parse_prototxt(TEXT)
    write_caffe(tmp_path / "small", net, make_random_weights(net, seed=0))
    data = small_probe_set.write_probe_set(tmp_path / "set", images=6)
    run = ["run", tmp_path / "small", "--layers", "conv1", "--data", data, "--images-per-unit", "3", "--quiet"]
    answers = run_watched(
        tmp_path,
        [*run, "--out", tmp_path / "r"],
        ["report", tmp_path / "r", "--single-file"],
        ["layers", tmp_path / "small"],
        ["data", "list"],
        ["compare", tmp_path / "r", "--out", tmp_path / "figure.svg"],
    )
    assert [code for code, _ in answers] == [0] * 5
    assert answers[-1][1] == []
    assert (tmp_path / "r/report.html").is_file()


def test_an_attempt_is_noticed(tmp_path):
    """A download makes a request, so the test above can fail."""
    ((code, attempts),) = run_watched(tmp_path, ["data", "download", "broden1_224", "--into", tmp_path / "there"])
    assert code != 0
    assert attempts


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/set", "s3://bucket/set", "memory://set"])
def test_an_address_in_a_runs_record_is_not_followed(tmp_path, address):
    data = small_probe_set.write_probe_set(tmp_path / "set", images=4)
    small_runs.dissect_small(data, tmp_path / "r")
    record = json.loads((tmp_path / "r/run.json").read_text())
    record["probe_set"]["path"] = address
    (tmp_path / "r/run.json").write_text(json.dumps(record))
    assert nd.load(tmp_path / "r").open_probe_set() is None
    record["probe_set"]["path"] = str(data)
    (tmp_path / "r/run.json").write_text(json.dumps(record))
    assert Path(nd.load(tmp_path / "r").open_probe_set().path) == data
