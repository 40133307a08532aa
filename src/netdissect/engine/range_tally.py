"""Count masks at further quantiles, and between two of them, from the same scan (docs/method.md, § 3).

The mask at a smaller quantile lies inside that at a larger one, so a range between them has the difference of their counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netdissect.results.activation_ranges import ActivationRange
from netdissect.results.counts import Counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from netdissect.engine.tally_layers import CountedLayer, LayerTally
    from netdissect.protocols import Progress


@dataclass(frozen=True, eq=False)
class QuantileThresholds:
    """The thresholds of all layers at one quantile.

    Attributes:
        quantile: the quantile.
        values: T_k of every layer's units, by layer name, float32, shape (U,).
    """

    quantile: Fraction
    values: Mapping[str, NDArray[np.float32]]


def list_quantiles(own: Fraction, spans: Sequence[tuple[Fraction, Fraction]]) -> list[Fraction]:
    """Return a run's own quantile, and then the others between which ranges are counted, in rising order."""
    return [own, *sorted({end for span in spans for end in span} - {own, 0})]


def count_ranges(
    tally: LayerTally,
    spans: Sequence[tuple[Fraction, Fraction]],
    thresholds: Sequence[QuantileThresholds],
    counted: Mapping[str, CountedLayer],
    rescanned: Mapping[str, NDArray[np.int64]],
    progress: Progress,
) -> dict[str, tuple[ActivationRange, ...]]:
    """Count ranges of all layers' activations.

    Args:
        tally: the tally at the run's own quantile.
        spans: the fractions of all cells from which and to which every range reaches.
        thresholds: the thresholds at the run's own quantile, and at the others.
        counted: what was counted at the run's own.
        rescanned: units that were scanned again, by layer name.
        progress: shows how many images are done.

    Returns:
        the ranges of every layer, by layer name.
    """
    own, *others = thresholds
    nested = {own.quantile: counted} | {
        entry.quantile: tally.at_quantile(entry.quantile).count(entry.values, rescanned, progress) for entry in others
    }
    values = {entry.quantile: entry.values for entry in thresholds}
    scored = tally.at_quantile(own.quantile)
    ranges: dict[str, list[ActivationRange]] = {name: [] for name in counted}
    for first, last in spans:
        for name, found in nested[last].items():
            counts, high = found.counts, np.full(len(found.counts.I), np.inf, np.float32)
            if first:
                inside, high = nested[first][name].counts, values[first][name]
                counts = Counts(counts.I - inside.I, counts.A - inside.A, counts.G)
            score = scored.score_counts(counts)
            ranges[name].append(ActivationRange(float(first), float(last), values[last][name], high, counts, score))
    return {name: tuple(found) for name, found in ranges.items()}
