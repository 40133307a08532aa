"""What bfloat16 and torch.compile change: labels, IoU and time of a network with real weights."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

import netdissect as nd
from benchmarks import machine

SHARED = Path("../shared")


def main(words: list[str]) -> None:
    """Print a row per setting."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks precision --")
    parser.add_argument("--model", default=str(SHARED / "models/squeezenet_v1.0"))
    parser.add_argument("--layer", default="fire9/concat")
    parser.add_argument("--data", type=Path, default=SHARED / "data/real_a_227")
    parser.add_argument("--limit", type=int)
    options = parser.parse_args(words)
    concepts = nd.Broden(options.data, limit=options.limit)
    machine.print_title(f"Precision: {Path(options.model).name} {options.layer}, {len(concepts)} images")
    dissect_layer(options, nd.Broden(options.data, limit=64))  # compile and load
    plain, seconds = dissect_layer(options, concepts)
    rows = [["fp32", seconds, 0.0, 0.0, 0.0]]
    alternatives: dict[str, dict[str, Any]] = {
        "batches of 32": {"batch_size": 32}, "compile": {"compile": True}, "bf16": {"precision": "bf16"},
    }  # fmt: skip
    for name, settings in alternatives.items():
        found, seconds = dissect_layer(options, concepts, **settings)
        changed = compute_share_changed(plain, found)
        largest = float(np.abs(plain.iou - found.iou).max())
        rows.append(
            [name, seconds, 100 * changed, largest, float(np.abs(find_best_iou(plain) - find_best_iou(found)).max())]
        )
        machine.record_figure(
            f"labels changed by {name}", f"{100 * changed:.1f} % of units, max ΔIoU {largest:.2g}", "stated"
        )
    machine.print_table(["run", "s", "labels changed, %", "max |ΔIoU|, any concept", "max |ΔIoU| of the best"], rows)


def dissect_layer(options: Any, concepts: nd.Broden, **settings: Any) -> tuple[Any, float]:
    """Dissect one layer; return its result and the seconds it took."""
    start = time.perf_counter()
    found = nd.dissect(options.model, options.layer, concepts, pictures=False, **settings)[options.layer]
    return found, time.perf_counter() - start


def compute_share_changed(one: Any, other: Any) -> float:
    """Return the share of units whose label differs."""
    labels = {row.unit: row.label for row in one.units}  # rows are sorted by score
    return sum(labels[row.unit] != row.label for row in other.units) / len(labels)


def find_best_iou(found: Any) -> np.ndarray:
    """Return every unit's highest IoU."""
    return np.asarray(found.iou).max(axis=1)
