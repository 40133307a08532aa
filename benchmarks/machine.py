"""The machine a figure was measured on, timing, and the printing of tables."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: Where figures for docs/performance.md are stored.
CACHE = Path(os.environ.get("NETDISSECT_BENCHMARKS", Path(tempfile.gettempdir()) / "netdissect-benchmarks"))
FIGURES = CACHE / "figures.json"


def describe_machine() -> str:
    """Return the machine, torch's version and the load in one line."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores ({model}){gpu}; torch {torch.__version__}; load {load:.1f} before the measurement"


def print_title(text: str) -> None:
    """Print a heading and the machine."""
    print(f"\n## {text}\n\n{describe_machine()}\n", flush=True)


def record_figure(what: str, value: str, target: str) -> None:
    """Store a figure for the table of docs/performance.md, replacing an older one of the same name."""
    load = f"{os.getloadavg()[1]:.1f}"
    figure = {"value": value, "target": target, "machine": describe_machine().partition("; load")[0], "load": load}
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(read_figures() | {what: figure}, ensure_ascii=False, indent=1), encoding="utf-8")


def read_figures() -> dict[str, dict[str, str]]:
    """Return the stored figures by name."""
    found: dict[str, dict[str, str]] = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    return found


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table."""
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row) + " |")
    print(flush=True)


def time_interleaved(runs: Mapping[str, Callable[[], object]], times: int) -> dict[str, float]:
    """Return the median seconds of several runs, measured in turn (A B C A B C …) after one round of warming up."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(times + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if turn:
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def shim_torchvision() -> None:
    """Let torchvision be imported with a CPU build of torch (docs/decisions/0004)."""
    if "+cpu" in torch.__version__ and not hasattr(torch.ops.torchvision, "nms"):
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor boxes, Tensor scores, float threshold) -> Tensor")
        globals()["_OPERATORS"] = library


def find_parents() -> dict[int, int]:
    """Return the parent of every running process."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                found[int(stat.parent.name)] = int(fields[1])
    return found


def find_descendants(pid: int) -> set[int]:
    """Return the children of a process, their children, and so on."""
    of = find_parents()
    found: set[int] = set()
    unseen = {pid}
    while unseen:
        unseen = {child for child, parent in of.items() if parent in unseen} - found
        found |= unseen
    return found
