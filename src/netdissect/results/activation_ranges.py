"""Ranges of activations other than those above a unit's threshold: masks at other quantiles, and between two of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from netdissect.bounds import format_value
from netdissect.errors import SettingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.results.counts import Counts
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.scores import ScoreTable


@dataclass(frozen=True, slots=True, eq=False)
class ActivationRange:
    """The cells of every unit that lie in a range of its activations, and how they overlap concepts (docs/method.md, § 3).

    A mask is the pixels where low < a ≤ high. Ranges that begin at 0 have no upper end.

    Attributes:
        first: fraction of all cells that lie above the range.
        last: fraction that lies in it or above it; thresholds are quantiles of it.
        low: smallest activation beyond which a cell is in the range, float32, shape (U,).
        high: largest activation in the range, float32, shape (U,); infinity if it has no upper end.
        counts: the pixel counts of the masks.
        score: the scores; None where they are IoU.
    """

    first: float
    last: float
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    counts: Counts
    score: ScoreTable | None = None


def apply_range(layer: LayerResult, found: ActivationRange) -> LayerResult:
    """Return a layer as if its units' masks were those of a range: counts, scores, labels and thresholds.

    Exemplars are the same images, with the mask above the range's lower end; it has no trust tables.
    """
    exemplars = layer.exemplars
    scale = exemplars.scale[:, None, None, None].astype(np.float64)
    moved = (layer.thresholds.astype(np.float64) - found.low)[:, None, None, None]
    excess = exemplars.grids.astype(np.float64) * scale + moved
    excess[exemplars.images < 0] = 0
    largest = np.abs(excess).max(axis=(1, 2, 3), initial=0)
    largest[largest == 0] = 1
    return replace(
        layer, counts=found.counts, thresholds=found.low, score_table=found.score, trust=None, ranges=(),
        exemplars=replace(
            exemplars, grids=(excess / largest[:, None, None, None]).astype(np.float16), scale=largest.astype(np.float32)
        ),
    )  # fmt: skip


def find_range(layer: LayerResult, first: float, last: float) -> ActivationRange:
    """Return a layer's range of cells from one fraction of all cells to another.

    Raises:
        SettingsError: if the run did not count it.
    """
    for found in layer.ranges:
        if np.isclose([found.first, found.last], [first, last], rtol=1e-9, atol=0).all():
            return found
    known = ", ".join(f"{found.first:g} to {found.last:g}" for found in layer.ranges)
    raise SettingsError(
        f"{layer.name}: cells from {format_value(first)} to {format_value(last)} of all were not counted; "
        f"{f'counted are {known}' if known else 'no others were'}: run it again with --quantiles or --ranges"
    )
