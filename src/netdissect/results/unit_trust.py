"""Compute how far the label of every unit can be trusted, from the trust tables of its layer (docs/trust.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from netdissect.results.trust import UnitTrust
from netdissect.stats.chance import adjust_p, compute_own_p, compute_pooled_p, describe_null
from netdissect.stats.spread import compute_keep, find_label_set, find_resampled_labels, make_intervals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from netdissect.results.trust import Chance, Reference, Spread, Trust, Within

#: False discovery rate below which a unit counts as beyond chance.
LEVEL = 0.05
#: Fields of `UnitTrust` that are numbers, with their values of every unit, shape (U,); NaN where there is none.
_Columns = Mapping[str, "NDArray[np.float64]"]


def compute_unit_trust(
    trust: Trust, label: NDArray[np.int64], score: NDArray[np.float64], names: Sequence[str]
) -> tuple[UnitTrust, ...]:
    """Return how far the label of every unit can be trusted, by channel.

    Args:
        trust: the layer's trust tables.
        label: column of every unit's label, shape (U,); -1 for none.
        score: its score, shape (U,); 0 for none.
        names: name of the concept of every column.
    """
    labeled = label >= 0
    columns: dict[str, NDArray[np.float64]] = {}
    if trust.chance is not None:
        columns |= _compare_with_chance(trust.chance, score, labeled)
    if trust.within is not None:
        columns |= _compare_within(trust.within, labeled, exact=trust.chance is not None and trust.chance.exact)
    if trust.reference is not None:
        columns |= _compare_with_reference(trust.reference, labeled)
    if trust.spread is not None:
        columns |= _measure_spread(trust.spread, label, score)
    numbers = zip(*map(_make_optional, columns.values()), strict=True) if columns else iter([()] * len(label))
    labels = _list_label_sets(trust.spread, labeled, names)
    return tuple(
        UnitTrust(**dict(zip(columns, values, strict=True)), labels=found)
        for values, found in zip(numbers, labels, strict=True)
    )


def _compare_with_chance(chance: Chance, score: NDArray[np.float64], labeled: NDArray[np.bool_]) -> _Columns:
    observed, null = chance.observed.astype(np.float64), chance.score.astype(np.float64)
    p = np.where(labeled, compute_pooled_p(observed, null), 1.0)
    p_own = np.where(labeled, compute_own_p(observed, null), 1.0)
    typical, cut = describe_null(null)
    found = {"chance": typical, "cut": cut, "lift": score / typical}
    return {
        **{name: np.where(labeled, values, np.nan) for name, values in found.items()},
        "p": p,
        "p_own": p_own,
        "q": adjust_p(p_own if chance.exact else p, labeled),
    }


def _compare_within(within: Within, labeled: NDArray[np.bool_], *, exact: bool) -> _Columns:
    """Compare the units whose label has pixels; the others' p is NaN, and they lend no shifts to the pool."""
    applies = within.applies & labeled
    p = np.full(len(labeled), np.nan)
    if not applies.any():
        return {"p_within": p, "q_within": p}
    compute = compute_own_p if exact else compute_pooled_p
    p[applies] = compute(within.observed[applies].astype(np.float64), within.score[:, applies].astype(np.float64))
    return {"p_within": p, "q_within": adjust_p(np.where(applies, p, 1.0), applies)}


def _compare_with_reference(reference: Reference, labeled: NDArray[np.bool_]) -> _Columns:
    return {"q_reference": adjust_p(reference.p, labeled & np.isfinite(reference.p))}


def _measure_spread(spread: Spread, label: NDArray[np.int64], score: NDArray[np.float64]) -> _Columns:
    labeled = label >= 0
    _, resampled = find_resampled_labels(spread.score, spread.column)
    low, high = make_intervals(score, spread.error, spread.folds)
    found = {
        "low": low, "high": high, "keep": compute_keep(resampled, label), "honest": spread.honest.astype(np.float64)
    }  # fmt: skip
    return {name: np.where(labeled, values, np.nan) for name, values in found.items()}


def _list_label_sets(
    spread: Spread | None, labeled: NDArray[np.bool_], names: Sequence[str]
) -> Iterable[tuple[str, ...]]:
    """Return the label set of every unit; empty without a label."""
    if spread is None:
        return ((),) * len(labeled)
    _, resampled = find_resampled_labels(spread.score, spread.column)
    return [
        tuple(names[column] for column in find_label_set(resampled[:, channel])) if found else ()
        for channel, found in enumerate(labeled)
    ]


def _make_optional(values: NDArray[np.float64]) -> list[float | None]:
    """Return numbers as a list with None for NaN.

    >>> _make_optional(np.array([0.5, np.nan]))
    [0.5, None]
    """
    return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124  # NaN
