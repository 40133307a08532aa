"""The activation tally: sums of upsampled activations over pixels, for scores that take no threshold (docs/method.md, § 3).

Sums are 64-bit integers in a step of each unit's own, into which the sum over each image is rounded: so they do not depend on the
order in which images are added, and the step is below 10⁻⁹ of the unit's largest activation on a probe set of 10⁹ pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from netdissect.compiled import cached_njit
from netdissect.results.activation_sums import ActivationSums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.concepts import Vocabulary
    from netdissect.engine.cell_weights import CellWeights
    from netdissect.engine.row_threads import RowThreads
    from netdissect.geometry.upsample import UpsampleAxis

#: The largest sum, as a power of 2: half of what an int64 holds.
_LARGEST = 61


class SumSteps(NamedTuple):
    """The steps of a layer's sums: powers of 2.

    Attributes:
        linear: of sums of activations, float64, shape (U,).
        square: of sums of squares, float64, shape (U,).
    """

    linear: NDArray[np.float64]
    square: NDArray[np.float64]


def choose_steps(largest: NDArray[np.float32], pixels: int) -> SumSteps:
    """Return the smallest steps in which no sum can overflow.

    Args:
        largest: every unit's largest absolute activation, shape (U,).
        pixels: number of pixels of all label maps.
    """
    magnitude = np.where(largest > 0, largest, 1).astype(np.float64)
    return SumSteps(*(np.exp2(np.ceil(np.log2(top * max(pixels, 1))) - _LARGEST) for top in (magnitude, magnitude**2)))


class GridSums(NamedTuple):
    """How the cells of a grid count in sums over all pixels of a label map.

    Attributes:
        linear: the weight of every cell in Σ up(a), float64, shape (h · w,).
        rows: the weight of every two rows in Σ up(a)², float64, shape (h, h); 0 but for neighbors.
        columns: the same for columns, float64, shape (w, w).
    """

    linear: NDArray[np.float64]
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]


def make_grid_sums(rows: UpsampleAxis, columns: UpsampleAxis) -> GridSums:
    """Return the weights of a grid's cells: with U = R ⊗ C, those of Uᵀ1, RᵀR and CᵀC."""
    along = [_make_matrix(axis) for axis in (rows, columns)]
    linear = np.outer(along[0].sum(axis=0), along[1].sum(axis=0))
    return GridSums(linear.reshape(-1), *(np.ascontiguousarray(matrix.T @ matrix) for matrix in along))


def _make_matrix(axis: UpsampleAxis) -> NDArray[np.float64]:
    """Return the matrix that interpolates along an axis, shape (pixels, cells)."""
    pixels = np.arange(axis.fraction.size)
    matrix = np.zeros((axis.fraction.size, axis.start.size - 2))
    np.add.at(matrix, (pixels, axis.lower), 1 - axis.fraction)
    np.add.at(matrix, (pixels, axis.upper), axis.fraction)
    return matrix


