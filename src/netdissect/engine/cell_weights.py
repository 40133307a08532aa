"""Cell weights: what every cell of a grid counts in the sum of its upsampled activations over a concept's pixels.

Upsampling is linear: the sum of an upsampled grid over the pixels of a label is Σ w·a over cells, with weights w that depend on the
label map and the field map alone. So an image's labels become one short list of weights, which serves all units of a layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from netdissect.compiled import cached_njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.concepts import Labels
    from netdissect.geometry.upsample import UpsampleAxis


class CellWeights(NamedTuple):
    """The weights of one image's labels on a grid; a pixel has a label or not, however many planes name it.

    Attributes:
        codes: the codes that label some of the image's pixels but do not hold for the whole image, int64, shape (n,).
        pixels: number of pixels of each, int64, shape (n,).
        start: position of every code's first weight, and the end of the last, int64, shape (n + 1,).
        cells: the cell of every weight, row by row of the grid, int32, shape (m,).
        weights: the weights, float64, shape (m,).
        whole: codes that hold for the whole image, int64, shape (W,).
        size: number of pixels of the label map.
    """

    codes: NDArray[np.int64]
    pixels: NDArray[np.int64]
    start: NDArray[np.int64]
    cells: NDArray[np.int32]
    weights: NDArray[np.float64]
    whole: NDArray[np.int64]
    size: int

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return sum(array.nbytes for array in self[:-1])


def weigh_cells(labels: Labels, rows: UpsampleAxis, columns: UpsampleAxis, concepts: int) -> CellWeights:
    """Return the cell weights of an image's labels.

    Args:
        labels: the labels.
        rows: the label map's rows on the grid (`geometry.upsample.make_label_axes`).
        columns: its columns.
        concepts: number of concepts C.
    """
    found = np.zeros(concepts + 1, np.bool_)
    found[labels.planes.reshape(-1)] = True
    found[0] = False
    found[labels.whole] = False
    codes = np.flatnonzero(found)
    place = np.full(concepts + 1, -1, np.int64)
    place[codes] = np.arange(codes.size)
    width = columns.start.size - 2
    dense = np.zeros((codes.size, (rows.start.size - 2) * width))
    pixels = np.zeros(codes.size, np.int64)
    _weigh_pixels(
        labels.planes, place, rows.lower, rows.upper, rows.fraction, columns.lower, columns.upper, columns.fraction, width, dense, pixels
    )  # fmt: skip
    code, cells = np.nonzero(dense)
    start = np.searchsorted(code, np.arange(codes.size + 1))
    height, breadth = labels.shape
    whole = np.unique(labels.whole)
    return CellWeights(
        codes, pixels, start, cells.astype(np.int32), dense[code, cells], whole[whole > 0], height * breadth
    )


@cached_njit()
def _weigh_pixels(planes, place, top, bottom, down, left, right, across, width, dense, pixels):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for y in range(planes.shape[1]):
        above, below, fy = top[y] * width, bottom[y] * width, down[y]
        for x in range(planes.shape[2]):
            fx = across[x]
            for plane in range(planes.shape[0]):
                at = place[planes[plane, y, x]]
                for earlier in range(plane):
                    if planes[earlier, y, x] == planes[plane, y, x]:
                        at = -1
                if at < 0:
                    continue
                pixels[at] += 1
                dense[at, above + left[x]] += (1 - fy) * (1 - fx)
                dense[at, above + right[x]] += (1 - fy) * fx
                dense[at, below + left[x]] += fy * (1 - fx)
                dense[at, below + right[x]] += fy * fx
