"""Which units exceed untrained networks, concept by concept (docs/trust.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def compare_with_references(
    scores: NDArray[np.float64], references: Sequence[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far units exceed untrained networks, and how likely a unit of an untrained network does so.

    A unit's excess over a set of networks is max_c [score(unit, c) − max score of the networks' units for c]. For every network that
    is left out, its own units are compared with the others: these excesses are the null distribution. The units under test are
    compared with the same sets of networks, and their excess is the mean over the sets. p is its rank: (1 + #{null ≥ excess}) /
    (1 + number of null excesses). A unit that scores 0 for every concept has p = 1.

    It does not test the score of the unit's own label: a label is chosen by its score, so most units of an untrained network would
    exceed other untrained networks.

    Args:
        scores: score of every unit with every concept, shape (U, C).
        references: the same of at least two untrained networks, each of shape (U', C).

    Returns:
        excess, shape (U,), and p, shape (U,).

    Example:
        >>> import numpy as np
        >>> untrained = np.random.default_rng(0).uniform(0, 0.02, (3, 40, 10))
        >>> excess, p = compare_with_references(np.r_[untrained[0, :1] + 0.1, np.zeros((1, 10))], list(untrained))
        >>> bool(excess[0] > 0.05), float(p[0].round(4)), float(p[1])
        (True, 0.0083, 1.0)
    """
    excess, p = np.zeros(len(scores)), np.ones(len(scores))
    if not scores.size:
        return excess, p
    best = np.stack([reference.max(axis=0, initial=0) for reference in references])
    null = []
    for place, left_out in enumerate(references):
        others = np.delete(best, place, axis=0).max(axis=0)
        null.append((left_out - others).max(axis=1))
        excess += (scores - others).max(axis=1) / len(references)
    ranked = np.sort(np.concatenate(null))
    exceeding = ranked.size - np.searchsorted(ranked, excess, side="left")
    works = scores.max(axis=1) > 0
    p[works] = ((1 + exceeding) / (1 + ranked.size))[works]
    return excess, p
