"""Standard deviations of the number of units per concept and category, from the run's resamples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.stats.count_curves import count_units_per_concept

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result

#: Resamples without which there is no standard deviation.
_FEWEST_RESAMPLES = 2


def find_concept_deviations(layer: LayerResult, threshold: float) -> dict[tuple[str, str], float] | None:
    """Return the standard deviation of the number of units per (category, label) by label; None without resamples."""
    spread = layer.trust.spread if layer.trust is not None else None
    if spread is None or len(spread.score) < _FEWEST_RESAMPLES:
        return None
    counts = count_units_per_concept(spread.score, spread.column, threshold, "label", len(layer.vocabulary))
    concepts = [(concept.category, concept.name) for concept in layer.vocabulary.concepts]
    return dict(zip(concepts, counts.std(axis=0, ddof=1).tolist(), strict=True))


def find_category_deviations(result: Result, threshold: float) -> Mapping[str, Mapping[str, float]] | None:
    """Return the standard deviation of the number of units per category by layer; None unless all layers have resamples."""
    found: dict[str, dict[str, float]] = {}
    for layer in result.layers.values():
        spread = layer.trust.spread if layer.trust is not None else None
        if spread is None or len(spread.score) < _FEWEST_RESAMPLES:
            return None
        counts = count_units_per_concept(spread.score, spread.column, threshold, "label", len(layer.vocabulary))
        members = {name: layer.vocabulary.find_columns(name) for name in layer.vocabulary.categories}
        found[layer.name] = {
            name: float(counts[:, columns].sum(axis=1).std(ddof=1)) for name, columns in members.items()
        }
    return found or None
