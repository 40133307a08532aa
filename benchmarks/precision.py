"""What bfloat16, torch.compile and packed linear layers change: labels, IoU and time."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import netdissect as nd
from benchmarks import machine

SHARED = Path("../shared")
#: SqueezeNet has no linear layers.
TRANSFORMER, BLOCK = "vit_small_patch16_224", "blocks.11"


def main(words: list[str]) -> None:
    """Print a row per setting."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks precision --")
    parser.add_argument("--model", default=str(SHARED / "models/squeezenet_v1.0"))
    parser.add_argument("--layer", default="fire9/concat")
    parser.add_argument("--data", type=Path, default=SHARED / "data/real_a_227")
    parser.add_argument("--transformer-data", type=Path, default=SHARED / "data/real_a_224")
    parser.add_argument("--limit", type=int)
    options = parser.parse_args(words)
    concepts = nd.Broden(options.data, limit=options.limit)
    machine.print_title(f"Precision: {Path(options.model).name} {options.layer}, {len(concepts)} images")
    compare_settings(options.model, options.layer, concepts, {
        "batches of 32": {"batch_size": 32}, "compile": {"compile": True}, "bf16": {"precision": "bf16"},
    })  # fmt: skip
    compare_packed_linear(nd.Broden(options.transformer_data, limit=options.limit))


def compare_packed_linear(concepts: nd.Broden) -> None:
    """Print what packed linear layers change in a vision transformer with random weights."""
    machine.print_title(f"Linear layers: {TRANSFORMER} {BLOCK}, random weights, {len(concepts)} images")
    machine.shim_torchvision()
    import timm

    torch.manual_seed(0)
    model = timm.create_model(TRANSFORMER).eval()
    compare_settings(
        model,
        BLOCK,
        concepts,
        {"packed linear layers": {"linear": "packed"}},
        linear="torch",
        preprocess=nd.Preprocess(),
    )


def compare_settings(
    model: Any, layer: str, concepts: nd.Broden, alternatives: dict[str, dict[str, Any]], **plain_settings: Any
) -> None:
    """Print a row per setting: seconds, share of labels changed, and the largest change of an IoU."""
    warm_up = nd.Broden(concepts.path, limit=64)
    dissect_layer(model, layer, warm_up, **plain_settings)  # compile and load
    plain, seconds = dissect_layer(model, layer, concepts, **plain_settings)
    rows = [["fp32", seconds, 0.0, 0.0, 0.0]]
    for name, settings in alternatives.items():
        found, seconds = dissect_layer(model, layer, concepts, **plain_settings | settings)
        changed = compute_share_changed(plain, found)
        largest = float(np.abs(plain.iou - found.iou).max())
        rows.append(
            [name, seconds, 100 * changed, largest, float(np.abs(find_best_iou(plain) - find_best_iou(found)).max())]
        )
        machine.record_figure(
            f"labels changed by {name}", f"{100 * changed:.1f} % of units, max ΔIoU {largest:.2g}", "stated"
        )
    machine.print_table(["run", "s", "labels changed, %", "max |ΔIoU|, any concept", "max |ΔIoU| of the best"], rows)


def dissect_layer(model: Any, layer: str, concepts: nd.Broden, **settings: Any) -> tuple[Any, float]:
    """Dissect one layer; return its result and the seconds it took."""
    start = time.perf_counter()
    found = nd.dissect(model, layer, concepts, pictures=False, **settings)[layer]
    return found, time.perf_counter() - start


def compute_share_changed(one: Any, other: Any) -> float:
    """Return the share of units whose label differs."""
    labels = {row.unit: row.label for row in one.units}  # rows are sorted by score
    return sum(labels[row.unit] != row.label for row in other.units) / len(labels)


def find_best_iou(found: Any) -> np.ndarray:
    """Return every unit's highest IoU."""
    return np.asarray(found.iou).max(axis=1)