@dataclass(eq=False)
class ActivationTally:
    """Sums of one layer's activations under several label maps, a row of tables for each.

    Attributes:
        product: Σ a·L_c, in linear steps, int64, shape (R, U, C).
        total: Σ a over the images that have a category, in linear steps, int64, shape (R, U, K).
        square: Σ a² over the same, in square steps, int64, shape (R, U, K).
        labeled: pixels of every concept, int64, shape (R, C).
        pixels: pixels of the images that have a category, int64, shape (R, K).
        partial: number of label maps that have a concept in a part of their pixels, int64, shape (C,).
    """

    product: NDArray[np.int64]
    total: NDArray[np.int64]
    square: NDArray[np.int64]
    labeled: NDArray[np.int64]
    pixels: NDArray[np.int64]
    partial: NDArray[np.int64]

    @classmethod
    def empty(cls, rows: int, units: int, vocabulary: Vocabulary) -> Self:
        """Return sums of 0."""
        width, categories = len(vocabulary), len(vocabulary.categories)
        shapes = [(rows, units, width), *[(rows, units, categories)] * 2, (rows, width), (rows, categories), (width,)]
        return cls(*(np.zeros(shape, np.int64) for shape in shapes))

    def merge(self, other: Self) -> Self:
        """Return the sum of both; neither is changed."""
        return type(self)(*(
            mine + theirs for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True)
        ))  # fmt: skip

    def update(
        self,
        cells: NDArray[np.float32],
        grid: GridSums,
        steps: SumSteps,
        labels: Sequence[tuple[int, CellWeights]],
        vocabulary: Vocabulary,
        threads: RowThreads,
    ) -> None:
        """Add an image.

        Args:
            cells: its activations, float32, shape (h, w, U), contiguous.
            grid: how its cells count.
            steps: the steps of the sums.
            labels: label maps of one size, each with the row of the tables that it is added to.
            vocabulary: the concepts.
            threads: threads for the kernels.
        """
        if not labels:
            return
        units = cells.shape[2]
        of_image = np.zeros((2, units), np.int64)
        threads.split(units, _sum_image_kernel, cells, grid, steps, of_image)
        listed = [entry for _, entry in labels]
        rows = np.array([row for row, _ in labels], np.int64)
        products = _Products(
            np.repeat(rows, [entry.codes.size for entry in listed]),
            np.concatenate([entry.codes for entry in listed]),
            _join_starts([entry.start for entry in listed]),
            np.concatenate([entry.cells for entry in listed]),
            np.concatenate([entry.weights for entry in listed]),
        )
        flat = cells.reshape(-1, units)
        threads.split(units, _sum_products_kernel, flat, products, steps.linear, self.product)
        for row, entry in labels:
            whole = entry.whole - 1
            self.product[row][:, whole] += of_image[0][:, None]
            self.labeled[row, entry.codes - 1] += entry.pixels
            self.labeled[row, whole] += entry.size
            self.partial[entry.codes - 1] += 1
            present = np.unique(vocabulary.primary[np.concatenate([entry.codes - 1, whole])])
            self.total[row][:, present] += of_image[0][:, None]
            self.square[row][:, present] += of_image[1][:, None]
            self.pixels[row, present] += entry.size

    def make_sums(self, weights: NDArray[np.int64], steps: SumSteps, vocabulary: Vocabulary) -> ActivationSums:
        """Return the sums over rows of the tables.

        Args:
            weights: how often each of the first rows counts, int64; further rows do not count.
            steps: the steps of the sums.
            vocabulary: the concepts.
        """
        chosen, primary = np.flatnonzero(weights), vocabulary.primary

        def add(table: NDArray[np.int64]) -> NDArray[np.float64]:
            total = np.zeros(table.shape[1:])
            for row in chosen:
                total += table[row] * np.float64(weights[row])
            return total

        linear, square = steps.linear[:, None], steps.square[:, None]
        return ActivationSums(
            add(self.product) * linear,
            (add(self.total) * linear)[:, primary],
            (add(self.square) * square)[:, primary],
            add(self.labeled),
            add(self.pixels)[primary],
        )


class _Products(NamedTuple):
    """The cell weights of several label maps."""

    row: NDArray[np.int64]
    code: NDArray[np.int64]
    start: NDArray[np.int64]
    cells: NDArray[np.int32]
    weights: NDArray[np.float64]


def _join_starts(starts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.cumsum([0, *np.concatenate([np.diff(start) for start in starts])], dtype=np.int64)


@cached_njit()
def _sum_image_kernel(first, last, cells, grid, steps, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write Σ up(a) and Σ up(a)² of one image, in steps, to the two rows of `sums`."""
    linear, rows, columns = grid
    h, w, _ = cells.shape
    total, square = np.zeros(last - first), np.zeros(last - first)
    for y in range(h):
        for x in range(w):
            weight = linear[y * w + x]
            for u in range(first, last):
                total[u - first] += weight * np.float64(cells[y, x, u])
            for down in range(max(y - 1, 0), min(y + 2, h)):
                for across in range(max(x - 1, 0), min(x + 2, w)):
                    weight = rows[y, down] * columns[x, across]
                    for u in range(first, last):
                        square[u - first] += weight * (np.float64(cells[y, x, u]) * np.float64(cells[down, across, u]))
    for u in range(first, last):
        sums[0, u] = np.int64(np.rint(total[u - first] / steps.linear[u]))
        sums[1, u] = np.int64(np.rint(square[u - first] / steps.square[u]))


@cached_njit()
def _sum_products_kernel(first, last, cells, products, step, table):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add Σ up(a)·L of one image, in steps, to the tables."""
    row, code, start, at, weights = products
    total = np.empty(last - first)
    for entry in range(code.size):
        total[:] = 0
        for place in range(start[entry], start[entry + 1]):
            weight, cell = weights[place], at[place]
            for u in range(first, last):
                total[u - first] += weight * np.float64(cells[cell, u])
        for u in range(first, last):
            table[row[entry], u, code[entry] - 1] += np.int64(np.rint(total[u - first] / step[u]))
