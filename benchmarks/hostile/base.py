"""Write what attempts copy: a probe set, a Caffe network, a finished run, and numba's compiled kernels."""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from tests import small_probe_set

import netdissect
from benchmarks import machine
from benchmarks.hostile.children import run_command_and_exit
from netdissect.networks.sources.caffe.caffe_writer import write_caffe
from netdissect.networks.sources.caffe.prototxt import parse_prototxt
from netdissect.networks.sources.caffe.random_weights import make_random_weights

NETWORK = """
name: "small" input: "data" input_shape { dim: 1 dim: 3 dim: 32 dim: 32 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 5 kernel_size: 5 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2"
        convolution_param { num_output: 4 kernel_size: 3 } }
"""


def write_base(base: Path) -> None:
    """Write the folder that attempts copy from, and import in this process everything that attempts need.

    `orphan` is a run whose probe set no longer exists. Runs are made in forked children.
    """
    torch.set_num_threads(1)  # children are forked without the threads of this process, and would wait for them
    small_probe_set.write_probe_set(base / "set", images=6)
    small_probe_set.write_probe_set(base / "gone", images=6)
    net = parse_prototxt(NETWORK)
    (base / "net").mkdir()
    write_caffe(base / "net/small", net, make_random_weights(net, seed=0))
    _import_everything()
    small = ("--images-per-unit", "2", "--quiet")
    run = ["run", base / "net/small", "--layers", "conv1", "conv2", "--data", base / "set", *small, "--out"]
    orphan = ["run", base / "net/small", "--layers", "conv1", "--data", base / "gone", *small, "--out"]
    for words in ([*run, base / "run"], [*orphan, base / "orphan"]):
        pid = os.fork()
        if not pid:
            with Path(os.devnull).open("w", encoding="utf-8") as null:
                os.dup2(null.fileno(), 1)
                run_command_and_exit(words)
        if os.waitpid(pid, 0)[1]:
            raise SystemExit("the run that attempts copy failed")
    shutil.rmtree(base / "gone")
    (base / "cache").mkdir()
    _copy_kernels(base / "cache")
    command = [sys.executable, "-m", "netdissect", *map(str, [*run, base / "warm"])]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(base / "cache")}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    for path in (base / "cache", *(base / "cache").rglob("*")):
        path.chmod(0o777)  # attempts run as other users too


def _copy_kernels(cache: Path) -> None:
    """Copy the machine code that the runs above cached, so that it is not compiled once more."""
    from netdissect import compiled  # imports numba

    for path in Path(netdissect.__path__[0]).rglob("__pycache__/*.nb[ci]"):
        source = path.parent.with_name(f"{path.name.split('.')[0]}.py")
        folder = compiled._join_cache_folder(cache, str(source))  # noqa: SLF001 - where a run looks for it
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, folder)


def _import_everything() -> None:
    """Import every module of the package; no thread may start, because children are forked."""
    for module in pkgutil.walk_packages(netdissect.__path__, "netdissect."):
        if not module.name.endswith("__main__"):
            with contextlib.suppress(Exception):  # an optional library that is not installed
                importlib.import_module(module.name)
    machine.shim_torchvision()
