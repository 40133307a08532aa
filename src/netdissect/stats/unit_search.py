"""The exact search of one unit for the best formula of at most three concepts, one group of images after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.stats.formula_forms import FORMS, order_concepts
from netdissect.stats.formula_kernel import add_pairs, add_singles, search_pairs, search_singles
from netdissect.stats.triple_kernel import extend_pair, search_triples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.stats.formula_forms import Join
    from netdissect.stats.signatures import CategoryGroup, PreparedSignatures

#: Share of all pixels by which rounding may change a sum over signatures.
_ROUNDING = 1e-9


class UnitSearch:
    """What one unit's masks meet, and the best formula so far.

    Attributes:
        best: intersection and union of the best formula in pixels, the number of its concepts, their columns, rising, with -1
            for none, and the number of its form, int64, shape (7,).
        mask: pixels of the unit's masks that have every signature, int64, shape (S,).
        own: IoU of every single concept, float64, shape (C,).
        single: IoU of the best single concept.
        offered: number of triples of which all forms were computed.
    """

    def __init__(
        self, prepared: PreparedSignatures, signature: NDArray[np.integer], count: NDArray[np.integer]
    ) -> None:
        self._prepared = prepared
        self._signature = signature.astype(np.int64)
        self.mask = np.zeros(prepared.signatures.pixels.size, np.int64)
        self.mask[signature] = count
        self.own = np.zeros(prepared.signatures.primary.size)
        self.best = np.array([0, 1, 0, -1, -1, -1, 0], np.int64)
        self.single = 0.0
        self.offered = 0

    @property
    def iou(self) -> float:
        """IoU of the best formula so far."""
        return float(self.best[0] / self.best[1])

    @property
    def counts(self) -> tuple[int, int]:
        """Intersection and union of the best formula so far, in pixels."""
        return int(self.best[0]), int(self.best[1])

    def search_singles(self) -> None:
        """Search all single concepts."""
        signatures = self._prepared.signatures
        for number, group in enumerate(self._prepared.groups):
            own, X = self._find_own(group), np.zeros(group.concepts.size, np.int64)
            add_singles(signatures.start, signatures.columns, group.place, own, self.mask[own], X)
            Y, M = np.diag(group.pairs).copy(), self._count_mask(own)
            search_singles(X, Y, M, group.concepts, *self._name(number), self.own, self.best)
        self.single = self.iou

    def search_pairs(self) -> None:
        """Search all pairs."""
        for number, group in enumerate(self._prepared.groups):
            own = self._find_own(group)
            X, M = self._tabulate(group.place, own, self.mask[own]), self._count_mask(own)
            search_pairs(X, group.pairs, M, group.concepts, *self._name(number), self.best)

    def search_triples(self) -> None:
        """Search all triples."""
        for number, group in enumerate(self._prepared.groups):
            own = self._find_own(group)
            if self._find_partners(group, own)[0].size:
                X = self._tabulate(group.place, own, self.mask[own])
                tables = self._collect_tables(group, group.place, X, group.pairs)
                self.offered += extend_pair(
                    group.concepts, *self._name(number), tables, self.mask, self._count_mask(own), self.best
                )
                self._search_partners(number, group, own, X)

    def _search_partners(self, number: int, group: CategoryGroup, own: NDArray[np.int64], X: NDArray[np.int64]) -> None:
        """Search the triples of the concepts that can be part of a better one."""
        order, g, bound = self._find_partners(group, own)
        if not order.size:
            return
        concepts, t, grid = group.concepts[order], self.iou, np.ix_(order, order)
        place = np.full_like(group.place, -1)
        place[concepts] = np.arange(order.size)
        P = self._tabulate(place, own, np.maximum(g, 0))
        X, Y = X[grid], group.pairs[grid]
        tables = self._collect_tables(group, place, X, Y)
        sums = (1 + t) * X - t * Y
        self.offered += search_triples(
            sums, P, bound, concepts, *self._name(number), tables, self.mask, self._count_mask(own), self.best
        )

    def read(self) -> tuple[tuple[int, ...], tuple[Join, ...]]:
        """Return the columns and operators of the best formula, in the order in which they are read."""
        length = int(self.best[2])
        if not length:
            return (), ()
        order, operators = FORMS[length][self.best[6]]
        return order_concepts([int(self.best[3 + place]) for place in order], operators, self.own)

    def _name(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """Return how the kernels know which triples are a group's."""
        return self._prepared.signatures.primary, self._prepared.group_of, number

    def _count_mask(self, own: NDArray[np.int64]) -> int:
        return int(self.mask[own].sum())

    def _find_own(self, group: CategoryGroup) -> NDArray[np.int64]:
        """Return the signatures of the group's images that the masks meet."""
        own: NDArray[np.int64] = self._signature[
            (self._prepared.signatures.presence[self._signature] & group.bits) == group.bits
        ]
        return own

    def _find_partners(
        self, group: CategoryGroup, own: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], float]:
        """Return the concepts that can be part of a better triple, by falling P, with g of own signatures and the bound."""
        t, M = self.iou, self._count_mask(own)
        g = (1 + t) * self.mask[own] - t * self._prepared.signatures.pixels[own]
        bound = t * M - _ROUNDING * (2 * M + group.pixels)
        P = np.zeros(group.concepts.size)
        signatures = self._prepared.signatures
        add_singles(signatures.start, signatures.columns, group.place, own, np.maximum(g, 0), P)
        order = np.argsort(-P, kind="stable")
        taken = P[order] + P[order[:2]].sum() >= bound
        if order.size < 3 or not taken[2]:
            return order[:0], g, bound
        return order[taken], g, bound

    def _tabulate(self, place: NDArray[np.int64], own: NDArray[np.int64], weights: NDArray[Any]) -> NDArray[Any]:
        """Return the sums of weights over the own signatures that have both of two concepts."""
        size = int(place.max(initial=-1)) + 1
        table = np.zeros((size, size), weights.dtype)
        add_pairs(self._prepared.signatures.start, self._prepared.signatures.columns, place, own, weights, table)
        return table

    def _collect_tables(
        self, group: CategoryGroup, place: NDArray[np.int64], X: NDArray[Any], Y: NDArray[np.int64]
    ) -> tuple[Any, ...]:
        """Return the tables of `netdissect.stats.triple_kernel.offer_triple`."""
        prepared, rows = self._prepared, self._prepared.signatures
        of_group = (X, Y, place, group.bits)
        return *of_group, rows.presence, rows.pixels, rows.start, rows.columns, prepared.first, prepared.of_column
