"""The time of every phase of a dissection, measured in the main thread."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import netdissect as nd
from benchmarks import machine, overhead
from benchmarks.overhead import make_network
from netdissect.engine import dissect, forward, scan, tasks
from netdissect.engine.tally import MaskCounts
from netdissect.networks.network import ListedNetwork
from netdissect.stats.top_images import TopImages

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Phases: name, module or class, function. Time in an inner phase counts for the inner one only.
PHASES: list[tuple[str, Any, str]] = [
    ("prepare the network", ListedNetwork, "probe"),
    ("the network", forward, "_run_network"),
    ("wait for images", forward, "_collect_inputs"),
    ("calibration", scan, "calibrate"),
    ("scan: maxima, candidates", scan, "scan_batch"),
    ("maxima of the sample", scan, "find_maxima"),
    ("exemplars", TopImages, "update"),
    ("store scans", tasks, "store_scan"),
    ("thresholds", dissect, "find_thresholds"),
    ("labels", tasks.TallyTask, "__call__"),
    ("tally", MaskCounts, "update"),
    ("merge scans", dissect._Dissection, "make_result"),  # noqa: SLF001 - measured here
]


def main(words: list[str]) -> None:
    """Print a table per network."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks profile --")
    overhead.add_options(parser)
    options = parser.parse_args(words)
    machine.shim_torchvision()
    concepts = overhead.open_probe_set(options)
    for name, (architecture, layers) in overhead.select_cases(options).items():
        network = make_network(architecture)
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

    for phase, owner, name in PHASES:
        real.append((owner, name, getattr(owner, name)))
        setattr(owner, name, wrapped(phase, getattr(owner, name)))
    try:
        yield taken
    finally:
        for owner, name, function in real:
            setattr(owner, name, function)
