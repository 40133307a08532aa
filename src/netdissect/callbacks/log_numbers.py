"""The numbers of a dissection that a logger gets, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netdissect.experiments.track import TrackedCheckpoint
    from netdissect.results.compared import DetectorCounts
    from netdissect.results.run_result import Result

#: The first part of all names, so that loggers show them together.
GROUP = "netdissect"


def collect_numbers(result: Result, checkpoint: TrackedCheckpoint, seconds: float) -> dict[str, float]:
    """Return the numbers of a dissection by name, such as ``netdissect/layer4/unique_detectors``.

    Args:
        result: the dissection.
        checkpoint: its counts.
        seconds: how long it took.
    """
    categories = result.probe_set.vocabulary.categories
    found = {f"{GROUP}/seconds": seconds}
    for layer, counts in checkpoint.counts.items():
        found |= {f"{GROUP}/{layer}/{name}": value for name, value in _list_counts(counts).items()}
        for category in categories:  # a curve needs its zeros
            found[f"{GROUP}/{layer}/by_category/{category}"] = float(counts.by_category.get(category, 0))
    return found


def _list_counts(counts: DetectorCounts) -> dict[str, float]:
    """Return the counts of a layer that were measured, by name."""
    spread, trust = counts.spread, counts.trust
    measured = {
        "unique_detectors": counts.total,
        "unique_sd": None if spread is None else spread.unique_sd,
        "detectors": counts.detectors,
        "detectors_sd": None if spread is None else spread.units_sd,
        "beyond_chance": None if trust is None else trust.beyond,
        "times_chance": None if trust is None else trust.times,
    }
    return {name: float(value) for name, value in measured.items() if value is not None}
