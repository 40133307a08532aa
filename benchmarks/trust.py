"""What chance and uncertainty cost: a dissection with 20 shifts, within scenes too, and 200 resamples, beside one without.

    python -m benchmarks trust
    python -m benchmarks trust -- --squeezenet STEM --data FOLDER    also SqueezeNet's fire9 over photographs

Processor time, the median of runs in turn, without a report.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netdissect as nd
from benchmarks import machine, probe_sets
from netdissect.demo import network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The parts of the trust tables, as settings; each is measured with those above it.
PARTS: dict[str, dict[str, Any]] = {
    "none": {"null": 0, "resamples": 0},
    "resamples": {"null": 0, "resamples": 200},
    "shifts": {"null": 20, "resamples": 0, "within": "none"},
    "shifts and resamples": {"null": 20, "resamples": 200, "within": "none"},
    "everything": {"null": 20, "resamples": 200},
}
_DEMO_TARGET, _SQUEEZENET_TARGET = "≤ 0.15", "≤ 0.20"


def main(words: list[str]) -> None:
    """Print a row for every dissection and part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks trust --")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--squeezenet", type=Path, help="stem of a SqueezeNet Caffe pair with real weights")
    parser.add_argument("--data", type=Path, help="a Broden folder for it")
    options = parser.parse_args(words)
    machine.shim_torchvision()
    machine.print_title("Chance and uncertainty: processor time beside a dissection without them")
    cases: dict[str, tuple[str, Callable[..., object]]] = {}
    demo, trained = probe_sets.make_demo(), network.load_trained_network()
    for layers in (network.LAYERS, network.LAYERS[-1:]):
        cases[f"demo, {layers[0]}..{layers[-1]}" if len(layers) > 1 else f"demo, {layers[0]}"] = (
            _DEMO_TARGET,
            lambda layers=layers, **settings: nd.dissect(trained, layers, demo, pictures=False, **settings),
        )
    if options.squeezenet is not None:
        squeezenet = nd.load_network(str(options.squeezenet))
        cases["SqueezeNet fire9"] = (
            _SQUEEZENET_TARGET,
            lambda **settings: nd.dissect(squeezenet, "fire9/concat", options.data, pictures=False, **settings),
        )
    rows = []
    for name, (target, run) in cases.items():
        seconds = _time_in_turn(
            {part: (lambda run=run, own=own: run(**own)) for part, own in PARTS.items()}, options.times
        )
        rows.append([name, *(f"{seconds[part]:.2f}" for part in PARTS), *_compare(seconds)])
        machine.record_figure(
            f"chance and uncertainty, {name}", f"{seconds['everything'] / seconds['none'] - 1:.2f}", target
        )
        print(f"… {' | '.join(rows[-1])}", flush=True)
    machine.print_table(["dissection, processor seconds", *PARTS, *(f"+ {part}" for part in list(PARTS)[1:])], rows)


def _time_in_turn(runs: Mapping[str, Callable[[], object]], times: int) -> dict[str, float]:
    """Return the median processor seconds of several runs, measured in turn after one round of warming up."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(times + 1):
        for name, run in runs.items():
            start = time.process_time()
            run()
            if turn:
                taken[name].append(time.process_time() - start)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def _compare(seconds: Mapping[str, float]) -> list[str]:
    return [f"{seconds[part] / seconds['none'] - 1:+.2f}" for part in list(PARTS)[1:]]
