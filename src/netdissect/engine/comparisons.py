"""Which label maps the masks of every image are compared with, and which table counts each comparison.

An image is compared with its own labels, counted by fold; with the labels that other images lend it, one table for every
shift; and with those of images of the same scene.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from netdissect.engine.pairing import Pairing

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class LentTables:
    """The tables of one kind of lent labels.

    Attributes:
        shifts: the table of every shift.
        observed: the table of the images' own labels, over those that take part; None if all do.
        label_row: row of their labeled pixels; None if all do.
        left_out: number of images that do not.
        category: category of the labels that lender and borrower share; empty if they need share none.
    """

    shifts: slice
    observed: int | None
    label_row: int | None
    left_out: int
    category: str = ""


@dataclass(frozen=True, eq=False)
class Comparisons:
    """The comparisons of every image.

    Attributes:
        lenders: position of the image that lends the labels, -1 for no comparison, int32, shape (R, N).
        tables: table in which the comparison is counted, int32, shape (R, N).
        label_rows: rows in which the image's own labeled pixels are counted, -1 for none, int32, shape (L, N).
        folds: number of folds F; their tables and rows come first.
        count: number of tables T.
        chance: tables of labels lent by any image; None without.
        within: tables of labels lent within scenes; None without.
    """

    lenders: NDArray[np.int32]
    tables: NDArray[np.int32]
    label_rows: NDArray[np.int32]
    folds: int
    count: int
    chance: LentTables | None = None
    within: LentTables | None = None

    @classmethod
    def start(cls, fold: NDArray[np.int32], folds: int) -> Self:
        """Return the comparisons with own labels.

        Args:
            fold: the fold of every position of the probe set, -1 for images that were not read, shape (N,).
            folds: number of folds F.
        """
        own = np.where(fold < 0, -1, np.arange(fold.size)).astype(np.int32)[None]
        return cls(own, fold[None], fold[None], folds, folds)

    def keep_own(self) -> Comparisons:
        """Return the comparisons with own labels alone, in one table."""
        return Comparisons.start(_put_into_one_fold(self.lenders[0]), 1)

    def split(self) -> tuple[Comparisons, Comparisons | None]:
        """Return the comparisons without those within scenes, and those alone; own labels are counted in both.

        The latter have one table for the own labels of the images that take part.
        """
        if self.within is None:
            return self, None
        lent, first = self.within, len(self.lenders) - (self.count - self.within.shifts.start)
        rows = self.label_rows if lent.label_row is None else self.label_rows[: lent.label_row]
        others = Comparisons(
            self.lenders[:first], self.tables[:first], rows, self.folds, lent.shifts.start, self.chance
        )
        lenders = self.lenders[first : first + lent.shifts.stop - lent.shifts.start]
        alone = Comparisons.start(_put_into_one_fold(lenders[0]), 1).add(Pairing(lenders, 0), lent.category)
        within = LentTables(slice(1, alone.count), None, None, lent.left_out, lent.category)
        return others, replace(alone, within=within)

    def add(self, pairing: Pairing, category: str = "") -> Comparisons:
        """Return these comparisons and those of a pairing.

        Args:
            pairing: who lends labels to whom.
            category: the category within whose labels images are paired; empty if they are paired within none.
        """
        shifts = pairing.lenders.shape[0]
        lenders, tables = [self.lenders, pairing.lenders], [self.tables, self._number(self.count, pairing.lenders)]
        rows, observed, row, count = self.label_rows, None, None, self.count + shifts
        if pairing.left_out:
            takes_part = pairing.lenders[:1] >= 0
            own = np.where(takes_part, np.arange(takes_part.size), -1).astype(np.int32)
            lenders, tables = [*lenders, own], [*tables, self._number(count, own)]
            row = int(rows.max(initial=-1)) + 1
            rows = np.concatenate([rows, np.where(takes_part, row, -1).astype(np.int32)])
            observed, count = count, count + 1
        lent = LentTables(slice(self.count, self.count + shifts), observed, row, pairing.left_out, category)
        return Comparisons(
            np.concatenate(lenders), np.concatenate(tables), rows, self.folds, count,
            self.chance if category else lent, lent if category else self.within,
        )  # fmt: skip

    @property
    def label_tables(self) -> int:
        """Number of rows of labeled pixels: the folds, and one for every kind of comparison that leaves images out."""
        return max(self.folds, int(self.label_rows.max(initial=-1)) + 1)

    @staticmethod
    def _number(first: int, lenders: NDArray[np.int32]) -> NDArray[np.int32]:
        return np.broadcast_to(np.arange(first, first + len(lenders), dtype=np.int32)[:, None], lenders.shape)


def _put_into_one_fold(lenders: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return fold 0 for images that take labels, and -1 for others, int32, shape (N,)."""
    return np.where(lenders < 0, -1, 0).astype(np.int32)
