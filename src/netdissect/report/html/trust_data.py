"""Collect what the page shows of chance and uncertainty: q of every unit, the error of every count, and each unit's tables.

Numbers that do not exist (a unit without a mask has no q) are NaN in arrays; JSON has null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from netdissect.concepts import display_name
from netdissect.report.html.script_data import pack_arrays
from netdissect.results.unit_trust import LEVEL
from netdissect.stats.count_curves import compute_count_curves

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.config import Definition
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result
    from netdissect.results.trust import Spread, UnitTrust

#: Thresholds per 1 of score at which the page knows the error of its counts; the slider's step is the same.
_STEPS = 1000
#: The definitions of a count, in the order of the curves: detectors and unique ones by label, unique ones by category.
_COUNTS: tuple[tuple[Definition, str], ...] = (("label", "units"), ("label", "unique"), ("category", "unique"))
#: Both ends of the 95 % interval of a count, as `netdissect.stats.spread.count_spread` takes them.
_INTERVAL: tuple[tuple[float, Literal["lower", "higher"]], ...] = ((0.025, "lower"), (0.975, "higher"))
#: What a unit's page shows of it.
_FIELDS = (
    "low", "high", "chance", "cut", "lift", "p", "p_own", "p_within", "q_within", "q_reference", "keep", "honest",
)  # fmt: skip


def describe_trust(layer: LayerResult, threshold: float) -> dict[str, Any] | None:
    """Return the facts of a layer's trust tables that the page needs; None without tables."""
    trust, summary = layer.trust, layer.summarize_trust(threshold)
    if trust is None or summary is None:
        return None
    return {
        "shifts": summary.shifts,
        "resamples": summary.resamples,
        "folds": summary.folds,
        "unconvincing": summary.unconvincing,
        "times": summary.times,
        "timesLow": summary.times_low,
        "timesHigh": summary.times_high,
        "cut": summary.cut,
        "nullShare": summary.null_share,
        "referenceRuns": len(summary.reference_runs),
        "within": trust.within.category if trust.within is not None else None,
        "leftOut": trust.chance.left_out if trust.chance is not None else 0,
    }


def collect_run_arrays(layer: LayerResult) -> dict[str, NDArray[Any]]:
    """Return the arrays from which the page counts: q of every unit, and the error of the counts at every threshold."""
    trust, units = layer.trust, layer.unit_trust
    arrays: dict[str, NDArray[Any]] = {}
    if trust is None:
        return arrays
    if trust.chance is not None:
        arrays["q"] = _collect_field(units, "q")
    if trust.reference is not None:
        arrays["qReference"] = _collect_field(units, "q_reference")
    if trust.spread is not None and len(trust.spread.score) > 1:
        beyond = arrays["q"] < LEVEL if "q" in arrays else np.zeros(layer.layer.units, bool)
        arrays |= _measure_counts(trust.spread, beyond)
    return arrays


def list_controls(result: Result, layer: str) -> list[dict[str, Any]]:
    """Return what the run's controls detect in a layer."""
    return [
        {
            "name": control.name, "kind": control.kind, "threshold": control.threshold, "units": found.units,
            "total": found.total, "unique": found.unique, "unitsSd": found.units_sd, "uniqueSd": found.unique_sd,
            "times": found.times,
        }
        for control in result.controls
        if (found := control.layers.get(layer)) is not None
    ]  # fmt: skip


def pack_unit_trust(key: str, layer: LayerResult) -> str:
    """Return the file of what the pages of a layer's units show: arrays of shape (U,), and chance scores of shape (S, U)."""
    trust, units = layer.trust, layer.unit_trust
    arrays: dict[str, NDArray[Any]] = {name: _collect_field(units, name).astype(np.float32) for name in _FIELDS}
    if trust is not None and trust.chance is not None:
        arrays["shifted"] = trust.chance.score.astype(np.float32)
    return pack_arrays(key, {"labels": [[display_name(name) for name in unit.labels] for unit in units]}, arrays)


def _collect_field(units: Sequence[UnitTrust], name: str) -> NDArray[np.float64]:
    """Return a field of every unit, NaN for None; float64, so that the page decides as `LayerResult.summarize_trust` does."""
    values = (getattr(unit, name) for unit in units)
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _measure_counts(spread: Spread, beyond: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """Return the spread of the counts at every step of the slider: standard deviations, and ends of 95 % intervals.

    The axes are: all units, or those beyond chance; detectors, unique by label, unique by category; for the ends, lower and
    upper; steps. Beyond the last step every resample counts 0.
    """
    top = float(spread.score.max(initial=0))
    thresholds = np.arange(min(_STEPS, int(np.ceil(top * _STEPS))) + 1) / _STEPS
    deviations = np.zeros((2, len(_COUNTS), thresholds.size), np.float32)
    ends = np.zeros((2, len(_COUNTS), len(_INTERVAL), thresholds.size), np.uint32)
    for only, units in enumerate((np.ones_like(beyond), beyond)):
        for place, (definition, kind) in enumerate(_COUNTS):
            found = compute_count_curves(spread.score[:, units], spread.column[:, units], thresholds, definition)
            counts = getattr(found, kind)
            deviations[only, place] = counts.std(axis=0, ddof=1)
            for end, (share, side) in enumerate(_INTERVAL):
                ends[only, place, end] = np.quantile(counts, share, axis=0, method=side)
    return {"deviations": deviations, "ends": ends}
