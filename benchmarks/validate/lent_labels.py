"""Units of the demo's network with the labels of other images: p is uniform, and false discoveries keep to their level."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tests import planted

from benchmarks.marked_page import format_table
from benchmarks.validate.bounds import Bound, Part, Scale, average, compute_error, format_mean
from netdissect.stats.chance import adjust_p, compute_own_p, compute_pooled_p

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tests.fakes import ArrayConcepts

    from benchmarks.validate.demo_maps import LayerMaps

#: Shares of null units; with 1, every unit is one.
SHARES = (0.3, 0.7, 0.95, 1.0)
#: Shifts that stand for chance, as by default.
_SHIFTS = 20
#: Levels of p, and the widest deviation of the share of null units up to it, besides two standard errors.
_LEVELS = {0.01: 0.005, 0.05: 0.01, 0.2: 0.02, 0.5: 0.03}
_HEADER = ["layer", "share of nulls", "runs", "any false", "false discoveries", "found", *(f"p ≤ {p:g}" for p in _LEVELS),
           "own p ≤ .05"]  # fmt: skip
_TEXT = """\
Every shift plays the data in turn, and {shifts} others of the same run stand for chance: units that have it are null. The
rest keep the labels of their own images. *Any false*: share of runs with a null unit at q < .05; where all are null this
is the family-wise error. *False discoveries*: mean share of null units among those with q < .05; Benjamini-Hochberg
promises .05 × the share of nulls. *Found*: share of the others with q < .05. Then the share of null units with p, and with
the p of their own shifts alone, up to a level. ± is half of a 95 % interval over {seeds} seeds. Units share a shift, so one
run's share of false discoveries may be two to three times the mean: nine of ten runs stay below the last column. The
tolerance of p is {tolerance} at these levels, and two standard errors."""


class _Trial(NamedTuple):
    """What one shift in the place of the data gives."""

    any_false: float
    false: float
    found: float
    below: list[float]
    own: float


def measure(concepts: ArrayConcepts, layers: dict[str, LayerMaps], scale: Scale) -> Part:
    """Let shifts play the data in every layer, for every share of null units."""
    trials: dict[tuple[str, float], list[list[_Trial]]] = defaultdict(list)
    for name, (maps, field) in layers.items():
        for seed in range(scale.seeds):
            layer = planted.dissect_maps(maps, concepts, field, seed=seed, null=scale.shifts, resamples=0, within=None)
            chance = layer.trust.chance
            for share in SHARES:
                rng = np.random.default_rng([seed, int(100 * share)])
                runs = [try_shift(chance.observed, chance.score, shift, share, rng) for shift in range(scale.shifts)]
                trials[name, share].append(runs)
    rows = [_format_row(name, share, seeds) for (name, share), seeds in trials.items()]
    text = _TEXT.format(
        shifts=min(_SHIFTS, scale.shifts - 1),
        seeds=scale.seeds,
        tolerance=", ".join(f"{value:g}" for value in _LEVELS.values()),
    )
    table = format_table([*_HEADER, "9 of 10 below"], rows)
    return Part(f"{text}\n\n{table}", [bound for key, seeds in trials.items() for bound in list_bounds(*key, seeds)])


def try_shift(
    observed: NDArray[np.float32], null: NDArray[np.float32], shift: int, share: float, rng: np.random.Generator
) -> _Trial:
    """Put a shift's scores in the place of the data for a random share of the units.

    Args:
        observed: best scores on the data, shape (U,).
        null: best scores under every shift, shape (S, U).
        shift: the shift that plays the data.
        share: share of the units that are null.
        rng: draws these units, and the shifts that stand for chance.
    """
    others = rng.permutation(np.delete(np.arange(len(null)), shift))[:_SHIFTS]
    is_null = rng.random(observed.size) < share
    data = np.where(is_null, null[shift], observed)
    p = compute_pooled_p(data, null[others])
    found = adjust_p(p, data > 0) < 0.05
    below = [float((p[is_null] <= level).mean()) if is_null.any() else np.nan for level in _LEVELS]
    return _Trial(
        float((found & is_null).any()),
        (found & is_null).sum() / max(1, found.sum()),
        float(found[~is_null].mean()) if not is_null.all() else np.nan,
        below,
        float((compute_own_p(data, null[others])[is_null] <= 0.05).mean()) if is_null.any() else np.nan,
    )


def _average(seeds: list[list[_Trial]], name: str) -> list[float]:
    """Return a figure's mean over the runs of each seed; NaN where no run has it."""
    return [average([getattr(run, name) for run in runs]) for runs in seeds]


def _average_levels(seeds: list[list[_Trial]]) -> NDArray[np.float64]:
    """Return the share of null units up to every level, shape (seeds, levels)."""
    return np.array([np.nanmean([run.below for run in runs], axis=0) for runs in seeds])


def _format_row(name: str, share: float, seeds: list[list[_Trial]]) -> list[str]:
    levels = _average_levels(seeds)
    scatter = np.quantile([run.false for runs in seeds for run in runs], 0.9)
    return [
        name, f"{share:g}", str(sum(map(len, seeds))), format_mean(_average(seeds, "any_false"), 3),
        format_mean(_average(seeds, "false"), 3), format_mean(_average(seeds, "found")),
        *(format_mean(levels[:, place].tolist(), 3) for place in range(len(_LEVELS))),
        format_mean(_average(seeds, "own"), 3), f"{scatter:.3f}",
    ]  # fmt: skip


def list_bounds(name: str, share: float, seeds: list[list[_Trial]]) -> list[Bound]:
    """Return what must hold of one layer at one share of null units."""
    where = f"{name}, {share:g} of the units null"
    false, levels = _average(seeds, "false"), _average_levels(seeds)
    what = "false discoveries" if share < 1 else "any false discovery"  # with nulls alone, the family-wise error
    bounds = [Bound(f"{where}: {what}", float(np.mean(false)), most=0.05 * share + 2 * compute_error(false))]
    deviation = [
        abs(levels[:, place].mean() - level) / (tolerance + 2 * compute_error(levels[:, place].tolist()))
        for place, (level, tolerance) in enumerate(_LEVELS.items())
    ]
    bounds.append(Bound(f"{where}: largest deviation of p from uniform ÷ tolerance", float(max(deviation)), most=1))
    return bounds
