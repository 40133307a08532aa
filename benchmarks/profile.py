"""The time of every phase of a dissection, measured in the main thread."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import netdissect as nd
from benchmarks import machine, overhead
from benchmarks.overhead import make_network

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Phases: name, and module and function. Time in an inner phase counts for the inner one only.
PHASES: dict[str, str] = {
    "prepare the network": "networks.listed_network:ListedNetwork.probe",
    "the network": "engine.forward:_run_network",
    "wait for images": "engine.forward:_collect_inputs",
    "calibration": "engine.calibration_scan:calibrate",
    "scan: maxima, candidates": "engine.scan:scan_batch",
    "maxima of the sample": "engine.calibration_scan:find_maxima",
    "exemplars": "stats.top_images:TopImages.update",
    "store scans": "engine.tasks:store_scan",
    "thresholds": "engine.layer_scans:find_thresholds",
    "labels": "engine.tally_tasks:TallyTask.__call__",
    "tally": "engine.tally:MaskCounts.update",
    "merge scans": "engine.dissect:_make_result",
}


def main(words: list[str]) -> None:
    """Print a table per network."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks profile --")
    overhead.add_options(parser)
    options = parser.parse_args(words)
    machine.shim_torchvision()
    concepts = overhead.open_probe_set(options)
    find_phases()
    for name, case in overhead.select_cases(options).items():
        if case.workers > 1:  # phases are measured in this process
            continue
        network, layers = make_network(case.architecture), list(case.layers)
        size = network.input_size or concepts.image_size
        settings = {"pictures": False, "resolution": size[0]}
        nd.dissect(network, layers, nd.Broden(concepts.path, limit=64), **settings)  # compile and load
        machine.print_title(f"Profile: {name}, {len(concepts)} images")
        with time_phases() as phases:
            start = time.perf_counter()
            nd.dissect(network, layers, concepts, **settings)
            whole = time.perf_counter() - start
        phases["everything else"] = whole - sum(phases.values())
        machine.print_table(
            ["phase", "s", "ms per image", "share"],
            [
                [phase, taken, 1000 * taken / len(concepts), f"{100 * taken / whole:.1f} %"]
                for phase, taken in sorted(phases.items(), key=lambda entry: -entry[1])
            ],
        )


@contextlib.contextmanager
def time_phases() -> Iterator[Counter[str]]:
    """Yield seconds by phase, measured while the block runs."""
    taken: Counter[str] = Counter()
    inner: list[float] = []
    real: list[tuple[Any, str, Any]] = []

    def wrapped(phase: str, function: Any) -> Any:
        def run(*arguments: Any, **keywords: Any) -> Any:
            inner.append(0.0)
            start = time.perf_counter()
            try:
                return function(*arguments, **keywords)
            finally:
                seconds = time.perf_counter() - start
                taken[phase] += seconds - inner.pop()
                if inner:
                    inner[-1] += seconds

        return run

    for phase, (owner, name) in find_phases().items():
        real.append((owner, name, getattr(owner, name)))
        setattr(owner, name, wrapped(phase, getattr(owner, name)))
    try:
        yield taken
    finally:
        for owner, name, function in real:
            setattr(owner, name, function)


def find_phases() -> dict[str, tuple[Any, str]]:
    """Return the module or class of every phase's function, and the function's name there.

    Raises:
        SystemExit: if one is gone.
    """
    found = {}
    for phase, where in PHASES.items():
        place, _, path = where.partition(":")
        *classes, name = path.split(".")
        try:
            owner: Any = importlib.import_module(f"netdissect.{place}")
            for each in classes:
                owner = getattr(owner, each)
            getattr(owner, name)
        except (ImportError, AttributeError) as error:
            raise SystemExit(
                f"expected the phase {phase!r} at netdissect.{where}, and it is gone ({error}): write in PHASES of "
                f"benchmarks/profile.py what does this work now"
            ) from error
        found[phase] = owner, name
    return found
