"""Samples of the probe set: do intervals, the share of resamples that keep a label, and counts' errors tell the truth?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tests import planted

from benchmarks.marked_page import format_table
from benchmarks.validate.bounds import Bound, Part, Scale, format_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tests.fakes import ArrayConcepts

    from benchmarks.validate.demo_maps import LayerMaps
    from netdissect.results.layer_result import LayerResult

#: Ranges of the share of resamples that keep a label, whose truth is compared with it.
_RANGES = ((0.0, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 1.01))
#: Largest error of the mean of `keep` for samples of at least so many images; it is twice as large for fewer.
_KEPT, _LARGE = 0.05, 1000
#: Largest share by which the standard deviation of unique detectors and what samples say of it differ.
_SPREAD = 0.4
_TEXT = """\
All {images:,} images are the population. For each of {seeds} seeds, {draws} samples of n images are drawn from it with
replacement and dissected, thresholds included. *Coverage*: share of 95 % intervals that hold the population's IoU, for
units that have the population's label, and for all units and whatever label they have; there the choice of the best label
adds to the error. *Label set holds*: share of units whose `labels` hold the population's label.

{intervals}

How often the sample's label is the population's, by the share of resamples that keep it (mean of `keep` → right, units). It
is calibrated within .05 from 1,000 images on, and promises .06 too much at 500:

{keep}

The standard deviation of counts over samples, and the mean of what each sample says of itself:

{counts}"""


class _Sample(NamedTuple):
    """What one sample says, unit by unit, and how many detectors and unique detectors it has, with their errors."""

    same: NDArray[np.bool_]
    covered: NDArray[np.bool_]
    labeled: NDArray[np.bool_]
    keep: NDArray[np.float64]
    in_set: NDArray[np.bool_]
    set_size: NDArray[np.int64]
    units: int
    unique: int
    units_sd: float
    unique_sd: float


def measure(concepts: ArrayConcepts, layers: dict[str, LayerMaps], scale: Scale) -> Part:
    """Draw and dissect samples of every size, and compare them with the population."""
    intervals, keep, counts, bounds = [], [], [], []
    for name, (maps, field) in layers.items():
        population = planted.dissect_maps(maps, concepts, field, null=0, resamples=0)
        for size in scale.samples:
            samples = []
            for seed in range(scale.seeds):
                for draw in range(scale.draws):
                    chosen = np.random.default_rng([size, seed, draw]).integers(0, len(concepts), size)
                    drawn = planted.sample_images(concepts, chosen)
                    layer = planted.dissect_maps(maps[chosen], drawn, field, null=0, seed=seed)
                    samples.append(compare_sample(layer, population))
            where = [name, f"{size:,}"]
            per_seed = [samples[first : first + scale.draws] for first in range(0, len(samples), scale.draws)]
            intervals.append([*where, *_format_intervals(per_seed)])
            keep.append([*where, *_format_keep(samples)])
            counts.append([*where, *_format_counts(samples)])
            bounds += list_bounds(name, size, samples)
    text = _TEXT.format(
        images=len(concepts), seeds=scale.seeds, draws=scale.draws,
        intervals=format_table(
            ["layer", "n", "label as the population's", "coverage, same label", "coverage, all", "label set holds", "labels in it"],
            intervals,
        ),
        keep=format_table(["layer", "n", "below .5", ".5 to .8", ".8 to .95", "from .95", "all"], keep),
        counts=format_table(["layer", "n", "detectors", "SD", "said", "unique", "SD", "said"], counts),
    )  # fmt: skip
    return Part(text, bounds)


def compare_sample(layer: LayerResult, population: LayerResult) -> _Sample:
    """Compare a sample's intervals and labels with the population's IoU and labels."""
    label, truth, trust = layer.labels, population.labels, layer.unit_trust
    names = population.vocabulary.names
    score = population.iou[np.arange(label.size), label]
    covered = [
        unit.low is not None and unit.low <= value <= unit.high for unit, value in zip(trust, score, strict=True)
    ]
    spread, found = layer.count_spread(0.04, "label"), layer.detectors()
    return _Sample(
        same=label == truth,
        covered=np.array(covered),
        labeled=np.array([unit.low is not None for unit in trust]),
        keep=np.array([np.nan if unit.keep is None else unit.keep for unit in trust]),
        in_set=np.array([names[column] in unit.labels for unit, column in zip(trust, truth, strict=True)]),
        set_size=np.array([len(unit.labels) for unit in trust]),
        units=found.units, unique=found.unique, units_sd=spread.units_sd, unique_sd=spread.unique_sd,
    )  # fmt: skip


def _format_intervals(per_seed: list[list[_Sample]]) -> list[str]:
    same, kept, every, held, size = [], [], [], [], []
    for samples in per_seed:
        right, covered, labeled = (
            np.concatenate([getattr(each, name) for each in samples]) for name in _Sample._fields[:3]
        )
        same.append(right.mean())
        kept.append(covered[right & labeled].mean())
        every.append(covered[labeled].mean())
        held.append(np.mean([each.in_set for each in samples]))
        size.append(np.mean([each.set_size for each in samples]))
    return [*(format_mean(values, 3) for values in (same, kept, every, held)), format_mean(size)]


def _find_kept(samples: list[_Sample]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    keep, same = (np.concatenate([getattr(each, name) for each in samples]) for name in ("keep", "same"))
    return keep[~np.isnan(keep)], same[~np.isnan(keep)]


def _format_keep(samples: list[_Sample]) -> list[str]:
    keep, same = _find_kept(samples)
    cells = []
    for low, high in (*_RANGES, (0, 2)):
        chosen = (keep >= low) & (keep < high)
        cells.append(
            f"{keep[chosen].mean():.2f} → {same[chosen].mean():.2f} ({chosen.sum()})" if chosen.any() else "none"
        )
    return cells


def _format_counts(samples: list[_Sample]) -> list[str]:
    cells = []
    for name in ("units", "unique"):
        counts = [getattr(each, name) for each in samples]
        said = np.mean([getattr(each, f"{name}_sd") for each in samples])
        cells += [f"{np.mean(counts):.1f}", f"{np.std(counts, ddof=1):.1f}", f"{said:.1f}"]
    return cells


def list_bounds(name: str, size: int, samples: list[_Sample]) -> list[Bound]:
    """Return what must hold of a layer's samples of one size."""
    where = f"{name}, n = {size:,}"
    right, covered, labeled = (
        np.concatenate([getattr(each, name) for each in samples]) for name in _Sample._fields[:3]
    )
    bounds = [Bound(f"{where}: coverage, same label", float(covered[right & labeled].mean()), least=0.92)]
    keep, same = _find_kept(samples)
    most = _KEPT if size >= _LARGE else 2 * _KEPT
    bounds.append(
        Bound(f"{where}: mean of keep − share of right labels", float(keep.mean() - same.mean()), -most, most)
    )
    said, found = np.mean([each.unique_sd for each in samples]), np.std([each.unique for each in samples], ddof=1)
    room = max(1.0, _SPREAD * float(found))
    bounds.append(Bound(f"{where}: SD of unique detectors, said − found", float(said - found), -room, room))
    return bounds
