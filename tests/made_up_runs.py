"""Finished runs of any size made up from random numbers, with images and labels, for tests of the report.

Every unit has high IoU with a few concepts. Activation maps have a blob, and images and label maps show colored blobs.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from netdissect.concepts import CATEGORY_ORDER, Concept, Labels, Vocabulary
from netdissect.config import Settings
from netdissect.layers import FieldMap, Layer
from netdissect.results.ablation import ClassCurve, ConceptAblation, LayerAblation
from netdissect.results.counts import Counts
from netdissect.results.exemplar_groups import GROUP_SIZES, ExemplarGroup, ExemplarGroups
from netdissect.results.formulas import Formula, FormulaTable, UnitFormula
from netdissect.results.layer_result import Activity, Exemplars, LayerResult
from netdissect.results.run_result import NetworkCard, ProbeSetCard, Result
from netdissect.results.trust import Chance, Reference, Spread, Trust, Within

_NAMES = "cow car sheep flower sign airplane bird chair boat book tree hair head shoe bag skin dress foot".split()  # noqa: SIM905


@dataclass
class MadeUpProbeSet:
    """Images and labels by row, drawn when they are read."""

    vocabulary: Vocabulary
    size: tuple[int, int]
    label_size: tuple[int, int]
    asked: int = 0

    def read_image_file(self, row: int) -> bytes | None:
        self.asked += 1
        random = np.random.default_rng(row)
        height, width = self.size
        y, x = np.mgrid[:height, :width]
        picture = np.zeros((height, width, 3))
        for channel in range(3):
            picture[..., channel] = 120 + 60 * np.sin(x / (9 + random.random() * 30) + random.random() * 6) * np.cos(
                y / (9 + random.random() * 30)
            )
        for code, cy, cx, radius in _draw_blobs(row, len(self.vocabulary)):
            inside = (y / height - cy) ** 2 + (x / width - cx) ** 2 < radius**2
            picture[inside] = np.random.default_rng(code).integers(30, 255, 3)
        out = io.BytesIO()
        Image.fromarray((picture + random.normal(0, 6, picture.shape)).clip(0, 255).astype(np.uint8)).save(
            out, format="JPEG", quality=80
        )
        return out.getvalue()

    def read_labels(self, row: int) -> Labels | None:
        height, width = self.label_size
        y, x = np.mgrid[:height, :width]
        planes = np.zeros((2, height, width), np.uint16)
        for at, (code, cy, cx, radius) in enumerate(_draw_blobs(row, len(self.vocabulary))):
            planes[at % 2][(y / height - cy) ** 2 + (x / width - cx) ** 2 < radius**2] = code
        whole = np.array([row % len(self.vocabulary) + 1] if row % 3 == 0 else [], np.int64)
        return Labels(planes, whole)


class MissingProbeSet:
    """A probe set that no longer exists."""

    def read_image_file(self, _: int) -> bytes | None:
        return None

    def read_labels(self, _: int) -> Labels | None:
        return None


def _draw_blobs(row: int, concepts: int):
    random = np.random.default_rng(10_000 + row)
    for _ in range(4):
        yield int(random.integers(1, concepts + 1)), random.random(), random.random(), 0.1 + 0.15 * random.random()


def make_vocabulary(concepts: int, categories: tuple[str, ...] = CATEGORY_ORDER) -> Vocabulary:
    def name(n: int) -> str:
        return _NAMES[n] if n < len(_NAMES) else f"{_NAMES[n % len(_NAMES)]} {n // len(_NAMES)}"

    return Vocabulary(
        categories, tuple(Concept(n + 1, name(n), categories[n * len(categories) // concepts]) for n in range(concepts))
    )


def make_layer(
    name: str, units: int, words: Vocabulary, *, grid: int = 7, exemplars: int = 20, pictures: int = 60,
    input_size: int = 112, images: int = 1000, seed: int = 0,
) -> LayerResult:  # fmt: skip
    random = np.random.default_rng(seed)
    concepts = len(words)
    G = random.integers(20_000, 2_000_000, concepts)
    per_category = random.integers(20_000, 90_000, (units, len(words.categories)))
    A = per_category[:, words.primary]
    share = random.exponential(0.004, (units, concepts)).clip(0, 0.5) * (random.random((units, concepts)) < 0.6)
    liked = random.integers(0, concepts, (units, 3))
    share[np.arange(units)[:, None], liked] += random.exponential(0.12, (units, 3))
    I = np.minimum((share.clip(0, 0.95) * np.minimum(A, G)).astype(np.int64), np.minimum(A, G))
    step = input_size / grid
    y, x = np.mgrid[:grid, :grid] / max(grid - 1, 1)
    center = random.random((units, exemplars, 2, 1, 1))
    size = 0.05 + 0.08 * random.random((units, exemplars, 1, 1))
    blob = (
        np.exp(-((y - center[:, :, 0]) ** 2 + (x - center[:, :, 1]) ** 2) / size)
        - 0.45
        + random.normal(0, 0.03, (units, exemplars, grid, grid))
    )
    images_of = (
        np.stack([random.permutation(pictures)[:exemplars] for _ in range(units)])
        if exemplars <= pictures
        else np.tile(np.arange(exemplars), (units, 1))
    )
    histogram = (1e5 * np.exp(-np.arange(48) / 6) * random.uniform(0.5, 1.5, (units, 48))).astype(np.int64)
    ones = np.ones(units, np.float32)
    return LayerResult(
        Layer(name, units, (grid, grid), FieldMap((0, 0), (step, step), (step, step)), "receptive-field", "Conv2d"),
        words,
        Counts(I, A.astype(np.int64), G.astype(np.int64)),
        random.uniform(1, 9, units).astype(np.float32),
        images * grid * grid,
        Exemplars(images_of.astype(np.int64), np.sort(random.uniform(9, 30, (units, exemplars)))[:, ::-1].astype(np.float32), blob.astype(np.float16), ones),
        Activity(histogram, 0 * ones, 30 * ones, random.uniform(0, 1, units), 0 * ones, 30 * ones),
    )  # fmt: skip


def make_trust(
    layer: LayerResult,
    *,
    shifts: int = 20,
    resamples: int = 60,
    folds: int = 20,
    reference: bool = False,
    seed: int = 0,
) -> Trust:
    """Make up trust tables in which a third of the units is no better than chance, and most keep their label."""
    random = np.random.default_rng(1000 + seed)
    units, (concepts, categories) = layer.layer.units, (len(layer.vocabulary), len(layer.vocabulary.categories))
    score = layer.label_scores
    usual = score * random.choice([0.1, 0.3, 1], units)
    by_chance = (usual * np.exp(random.normal(0, 0.25, (shifts, units)))).clip(0, 1).astype(np.float32)
    labels = np.where(score > 0, random.integers(0, concepts, (shifts, units)), -1).astype(np.int32)
    whole = np.isin(
        layer.best.category,
        [
            layer.vocabulary.categories.index(name)
            for name in ("scene", "texture")
            if name in layer.vocabulary.categories
        ],
    )
    applies = (score > 0) & ~whole
    within = (by_chance * random.uniform(1, 2, units)).clip(0, 1).astype(np.float32)
    best, column = layer.best.score, layer.best.column
    resampled = (best * np.exp(random.normal(0, 0.08, (resamples, units, categories)))).clip(0, 1).astype(np.float32)
    others = np.stack([_pick_other(layer, position, random, resamples) for position in range(categories)], axis=2)
    keeps = random.random((resamples, units, categories)) < random.choice([0.97, 0.9, 0.5], (units, 1))
    columns = np.where(best > 0, np.where(keeps, column, others), -1).astype(np.int32)
    error = np.where(score > 0, random.uniform(0.05, 0.3, units), np.nan)
    honest = (score * random.uniform(0.5, 1, units)).astype(np.float32)
    excess = (score - by_chance.max(axis=0)).clip(-1, 1).astype(np.float32)
    p = np.where(excess > 0, 1 / (3 * units + 1), random.uniform(0.1, 1, units))
    return Trust(
        Chance(by_chance, labels, score.astype(np.float32), left_out=3),
        Within("scene", within, score.astype(np.float32), applies, left_out=7),
        Spread(resampled, columns, error, honest, folds),
        Reference(excess, p, ("untrained-1", "untrained-2", "untrained-3")) if reference else None,
    )


def _pick_other(layer: LayerResult, position: int, random: np.random.Generator, resamples: int):
    """Return columns of a category, shape (B, U), drawn from its first three; -1 for a category without concepts."""
    members = layer.vocabulary.find_columns(layer.vocabulary.categories[position])[:3]
    shape = (resamples, layer.layer.units)
    return random.choice(members, shape) if members.size else np.full(shape, -1)


def make_formulas(layer: LayerResult, *, length: int = 3, shifts: int = 5, seed: int = 0) -> FormulaTable:
    """Make up formulas, of which half gain more than chance; the last unit is not asked for."""
    random = np.random.default_rng(2000 + seed)
    units: list[UnitFormula | None] = []
    for label, single in zip(layer.labels.tolist(), layer.label_scores.tolist(), strict=True):
        concepts = int(random.integers(1, length + 1))
        others = [int(column) for column in random.permutation(len(layer.vocabulary)) if column != label]
        columns = (label, *others[: concepts - 1])
        operators = tuple(random.choice(["or", "and", "and not"], concepts - 1).tolist())
        iou = single if concepts == 1 else single * float(random.uniform(1.05, 1.4))
        same_images = single * (1 if concepts == 1 else float(random.choice([0.5, 1.03])))
        chance = None if not shifts else (iou - max(single, same_images)) * float(random.choice([0.4, 1.5]))
        ceiling = iou + (1 - iou) * float(random.uniform(0.02, 0.1))
        formula = Formula(columns, operators) if label >= 0 else None
        units.append(UnitFormula(formula, iou, single, length <= 3, ceiling, chance, same_images))
    return FormulaTable((*units[:-1], None), length, shifts)


def make_ablation(layer: LayerResult, *, classes: int = 6, seed: int = 0) -> LayerAblation:
    """Make up the ablation of every concept that is the label of several units, and curves of some classes."""
    random = np.random.default_rng(3000 + seed)
    named: dict[int, list[int]] = {}
    for channel, column in enumerate(layer.labels.tolist()):
        named.setdefault(column, []).append(channel + 1)
    several = [column for column, units in named.items() if column >= 0 and len(units) > 1]
    rooms = "kitchen bedroom street forest beach office_tower".split() + [f"room {n}" for n in range(classes)]  # noqa: SIM905
    concepts = []
    for column in several[1:]:
        matched = -float(random.exponential(0.1))
        margin = float(random.choice([-1.6, -0.5, 0.05])) * float(random.uniform(0.5, 1.5))
        error, p = float(random.uniform(0.05, 0.4)), 1 / 201 if margin < -0.4 else float(random.uniform(0.1, 1))
        concept = layer.vocabulary.concepts[column]
        concepts.append(ConceptAblation(
            concept.name, concept.category, tuple(named[column]), rooms[column % classes], float(random.uniform(0.5, 1)), 40 + column,
            margin, margin - error, margin + error, matched, p, min(1.0, 2 * p), margin / 40, matched / 40,
            matched - 0.15, matched + 0.1, 180,
        ))  # fmt: skip
    number = layer.layer.units
    steps = [step for step in (1, 4, 20) if step <= number]
    curves = tuple(
        ClassCurve(
            rooms[place], 20 + place, tuple((random.permutation(number)[: steps[-1]] + 1).tolist()), 0.96 - place / 50,
            {step: 0.96 - place / 50 - 0.012 * step for step in steps}, {step: 0.96 - place / 50 - 0.001 * step for step in steps}, 0.6 + place / 50,
        )
        for place in range(classes)
    )  # fmt: skip
    left_out = {layer.vocabulary.names[column]: "no class has it in half of its images" for column in several[:1]}
    return LayerAblation(
        "zero", 500, classes, 0.93, tuple(sorted(concepts, key=lambda found: found.margin)), curves, 200, left_out,
        ("images of the probe set, labeled by their scenes",),
    )  # fmt: skip


def make_groups(layer: LayerResult, *, pictures: int = 60, seed: int = 0) -> ExemplarGroups:
    """Return groups of exemplars: some units' typical images are not on their label, and some have few images."""
    random = np.random.default_rng(seed + 97)
    units, grid = layer.layer.units, layer.layer.grid

    def draw_counts(k: int) -> tuple[np.ndarray, np.ndarray]:
        pixels = random.integers(1, 4000, (units, k))
        labeled = (pixels * random.random((units, k)) * (np.arange(units) % 3 > 0)[:, None]).astype(np.int64)
        labeled[random.random((units, k)) < 0.2] = -1
        return pixels, labeled

    def make_group(k: int, *, empty: bool = False) -> ExemplarGroup:
        k = min(k, pictures)
        images = np.stack([random.permutation(pictures)[:k] for _ in range(units)]).astype(np.int64)
        images[::7, k // 2 :] = -1
        source = random.integers(0, layer.exemplars.grids.shape[1], k)
        grids = layer.exemplars.grids[:, source].copy()
        pixels, labeled = draw_counts(k)
        maxima = np.sort(random.uniform(1, 20, (units, k)).astype(np.float32))[:, ::-1].copy()
        if empty:
            grids[:], pixels[:], labeled[:], maxima[:] = -1, 0, 0, np.nan
        missing = images < 0
        grids[missing], pixels[missing], labeled[missing], maxima[missing] = -1, 0, -1, 0
        return ExemplarGroup(images, maxima, grids.reshape(units, k, *grid), pixels, labeled)

    pixels, labeled = draw_counts(layer.exemplars.images.shape[1])
    groups = {name: make_group(size, empty=name == "missed") for name, size in GROUP_SIZES.items()}
    in_category = layer.counts.A.max(axis=1, initial=0)
    mask_pixels = (in_category * random.uniform(1, 3, units)).astype(np.int64)
    return ExemplarGroups(pixels, labeled, mask_pixels, **groups)


def make_run(
    units: tuple[int, ...] = (24, 40), concepts: int = 30, *, pictures: int = 60, exemplars: int = 12, grid: int = 7,
    input_size: int = 112, name: str = "made-up", layer_names: tuple[str, ...] | None = None,
    categories: tuple[str, ...] = CATEGORY_ORDER, words: Vocabulary | None = None, seed: int = 0,
    trusted: bool = False, analyzed: bool = False, grouped: bool = False,
) -> tuple[Result, MadeUpProbeSet]:  # fmt: skip
    """Return a made-up run and its probe set; `trusted` gives its layers trust tables, `analyzed` formulas and ablations, `grouped` groups of exemplars."""
    words = words or make_vocabulary(concepts, categories)
    names = layer_names or tuple(f"block{n + 1}/conv" for n in range(len(units)))
    layers = {
        names[n]: make_layer(
            names[n],
            count,
            words,
            grid=grid,
            exemplars=exemplars,
            pictures=pictures,
            input_size=input_size,
            seed=seed + n,
        )
        for n, count in enumerate(units)
    }
    first = next(iter(layers.values()))
    layers = {  # G counts the probe set's pixels and is the same in all layers
        key: LayerResult(
            entry.layer,
            words,
            Counts(np.minimum(entry.counts.I, first.counts.G), entry.counts.A, first.counts.G),
            entry.thresholds,
            entry.cells,
            entry.exemplars,
            entry.activity,
        )
        for key, entry in layers.items()
    }
    if trusted:
        layers = {
            key: replace(entry, trust=make_trust(entry, seed=seed + n)) for n, (key, entry) in enumerate(layers.items())
        }
    if analyzed:
        layers = {
            key: replace(
                entry, formulas=make_formulas(entry, seed=seed + n), ablation=make_ablation(entry, seed=seed + n)
            )
            for n, (key, entry) in enumerate(layers.items())
        }
    if grouped:
        layers = {
            key: replace(entry, groups=make_groups(entry, pictures=pictures, seed=seed + n))
            for n, (key, entry) in enumerate(layers.items())
        }
    half = (input_size + 1) // 2
    rows = sorted({int(row) for entry in layers.values() for row in entry.exemplar_rows})
    result = Result(
        layers,
        Settings(batch_size=8),
        NetworkCard(name, f"made-up:{name}", "0" * 32, (input_size, input_size), "RGB"),
        ProbeSetCard("made-up", "", "f" * 64, max(1000, pictures), (input_size, input_size), (half, half), words),
        {row: f"made/up_{row:05d}.jpg" for row in rows},
        {
            "versions": {"netdissect": "0.1.0"},
            "finished": "2026-01-01T00:00:00+00:00",
            "seconds": 1.0,
            "rescanned_units": {},
        },
    )
    return result, MadeUpProbeSet(words, (input_size, input_size), (half, half))
