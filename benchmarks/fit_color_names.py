"""Fit the built-in model of color names to the published table, and print how often the two agree.

    python -m benchmarks fit_color_names -- w2color.npy src/netdissect/probe_sets/compile/color_names.json

The model is a network of two hidden layers on (2R - 31, 2G - 31, 2B - 31), with R, G, B in 0..31. It is trained in
floating point, rounded to integers (8 fractional bits) and evaluated in integers, as the package does. A few minutes on
one core. The parameters depend on the version of torch; the agreement that is printed matters.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from netdissect.probe_sets.compile.color_names import evaluate_color_model, read_color_table

POINT = 8  # fractional bits
INPUT = 5  # fractional bits of the inputs, -31..31 divided by 32
WIDTH = 48
STEPS = 12_000


def main(words: list[str]) -> None:
    """Fit models, print the best one's agreement, write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args(words)
    names = read_color_table(options.table).table.reshape(-1).astype(np.int64) - 1
    best = max(
        (round_model(fit(names, seed)) for seed in range(options.seeds)),
        key=lambda model: measure_agreement(model, names),
    )
    print(f"{100 * measure_agreement(best, names):.2f} % of {len(names)} cells agree, {count_numbers(best)} parameters")
    options.out.write_text(format_model(best), encoding="utf-8")


def fit(names: np.ndarray, seed: int) -> nn.Sequential:
    """Train a model in floating point."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    axis = (2 * torch.arange(32, dtype=torch.float32) - 31) / 2**INPUT
    colors = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(-1, 3)
    wanted = torch.from_numpy(names)
    net = nn.Sequential(nn.Linear(3, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 11))
    optimizer = torch.optim.Adam(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.02, total_steps=STEPS, pct_start=0.1)
    for _ in range(STEPS):
        some = torch.randint(0, len(colors), (4096,))
        loss = nn.functional.cross_entropy(net(colors[some]), wanted[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net


def round_model(net: nn.Sequential) -> dict:
    """Return the model in integers: weights and activations have POINT fractional bits."""
    layers = []
    carried = INPUT
    for linear in (net[0], net[2], net[4]):
        weights = (linear.weight.detach().double() * 2**POINT).round().long().tolist()
        biases = (linear.bias.detach().double() * 2 ** (POINT + carried)).round().long().tolist()
        layers.append({"weights": weights, "biases": biases, "shift": carried})
        carried = POINT
    del layers[-1]["shift"]
    return {"layers": layers}


def measure_agreement(model: dict, names: np.ndarray) -> float:
    """Return the share of cells on which model and table agree."""
    return float((evaluate_color_model(model).argmax(axis=1) == names).mean())


def count_numbers(model: dict) -> int:
    """Return the number of parameters of a model."""
    return sum(np.size(layer["weights"]) + np.size(layer["biases"]) for layer in model["layers"])


def format_model(model: dict) -> str:
    """Return a model as JSON, one unit per line."""
    layers = []
    for layer in model["layers"]:
        rows = ",\n".join(f"   {json.dumps(row, separators=(',', ':'))}" for row in layer["weights"])
        tail = f', "shift": {layer["shift"]}' if "shift" in layer else ""
        biases = json.dumps(layer["biases"], separators=(",", ":"))
        layers.append(f'  {{"weights": [\n{rows}],\n   "biases": {biases}{tail}}}')
    return '{"layers": [\n' + ",\n".join(layers) + "\n]}\n"
