"""Small runs and starts in fresh processes: 60 images to a report, the help, a list of layers, comparing two wide runs.

    python -m benchmarks small
    python -m benchmarks small -- --before ../old    also measure another checkout, in turn (git worktree add ../old COMMIT)
    python -m benchmarks small -- --squeezenet STEM --data FOLDER    real weights and photographs

Seconds of the clock and, in brackets, of the processors, which change less with other load on the machine; medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import machine, probe_sets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parent.parent
IMAGES = 60
_TARGETS = {"run": "≤ 0.6 of before", "compare": "≤ 2 s"}


def main(words: list[str]) -> None:
    """Print a row for every command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks small --")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--before", type=Path, help="another checkout, measured in turn with this one")
    parser.add_argument("--squeezenet", type=Path, help="stem of a SqueezeNet Caffe pair with real weights")
    parser.add_argument("--data", type=Path, help="a Broden folder instead of noise")
    options = parser.parse_args(words)
    machine.print_title(f"Small runs: {IMAGES} images to a report, starts, compare")
    checkouts = {"now": ROOT, **({"before": options.before.resolve()} if options.before else {})}
    rows = []
    for name, command in _list_commands(options).items():
        if options.only in name:
            found = {which: _measure(command, root, 0) for which, root in checkouts.items()}  # warms the caches up
            found = _measure_in_turn(command, checkouts, options.times)
            rows.append([name, *(_format_seconds(found[which]) for which in checkouts), *_compare(found)])
            machine.record_figure(name, ", ".join(str(cell) for cell in rows[-1][1:]), _find_target(name))
            print(f"… {' | '.join(map(str, rows[-1]))}", flush=True)
    machine.print_table(["command", *checkouts, *(["now ÷ before"] if options.before else [])], rows)


def make_convolutions() -> Any:
    """Return AlexNet's convolutions with random weights."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(),
        nn.MaxPool2d(3, 2), nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
    )  # fmt: skip


def _list_commands(options: argparse.Namespace) -> dict[str, list[str]]:
    """Return the words of every command by name; ``OUT`` stands for a folder that is new each time."""
    network, layer, what = "python:benchmarks.small:make_convolutions", "11", "AlexNet's convolutions"
    if options.squeezenet:
        network, layer, what = str(options.squeezenet), "fire9/concat", "SqueezeNet fire9 (real weights, Caffe)"
    data = [str(options.data), "--limit", str(IMAGES)] if options.data else [str(probe_sets.make_noise(IMAGES).path)]
    first, second = (str(_make_wide_run(seed)) for seed in (1, 2))
    return {
        f"run, {IMAGES} images to a report, {what}": [
            "run", network, "--layers", layer, "--data", *data, "--out", "OUT/run", "--quiet"
        ],
        "help": ["--help"],
        f"layers, {what}": ["layers", network],
        "compare, two runs of 2,048 units, figures": [
            "compare", first, second, "--out", "OUT/comparison.svg", "--figures-only"
        ],
        "compare, two runs of 2,048 units, with their report": ["compare", first, second, "--out", "OUT/comparison.svg"],
    }  # fmt: skip


def _make_wide_run(seed: int) -> Path:
    """Make a finished run of 2,048 units and 1,200 concepts up, once."""
    from tests import made_up_runs

    folder = machine.CACHE / f"wide-{seed}"
    if not (folder / "run.json").exists():
        result, _ = made_up_runs.make_run(
            (2048,), 1200, pictures=200, exemplars=4, input_size=64, name=f"wide-{seed}", seed=seed
        )
        result.save(folder)
    return folder


def _measure_in_turn(
    command: Sequence[str], checkouts: Mapping[str, Path], times: int
) -> dict[str, tuple[float, float]]:
    """Return the median seconds of clock and processors of a command in every checkout."""
    taken: dict[str, list[tuple[float, float]]] = {which: [] for which in checkouts}
    for turn in range(times):
        for which, root in checkouts.items():
            taken[which].append(_measure(command, root, turn))
    return {
        which: (statistics.median(wall for wall, _ in pairs), statistics.median(cpu for _, cpu in pairs))
        for which, pairs in taken.items()
    }


def _measure(command: Sequence[str], root: Path, turn: int) -> tuple[float, float]:
    """Return the seconds of clock and processors that a command takes in a fresh process."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root / "src"), str(ROOT)])}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else the package is compiled at every start
    with tempfile.TemporaryDirectory(prefix=f"small-{turn}-") as out:
        words = [word.replace("OUT", out) if word.startswith("OUT/") else word for word in command]
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "netdissect", *words],
            cwd=out,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        said = process.stderr.read().decode(errors="replace")
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stderr.close()
    if process.returncode:
        raise SystemExit(f"netdissect {' '.join(words)} failed: {said[-2000:]}")
    return wall, used.ru_utime + used.ru_stime


def _format_seconds(seconds: tuple[float, float]) -> str:
    return f"{seconds[0]:.2f} s ({seconds[1]:.2f})"


def _compare(found: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return the ratio of now and before, of the clock and of the processors; nothing without before."""
    if "before" not in found:
        return []
    wall, cpu = (now / before for now, before in zip(found["now"], found["before"], strict=True))
    return [f"{wall:.2f} ({cpu:.2f})"]


def _find_target(name: str) -> str:
    return _TARGETS.get(name.partition(",")[0], "stated")
