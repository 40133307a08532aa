"""Make the rows of a layer's table of units from its counts, scores, trust tables and formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netdissect.results.formulas import FormulaFigures
from netdissect.results.units import CategoryBest, UnitRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netdissect.results.layer_result import LayerResult


def make_rows(layer: LayerResult) -> Iterator[UnitRow]:
    """Yield the row of every unit by channel; arrays become lists first, because reading their elements one by one is slow."""
    profiles = zip(*[_list_best(layer, *place) for place in enumerate(layer.vocabulary.categories)], strict=True)
    unlabeled = CategoryBest("", "", 0, 0, 0, 0.0)
    thresholds, places, found = layer.thresholds.tolist(), layer.best.category.tolist(), layer.formulas
    title, limit, trusts = layer.score_title, layer.detection_threshold, layer.unit_trust
    for channel, (threshold, place) in enumerate(zip(thresholds, places, strict=True)):
        profile: tuple[CategoryBest, ...] = next(profiles, ())
        winner = profile[place] if place >= 0 else unlabeled
        trust = trusts[channel] if trusts else None
        formula = None if found is None else FormulaFigures.make(found.units[channel], layer.vocabulary.names)
        yield UnitRow(
            channel + 1,
            winner.category,
            winner.label,
            winner.score,
            threshold,
            profile,
            trust,
            formula,
            layer.name,
            title,
            limit,
        )


def _list_best(layer: LayerResult, position: int, category: str) -> list[CategoryBest]:
    """Return the best concept of every unit in one category."""
    columns, counts = layer.best.column[:, position], layer.counts
    rows, none = np.arange(layer.layer.units), CategoryBest(category, "", 0, 0, 0, 0.0)
    if not len(layer.vocabulary):
        return [none] * len(rows)
    numbers = [array.tolist() for array in (
        columns, counts.G[columns], counts.A[rows, columns], counts.I[rows, columns], layer.iou[rows, columns],
        layer.best.score[:, position],
    )]  # fmt: skip
    names = layer.vocabulary.names
    return [
        none if column < 0 else CategoryBest(category, names[column], truth, active, both, iou, score)
        for column, truth, active, both, iou, score in zip(*numbers, strict=True)
    ]
