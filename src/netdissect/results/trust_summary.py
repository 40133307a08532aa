"""Summarize the trust tables of a layer: detectors beyond chance, times chance, and the error of counts (docs/trust.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netdissect.results.unit_trust import LEVEL
from netdissect.stats.chance import compute_times_chance, estimate_null_share, find_layer_cut
from netdissect.stats.spread import find_resampled_labels, make_ratio_interval

if TYPE_CHECKING:
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.trust import Chance, Spread
    from netdissect.stats.spread import CountSpread


@dataclass(frozen=True, slots=True)
class TrustSummary:
    """How far the counts of a layer can be trusted; None where it was not measured.

    Attributes:
        threshold: the score from which a unit counts as a detector.
        detectors: number of detectors, by label.
        shifts: number of shifts S; 0 without chance.
        resamples: number of resamples B; 0 without spread.
        folds: number of folds F; 0 without spread.
        counts: standard deviations and intervals of the numbers of detectors and unique detectors, by label.
        beyond: number of detectors beyond chance (q < 0.05).
        unconvincing: number of units with a mask of which no concept beats chance (q ≥ 0.05, or no label).
        times: the layer's scores as a multiple of chance (geometric mean).
        times_low: lower end of its 95 % interval.
        times_high: upper end of its 95 % interval.
        cut: score above which 5 % of the units are expected to be there by chance; None too if there is no such score.
        null_share: estimated share of the labeled units whose score is chance (Storey); it decides nothing.
        reference_runs: names of the untrained runs.
        beyond_reference: number of detectors beyond untrained networks (q < 0.05).
    """

    threshold: float
    detectors: int
    shifts: int = 0
    resamples: int = 0
    folds: int = 0
    counts: CountSpread | None = None
    beyond: int | None = None
    unconvincing: int | None = None
    times: float | None = None
    times_low: float | None = None
    times_high: float | None = None
    cut: float | None = None
    null_share: float | None = None
    reference_runs: tuple[str, ...] = ()
    beyond_reference: int | None = None


def summarize_tables(layer: LayerResult, threshold: float) -> TrustSummary | None:
    """Return the summary of a layer's trust tables; None if it has none."""
    trust = layer.trust
    if trust is None:
        return None
    units = list(zip(layer.label_scores.tolist(), layer.unit_trust, strict=True))
    detecting = [unit for score, unit in units if score > 0 and score >= threshold]
    facts: dict[str, object] = {}
    if trust.chance is not None:
        facts |= _summarize_chance(layer, trust.chance, trust.spread)
        facts["beyond"] = sum(unit.q is not None and unit.q < LEVEL for unit in detecting)
    if trust.spread is not None:
        facts["resamples"], facts["folds"] = len(trust.spread.score), trust.spread.folds
        facts["counts"] = layer.count_spread(threshold)
    if trust.reference is not None:
        facts["reference_runs"] = trust.reference.runs
        facts["beyond_reference"] = sum(unit.q_reference is not None and unit.q_reference < LEVEL for unit in detecting)
    return TrustSummary(threshold, len(detecting), **facts)  # type: ignore[arg-type]  # by name


def _summarize_chance(layer: LayerResult, chance: Chance, spread: Spread | None) -> dict[str, object]:
    observed, null = chance.observed.astype(np.float64), chance.score.astype(np.float64)
    times = compute_times_chance(observed, null)
    low, high = float("nan"), float("nan")
    if spread is not None:
        resampled, _ = find_resampled_labels(spread.score, spread.column)
        low, high = make_ratio_interval(times, [compute_times_chance(row, null) for row in resampled], spread.folds)
    masked: list[bool] = (layer.counts.A.max(axis=1, initial=0) > 0).tolist()
    p = [unit.p for unit in layer.unit_trust if unit.q is not None]
    return {
        "shifts": len(null),
        "unconvincing": sum(
            has_mask and not (unit.q is not None and unit.q < LEVEL)
            for has_mask, unit in zip(masked, layer.unit_trust, strict=True)
        ),
        "times": _drop_nan(times),
        "times_low": _drop_nan(low),
        "times_high": _drop_nan(high),
        "cut": find_layer_cut(observed, null),
        "null_share": estimate_null_share(np.array(p, np.float64)) if p else None,
    }


def _drop_nan(value: float) -> float | None:
    return value if np.isfinite(value) else None
