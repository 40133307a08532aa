"""Units that know a scene, but not where its objects are: labels exchanged within scenes tell them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tests import planted

from benchmarks.marked_page import format_table
from benchmarks.validate.bounds import Bound, Part, Scale, average, format_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from tests.fakes import ArrayConcepts

    from netdissect.results.trust import UnitTrust

#: Units of every kind; those that know a scene are more, because the scene itself is the label of some.
_EACH, _SCENES = 4, 12
#: Least and largest share of the pixels of a planted object.
_COVERAGE = (0.002, 0.03)
#: Fewest scenes of an object that scenes have at times, and share of each scene's images with one that they always have.
_ACROSS, _MOST = 4, 0.9
#: Shifts: enough for small p of a unit alone.
_SHIFTS = 99
_TRUE, _BLIND, _ALWAYS, _SOMETIMES, _CENTER, _TOP = (
    "an object's own map",
    "a blob in the center of one scene",
    "a random place, where the scene always has the object",
    "a random place, where the scene has the object at times",
    "a blob in the center of random images",
    "the top of random images",
)
_TEXT = """\
{each} units of each kind ({scenes} that know a scene), for each of {seeds} seeds, with {shifts} shifts: share of units with
p ≤ .05 with the labels of any other image, and with those of another image of the same scene. *Applies*: share of units
with a p within scenes; a label that holds for whole images, such as the scene itself, has none. A unit that answers to a
scene and not to where things are passes the first and not the second. So does one that knows that an object is present,
but not where, if the scene always has the object; if it has it at times only, presence alone is more than the scene says,
and beats both. A blob at a fixed place answers to nothing, and passes neither."""


def measure(concepts: ArrayConcepts, scale: Scale) -> Part:
    """Dissect units of every kind, with labels exchanged within scenes too."""
    found: dict[str, list[list[float]]] = {}
    for seed in range(scale.seeds):
        rng = np.random.default_rng(seed)
        units, kinds = plant_flawed_units(concepts, rng)
        layer = planted.dissect_maps(units, concepts, seed=seed, null=_SHIFTS, resamples=0, within="scene")
        score = layer.iou.max(axis=1)
        for kind in dict.fromkeys(kinds):
            members = np.flatnonzero(np.array(kinds) == kind)
            found.setdefault(kind, []).append(_judge([layer.unit_trust[unit] for unit in members], score[members]))
    rows = [[kind, *(format_mean(column) for column in np.array(of).T.tolist())] for kind, of in found.items()]
    text = _TEXT.format(each=_EACH, scenes=_SCENES, seeds=scale.seeds, shifts=_SHIFTS)
    table = format_table(["what the unit answers to", "IoU", "p ≤ .05", "within scenes ≤ .05", "applies"], rows)
    return Part(
        f"{text}\n\n{table}",
        list_bounds({kind: [average(column) for column in zip(*of, strict=True)] for kind, of in found.items()}),
    )


def list_bounds(mean: dict[str, list[float]]) -> list[Bound]:
    """Return what must hold of every kind's shares of units with small p, and with small p within scenes."""
    return [
        Bound(f"{_TRUE}: p ≤ .05", mean[_TRUE][1], least=0.95),
        Bound(f"{_TRUE}: p ≤ .05 within scenes", mean[_TRUE][2], least=0.9),
        Bound(f"{_BLIND}: p ≤ .05", mean[_BLIND][1], least=0.9),
        Bound(f"{_BLIND}: p ≤ .05 within scenes", mean[_BLIND][2], most=0.1),
        Bound(f"{_ALWAYS}: p ≤ .05 within scenes", mean[_ALWAYS][2], most=0.15),
        *(Bound(f"{kind}: p ≤ .05", mean[kind][1], most=0.15) for kind in (_CENTER, _TOP)),
    ]


def _judge(units: Sequence[UnitTrust], score: NDArray[np.float64]) -> list[float]:
    applies = [unit.p_within is not None for unit in units]
    within = [unit.p_within <= 0.05 for unit in units if unit.p_within is not None]
    small = [unit.p is not None and unit.p <= 0.05 for unit in units]
    return [
        float(score.mean()),
        float(np.mean(small)),
        float(np.mean(within)) if within else np.nan,
        float(np.mean(applies)),
    ]


def plant_flawed_units(
    concepts: ArrayConcepts, rng: np.random.Generator
) -> tuple[NDArray[np.float32], list[str]]:  # fmt: skip
    """Return activations, shape (N, h, w, U), and the kind of every unit."""
    pixels, images = planted.count_labels(concepts), len(concepts)
    share = pixels.sum(axis=0) / (images * np.prod(concepts.label_size(0)))
    category = np.array(concepts.vocabulary.categories)[concepts.vocabulary.primary]
    shown, scenes = pixels > 0, np.flatnonzero((category == "scene") & (pixels > 0).any(axis=0))
    local = (category == "object") & (share > _COVERAGE[0]) & (share < _COVERAGE[1])
    rate = shown[:, scenes].T.astype(np.float64) @ shown / shown[:, scenes].sum(axis=0)[:, None]  # (scenes, C)
    in_most = np.where(rate > 0, rate, 1).min(axis=0) > _MOST
    always, objects = (
        rng.permutation(np.flatnonzero(local & of))[:_EACH] for of in (in_most, (rate > 0).sum(axis=0) >= _ACROSS)
    )
    scenes = rng.permutation(scenes)[:_SCENES]
    maps = planted.draw_concept_maps(concepts, objects.tolist())
    top = np.broadcast_to(np.exp(-np.arange(planted.GRID) / 2)[:, None], (planted.GRID, planted.GRID))
    units: list[NDArray[np.float32]] = []
    kinds: list[str] = []

    def add(kind: str, shown: NDArray[np.float32], noise: float) -> None:
        height = 1 + 0.1 * rng.random((images, 1, 1))
        units.append((shown * height + noise * planted.draw_noise(rng, images, 1)).astype(np.float32))
        kinds.append(kind)

    for place, column in enumerate(objects):
        add(_TRUE, maps[..., place], 0.05)
        add(_SOMETIMES, _draw_random_places(shown[:, column], rng), 0.02)
    for column in always:
        add(_ALWAYS, _draw_random_places(shown[:, column], rng), 0.02)
    for column in scenes:
        add(_BLIND, planted.draw_blob() * (pixels[:, column] > 0)[:, None, None], 0.02)
    for kind, shape, often in ((_CENTER, planted.draw_blob(), 0.08), (_TOP, top, 0.04)):
        for _ in range(_EACH):
            add(kind, shape * (rng.random(images) < often)[:, None, None], 0.02)
    return np.stack(units, axis=-1), kinds


def _draw_random_places(present: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a square of 3 × 3 cells at a random place of every image that has the object."""
    shown = np.zeros((present.size, planted.GRID, planted.GRID), np.float32)
    for image in np.flatnonzero(present):
        y, x = rng.integers(0, planted.GRID - 2, 2)
        shown[image, y : y + 3, x : x + 3] = 1
    return shown
