"""The search for formulas: equality with all triples counted, processor time, and agreement with compositional_explanations.

    python -m benchmarks formulas
    python -m benchmarks formulas -- --layers conv5 --squeezenet STEM --data FOLDER    also SqueezeNet's fire9 over photographs

The package is compared where it can be imported, such as from a folder of `pip install --no-deps --target` in PYTHONPATH; it needs
scipy. It knows neither categories nor images without labels, so formulas are then searched over all pixels, as if all concepts were
of one category. Times are processor seconds of one thread.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import netdissect as nd
from benchmarks import machine, probe_sets
from benchmarks.formula_package import compare_with_package
from benchmarks.mask_pixels import collect_labels, collect_masks
from netdissect.demo import network
from netdissect.stats.formula_search import find_best_formula
from netdissect.stats.signatures import PreparedSignatures, Signatures, prepare_signatures
from netdissect.stats.triple_kernel import search_triples
from netdissect.stats.unit_search import UnitSearch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from benchmarks.mask_pixels import LabelPixels, UnitPixels

    Counts = tuple[NDArray[np.int64], NDArray[np.int64]]

SHIFTS = 5
_CHECKED = 60  # concepts of which all triples are counted
_RANDOM_CONCEPTS, _RANDOM_SIGNATURES = 1198, 20_000


def main(words: list[str]) -> None:
    """Print equality, times and agreement."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks formulas --")
    parser.add_argument("--layers", nargs="+", default=list(network.LAYERS))
    parser.add_argument("--squeezenet", type=Path, help="stem of a SqueezeNet Caffe pair with real weights")
    parser.add_argument("--data", type=Path, help="a Broden folder for it")
    options = parser.parse_args(words)
    machine.shim_torchvision()
    machine.print_title("Formulas of three concepts")
    cases: list[tuple[str, Any, Any, Sequence[str]]] = [
        ("demo", network.load_trained_network(), probe_sets.make_demo(), options.layers)
    ]
    if options.squeezenet is not None:
        photographs = nd.Broden(options.data)
        cases.append(("SqueezeNet", nd.load_network(str(options.squeezenet)), photographs, ["fire9/concat"]))
    rows = []
    for name, own, concepts, layers in cases:
        run = nd.dissect(own, layers, concepts, pictures=False, null=0, resamples=0)
        labels, masks = collect_labels(concepts), collect_masks(run, own, concepts, layers)
        for layer in layers:
            rows.append([f"{name} {layer}", *_measure_layer(labels, masks[layer])])
            print(f"… {rows[-1]}", flush=True)
        if name == "demo":
            compare_with_package(labels, [unit for layer in layers for unit in masks[layer]])
    _print_times([*rows, [f"{_RANDOM_CONCEPTS} concepts at random", *_measure_random()]])


def _print_times(rows: Sequence[Sequence[Any]]) -> None:
    head = ["layer", "units", "equal to all triples", "ms a unit", f"ms of {SHIFTS} shifts", "triples counted", "best / single", "by chance", "gain", "above chance"]  # fmt: skip
    machine.print_table(head, rows)
    seconds = sum(row[1] * (row[3] + row[4]) / 1000 for row in rows if row[0].startswith("demo"))
    machine.record_figure(
        "formulas of the demo's layers, processor seconds without the scan", f"{seconds:.0f}", "≤ 240"
    )
    machine.record_figure("formulas, 1,198 concepts at random, ms a unit", f"{rows[-1][3]:.0f}", "≤ 4,700")


def _measure_layer(labels: LabelPixels, units: Sequence[UnitPixels]) -> list[Any]:
    """Return the row of a layer, with its own labels and with those that images lend one another around a circle."""
    images = len(labels.of_pixel)
    circle, lenders = np.random.default_rng(0).permutation(images), np.tile(np.arange(images), (SHIFTS + 1, 1))
    for shift in range(SHIFTS + 1):
        lenders[shift, circle] = np.roll(circle, shift)
    counts = [[unit.count(labels, lender) for lender in lenders] for unit in units]
    return _measure_units(prepare_signatures(labels.signatures), counts)


