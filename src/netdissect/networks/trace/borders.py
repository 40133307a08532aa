"""Borders: rows and columns that are padding, such as windows add to a grid that they do not divide.

They are no cells of the image, and are cut off before activations are counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Pair = tuple[int, int]


class Border(NamedTuple):
    """Padding around a grid, in cells.

    Attributes:
        rows: before the first and after the last row.
        columns: before the first and after the last column.
        is_outside: whether it was added after the grid was rolled, and is not rolled with it.
    """

    rows: Pair = (0, 0)
    columns: Pair = (0, 0)
    is_outside: bool = False

    def sides(self, axis: int) -> Pair:
        """Return the padding before and after the rows (axis 0) or columns (axis 1)."""
        return self.columns if axis else self.rows

    def extend(self, rows: Pair, columns: Pair, *, is_outside: bool = False) -> Border:
        """Return the border after padding; negative widths cut cells off."""
        y, x = (
            (max(0, before + first), max(0, after + last))
            for (before, after), (first, last) in ((self.rows, rows), (self.columns, columns))
        )
        return Border(y, x, is_outside)

    def slice_axis(self, axis: int, taken: Sequence[int], length: int) -> Border:
        """Return the border after some rows (axis 0) or columns (axis 1) of so many were taken.

        >>> Border((0, 3), (0, 2)).slice_axis(0, range(0, 16, 2), 16)
        Border(rows=(0, 1), columns=(0, 2), is_outside=False)
        """
        before, after = self.sides(axis)
        sides = sum(cell < before for cell in taken), sum(cell >= length - after for cell in taken)
        rows, columns = (self.rows, sides) if axis else (sides, self.columns)
        return Border(rows, columns, self.is_outside and any((*rows, *columns)))

    def is_cut_off(self, axis: int, taken: Sequence[int], length: int) -> bool:
        """Return whether the rows (axis 0) or columns (axis 1) taken are all but the padding."""
        before, after = self.sides(axis)
        return taken == range(before, length - after)

    def join_axis(self, axis: int, first: Border, last: Border) -> Border:
        """Return the border of rows (axis 0) or columns (axis 1) that begin with those of one tensor and end with another's."""
        sides = first.sides(axis)[0], last.sides(axis)[1]
        return self._replace(columns=sides) if axis else self._replace(rows=sides)

    def scale(self, factors: Pair) -> Border:
        """Return the border after cells became blocks."""
        (top, bottom), (left, right), is_outside = self
        return Border((top * factors[0], bottom * factors[0]), (left * factors[1], right * factors[1]), is_outside)

    def coarsen(self, patch: Pair) -> Border:
        """Return the border after patches became cells: those that are nothing but padding."""
        (top, bottom), (left, right), is_outside = self
        return Border((top // patch[0], bottom // patch[0]), (left // patch[1], right // patch[1]), is_outside)


NO_BORDER = Border()


def unite_borders(borders: Iterable[Border]) -> Border:
    """Return the cells that are padding in all of several tensors with the same grid."""
    known = list(borders)
    rows, columns = (
        (min(border.sides(axis)[0] for border in known), min(border.sides(axis)[1] for border in known))
        for axis in (0, 1)
    )
    return Border(rows, columns, known[0].is_outside)
