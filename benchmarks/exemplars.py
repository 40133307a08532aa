"""What exemplars besides the strongest cost: the share of a dissection's processor time that chooses and stores them.

    python -m benchmarks exemplars
    python -m benchmarks exemplars -- --squeezenet STEM --data FOLDER    also SqueezeNet's fire9 over photographs

The parts are timed inside the dissection: the levels of the calibration sample, the areas that the tally stores, the choice of
the other groups, and LAYER-exemplars.npz. Medians of runs after one of warming up, without a report.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import netdissect as nd
from benchmarks import machine, probe_sets
from netdissect.demo import network
from netdissect.engine import calibration_scan, choose_exemplars, tally_tasks
from netdissect.results import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: What is timed: name, module or class, and function.
PARTS: tuple[tuple[str, Any, str], ...] = (
    ("levels", calibration_scan, "collect_levels"),
    ("levels", calibration_scan, "store_levels"),
    ("areas", tally_tasks, "add_areas"),
    ("choice", choose_exemplars.ExemplarChooser, "choose"),
    ("file", files, "write_exemplars"),
)
NAMES = ("levels", "areas", "choice", "file")
_TARGET = "≤ 0.03"


def main(words: list[str]) -> None:
    """Print a row for every dissection."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks exemplars --")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--squeezenet", type=Path, help="stem of a SqueezeNet Caffe pair with real weights")
    parser.add_argument("--data", type=Path, help="a Broden folder for it")
    options = parser.parse_args(words)
    machine.shim_torchvision()
    machine.print_title("Exemplars besides the strongest: share of a dissection's processor time")
    demo, trained = probe_sets.make_demo(), network.load_trained_network()
    cases: dict[str, Callable[..., object]] = {
        f"demo, {network.LAYERS[0]}..{network.LAYERS[-1]}": lambda out: nd.dissect(
            trained, network.LAYERS, demo, pictures=False, out=out
        ),
        f"demo, {network.LAYERS[-1]}": lambda out: nd.dissect(
            trained, network.LAYERS[-1:], demo, pictures=False, out=out
        ),
        f"demo, {network.LAYERS[-1]}, without scenes": lambda out: nd.dissect(
            trained, network.LAYERS[-1:], demo, pictures=False, out=out, within="none"
        ),
    }
    if options.squeezenet is not None:
        squeezenet = nd.load_network(str(options.squeezenet))
        cases["SqueezeNet fire9"] = lambda out: nd.dissect(
            squeezenet, "fire9/concat", options.data, pictures=False, out=out
        )
    rows = []
    for name, run in cases.items():
        measured = [_time_parts(run) for _ in range(options.times + 1)][1:]
        whole = statistics.median(taken["whole"] for taken in measured)
        share = statistics.median(sum(taken[part] for part in NAMES) / taken["whole"] for taken in measured)
        parts = [statistics.median(taken[part] for taken in measured) for part in NAMES]
        rows.append([name, f"{whole:.2f}", *(f"{seconds:.3f}" for seconds in parts), f"{share:.3f}"])
        machine.record_figure(f"exemplars besides the strongest, {name}", f"{share:.3f}", _TARGET)
        print(f"… {' | '.join(rows[-1])}", flush=True)
    machine.print_table(["dissection, processor seconds", "whole", *NAMES, "share"], rows)


def _time_parts(run: Callable[..., object]) -> dict[str, float]:
    """Return the processor seconds of a dissection into a folder, and of every part of `PARTS`."""
    taken = dict.fromkeys((*NAMES, "whole"), 0.0)
    with tempfile.TemporaryDirectory() as folder, _measure(taken):
        start = time.process_time()
        run(Path(folder) / "run")
        taken["whole"] = time.process_time() - start
    return taken


@contextlib.contextmanager
def _measure(taken: dict[str, float]) -> Iterator[None]:
    """Add the processor seconds of the timed functions to `taken`."""
    with contextlib.ExitStack() as stack:
        for part, owner, name in PARTS:
            stack.enter_context(mock.patch.object(owner, name, _time_calls(getattr(owner, name), part, taken)))
        yield


def _time_calls(function: Callable[..., Any], part: str, taken: dict[str, float]) -> Callable[..., Any]:
    """Return a function that adds its processor seconds to those of a part."""

    def timed(*arguments: Any, **named: Any) -> Any:
        start = time.process_time()
        found = function(*arguments, **named)
        taken[part] += time.process_time() - start
        return found

    return timed