def _measure_units(prepared: PreparedSignatures, counts: Sequence[Sequence[Counts]]) -> list[Any]:
    find_best_formula(prepared, *counts[0][0])  # compiles
    taken, found, offered, chance, ratios = np.zeros(2), [], [], [], []
    for own, *lent in counts:
        start = time.process_time()
        found.append(find_best_formula(prepared, *own))
        middle = time.process_time()
        by_chance = [find_best_formula(prepared, *one) for one in lent]
        taken += middle - start, time.process_time() - middle
        unit = UnitSearch(prepared, *own)
        unit.search_singles()
        unit.search_pairs()
        unit.search_triples()
        offered.append(unit.offered)
        chance.append(max(best.iou - best.single for best in by_chance))
        ratios += [best.iou / best.single for best in by_chance[:1] if best.single]
    checked = range(0, len(counts), max(1, len(counts) // 10))
    equal = sum(_equals_all_triples(prepared, counts[at][0]) for at in checked)
    gains = np.array([best.iou - best.single for best in found])
    return [
        len(counts), f"{equal} of {len(checked)}", *(1000 * taken / len(counts)), int(np.median(offered)),
        float(np.mean([best.iou / best.single for best in found if best.single])), float(np.mean(ratios)) if ratios else 1.0,
        float(gains.mean()), f"{np.mean(gains > np.array(chance)):.0%}",
    ]  # fmt: skip


def _equals_all_triples(prepared: PreparedSignatures, unit: Counts) -> bool:
    """Return whether the search finds the best of all forms of all triples, among the unit's best concepts."""
    search = UnitSearch(prepared, *unit)
    search.search_singles()
    taken = np.sort(np.argsort(-search.own, kind="stable")[:_CHECKED])
    place = np.full(prepared.signatures.primary.size, -1, np.int64)
    place[taken] = np.arange(taken.size)
    kept = prepare_signatures(_keep_concepts(prepared.signatures, place))
    found, every = find_best_formula(kept, *unit), UnitSearch(kept, *unit)
    every.search_singles()
    every.search_pairs()
    for number, group in enumerate(kept.groups):
        _offer_every_triple(every, kept, number, group)
    return (found.columns, found.operators, found.iou) == (*every.read(), every.iou)


def _offer_every_triple(search: UnitSearch, prepared: PreparedSignatures, number: int, group: Any) -> None:
    signatures, size = prepared.signatures, group.concepts.size
    own = np.flatnonzero((search.mask > 0) & ((signatures.presence & group.bits) == group.bits))
    X = np.zeros((size, size), np.int64)
    for row in own:
        columns = group.place[signatures.columns[signatures.start[row] : signatures.start[row + 1]]]
        inside = columns[columns >= 0]
        X[np.ix_(inside, inside)] += search.mask[row]
    tables = (
        X, group.pairs, group.place, group.bits, signatures.presence, signatures.pixels, signatures.start, signatures.columns,
        prepared.first, prepared.of_column,
    )  # fmt: skip
    nothing, M = np.zeros((size, size)), int(search.mask[own].sum())
    search_triples(
        nothing, nothing, -np.inf, group.concepts, signatures.primary, prepared.group_of, number, tables, search.mask, M,
        search.best,
    )  # fmt: skip


def _keep_concepts(signatures: Signatures, place: NDArray[np.int64]) -> Signatures:
    """Return signatures with some concepts only, at their new places."""
    kept = place[signatures.columns] >= 0
    start = np.concatenate([[0], np.cumsum(kept)])[signatures.start]
    primary = signatures.primary[np.flatnonzero(place >= 0)]
    return replace(signatures, start=start, columns=place[signatures.columns[kept]], primary=primary)


def _measure_random() -> list[Any]:
    """Return the row of random signatures: six categories that all images have, and units that prefer three concepts."""
    random = np.random.default_rng(0)
    primary = np.arange(_RANDOM_CONCEPTS) % 6
    often = random.pareto(1.0, _RANDOM_CONCEPTS) + 0.05
    columns = [np.unique(random.choice(_RANDOM_CONCEPTS, 6, p=often / often.sum())) for _ in range(_RANDOM_SIGNATURES)]
    signatures = Signatures(
        np.cumsum([0, *map(len, columns)]), np.concatenate(columns), np.full(len(columns), 63),
        random.integers(1, 2000, len(columns)), primary,
    )  # fmt: skip
    counts = []
    for _ in range(20):
        liked = random.choice(_RANDOM_CONCEPTS, 3, p=often / often.sum())
        share = np.array([0.3 if np.isin(liked, own).any() else 0.01 for own in columns])
        count = random.binomial(signatures.pixels, share * random.random(len(columns)))
        lent = random.binomial(signatures.pixels, 0.02 * random.random(len(columns)))
        counts.append(
            [(np.flatnonzero(one), one[one > 0]) for one in (count, *[random.permutation(lent) for _ in range(SHIFTS)])]
        )
    counts = [[(at, np.minimum(count, signatures.pixels[at])) for at, count in unit] for unit in counts]
    return _measure_units(prepare_signatures(signatures), counts)
