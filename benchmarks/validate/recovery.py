"""Planted units under rising noise: are they named right, told from chance, and are nulls left alone?"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
from tests import planted

from benchmarks.marked_page import format_table
from benchmarks.validate.bounds import Bound, Part, Scale, compute_error, format_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from tests.fakes import ArrayConcepts

    from netdissect.results.layer_result import LayerResult

#: Noise up to which planted units must be named right.
CLEAR = 0.3
#: Least and largest share of the pixels, and fewest images, of a planted object or part.
_COVERAGE, _FEWEST = (0.0005, 0.03), 20
_HEADER = [
    "σ", "named right", "of the wrong: not told apart", "q < .05", "IoU ≥ .04", "scenes: named right", "q < .05",
    "mixtures: one named", "both on top", "nulls: q < .05", "IoU ≥ .04", "false discoveries",
]  # fmt: skip
_TEXT = """\
Each of {seeds} seeds plants {objects} objects and parts, {scenes} scenes, {mixtures} mixtures of two, and {nulls} nulls in
the demo's {images:,} images, on 14 × 14 cells: the share of the pixels around a cell's center that have the label, plus σ
times smooth noise of standard deviation 1. Half of the nulls are noise of five ranges, half are planted maps on other
images. ± is half of a 95 % interval over seeds. *Not told apart*: of the units that are named wrong, the share whose planted
concept has an IoU within the interval of the label's.

For σ from 0.1 to 0.3 fewer than nine of ten planted objects are named right; most of the others are not told apart from
their concept, and counted with these, more than nine of ten are right. Without noise fewer are: T keeps only cells that lie
wholly in the concept, and a concept that lies inside it (a leaf of a flower, the material of a part) can fit them better than
the planted one. A mixture has two names; both lead its profile in few units, because another concept fits
their union."""


def measure(concepts: ArrayConcepts, scale: Scale) -> Part:
    """Plant, dissect and describe units for every noise and seed."""
    found: dict[float, dict[str, list[float]]] = {sigma: defaultdict(list) for sigma in scale.noise}
    for seed in range(scale.seeds):
        rng = np.random.default_rng(seed)
        objects, scenes = choose_concepts(concepts, scale, rng)
        maps = planted.draw_concept_maps(concepts, [*objects, *scenes])
        for sigma in scale.noise:
            units, truth = plant_units(maps, objects, scenes, sigma, rng)
            layer = planted.dissect_maps(units, concepts, seed=seed)
            for name, value in judge_layer(layer, truth, len(objects), len(scenes)).items():
                found[sigma][name].append(value)
    rows = [[f"{sigma:g}", *(format_mean(values) for values in of.values())] for sigma, of in found.items()]
    text = _TEXT.format(
        seeds=scale.seeds, objects=scale.objects, scenes=scale.scenes, mixtures=scale.objects // 2,
        nulls=2 * scale.objects, images=scale.images,
    )  # fmt: skip
    share = 2 * len(objects) / len(truth)
    return Part(f"{text}\n\n{format_table(_HEADER, rows)}", list_bounds(found, share))


def list_bounds(found: dict[float, dict[str, list[float]]], null_share: float) -> list[Bound]:
    """Return what must hold of the figures by noise, given the share of null units."""
    bounds = []
    for sigma, of in ((sigma, of) for sigma, of in found.items() if 0 < sigma <= CLEAR):
        right, near = np.array(of["right"]), np.nan_to_num(of["near"])
        for what, values, least in (
            ("named right", right, 0.8),
            ("named right or not told apart", right + (1 - right) * near, 0.9),
            ("with q < .05", np.array(of["q"]), 0.9),
        ):
            bounds.append(Bound(f"planted units {what}, σ = {sigma:g}", float(values.mean()), least=least))
    false = np.mean([of["false"] for of in found.values()], axis=0)
    level = 0.05 * null_share
    nulls = np.mean([of["null"] for of in found.values()], axis=0)
    return [
        *bounds,
        Bound("false discoveries among planted units", float(false.mean()), most=level + 2 * compute_error(false)),
        Bound("nulls among planted units with q < .05", float(nulls.mean()), most=0.05 + 2 * compute_error(nulls)),
    ]


def choose_concepts(
    concepts: ArrayConcepts, scale: Scale, rng: np.random.Generator
) -> tuple[list[int], list[int]]:  # fmt: skip
    """Return columns of objects and parts, and of scenes, drawn among those that are neither rare nor large."""
    pixels = planted.count_labels(concepts)
    share = pixels.sum(axis=0) / (len(concepts) * np.prod(concepts.label_size(0)))
    images = (pixels > 0).sum(axis=0)
    category = np.array(concepts.vocabulary.categories)[concepts.vocabulary.primary]
    local = (
        np.isin(category, ("object", "part")) & (share > _COVERAGE[0]) & (share < _COVERAGE[1]) & (images >= _FEWEST)
    )
    objects = rng.permutation(np.flatnonzero(local))[: scale.objects]
    scenes = rng.permutation(np.flatnonzero((category == "scene") & (images > 1)))[: scale.scenes]
    return objects.tolist(), scenes.tolist()


def plant_units(
    maps: NDArray[np.float32], objects: Sequence[int], scenes: Sequence[int], sigma: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], list[tuple[int, ...]]]:
    """Return activations, shape (N, h, w, U), and the columns that each unit was made from; none for a null.

    Args:
        maps: of the objects, then of the scenes, shape (N, h, w, objects + scenes).
        objects: their columns.
        scenes: their columns.
        sigma: standard deviation of the noise.
        rng: draws the noise.
    """
    images = len(maps)

    def draw(smoothings: int) -> Any:
        return planted.draw_noise(rng, images, smoothings)

    def add_noise(signal: Any) -> Any:
        return signal + (sigma * draw(1) if sigma else 1e-4 * draw(0))  # without noise, equal cells are told apart

    count, pairs = len(objects), [(place, place + 1) for place in range(0, len(objects) - 1, 2)]
    units = [add_noise(maps[..., place]) for place in range(count)]
    units += [add_noise(maps[..., count + place] * 0.5 * (1 + 0.2 * draw(2))) for place in range(len(scenes))]
    units += [add_noise(np.maximum(maps[..., a], maps[..., b])) for a, b in pairs]
    units += [draw(place % 5) for place in range(count)]
    units += [add_noise(maps[rng.permutation(images)][..., place]) for place in range(count)]
    truth: list[tuple[int, ...]] = [(column,) for column in [*objects, *scenes]]
    truth += [(objects[a], objects[b]) for a, b in pairs]
    return np.stack(units, axis=-1), truth + [()] * 2 * count


def judge_layer(layer: LayerResult, truth: Sequence[tuple[int, ...]], objects: int, scenes: int) -> dict[str, float]:
    """Return shares of units in the order of the table's columns."""
    label, score = layer.labels, layer.label_scores
    trust = layer.unit_trust
    found = np.array([unit.q is not None and unit.q < 0.05 for unit in trust])
    right = np.array([column in columns for column, columns in zip(label, truth, strict=True)])
    top = np.argsort(-layer.iou, axis=1)[:, :2]
    both = np.array([set(columns) == set(pair.tolist()) for columns, pair in zip(truth, top, strict=True)])
    null = np.array([not columns for columns in truth])
    kinds = np.arange(len(truth))
    unit, scene = kinds < objects, (kinds >= objects) & (kinds < objects + scenes)
    mixture = ~null & ~unit & ~scene
    near = [
        layer.iou[k, truth[k][0]] >= (trust[k].low or 0) for k in np.flatnonzero(unit & ~right)
    ]  # fmt: skip
    return {
        "right": float(right[unit].mean()), "near": float(np.mean(near)) if near else np.nan,
        "q": float(found[unit].mean()), "detectors": float((score >= 0.04)[unit].mean()),
        "scene": float(right[scene].mean()), "scene q": float(found[scene].mean()),
        "one": float(right[mixture].mean()), "both": float(both[mixture].mean()),
        "null": float(found[null].mean()), "null detectors": float((score >= 0.04)[null].mean()),
        "false": float((found & null).sum() / max(1, found.sum())),
    }  # fmt: skip
