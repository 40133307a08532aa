"""Bilinear upsampling from a layer's grid to the label grid, anchored at receptive-field centers (docs/method.md, § 2).

Along an axis every pixel is in a *segment*: before the first anchor, between two anchors, or after the last. In a segment the
interpolated value depends on the same two cells; before the first and after the last anchor on one cell. All arithmetic is
float64; the value that is compared with the threshold is rounded to float32, as in the released code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.layers import FieldMap


def compute_anchors(offset: float, size: float, step: float, cells: int, reduction: float) -> NDArray[np.float64]:
    """Return the positions of an axis' cells on the label grid, in label pixels, float64, shape (cells,).

    ``anchor_i = (o + s//2)//r + i·t/r``: the first is floored, as in the released code, the step is not. If r is not a
    whole number, pixels of the input and of the label grid are compared at their centers.

    Args:
        offset: o, in input pixels.
        size: s, in input pixels.
        step: t, in input pixels.
        cells: number of cells.
        reduction: r.
    """
    center = offset + size // 2
    first = math.floor(center // reduction) if reduction == int(reduction) else (center + 0.5) / reduction - 0.5
    return first + np.arange(cells, dtype=np.float64) * (step / reduction)


def compute_reduction(image: int, labels: int) -> float:
    """Return r, the number of input pixels per label pixel along an axis.

    It is a whole number, as in the released code, unless that would place the image's last pixel more than one label
    pixel off; then it is the exact ratio. A network may see images at another resolution than the probe set's.

    >>> compute_reduction(227, 113), compute_reduction(224, 224), compute_reduction(280, 112), compute_reduction(28, 112)
    (2, 1, 2.5, 0.25)
    """
    whole = max(1, round(image / labels))
    return whole if abs(image / whole - labels) <= 1 else image / labels


@dataclass(frozen=True, slots=True, eq=False)
class UpsampleAxis:
    """An axis of the label grid, cut into segments.

    Attributes:
        start: first pixel of every segment, and the end of the last, int64, shape (cells + 2,); segment s is the pixels
            ``start[s]`` to ``start[s + 1] - 1``, between the cells s - 1 and s (clamped).
        fraction: position of every pixel between the two cells of its segment, from 0 to 1, float64, shape (pixels,).
    """

    start: NDArray[np.int64]
    fraction: NDArray[np.float64]

    @property
    def lower(self) -> NDArray[np.int64]:
        """The last cell before or at every pixel, int64, shape (pixels,)."""
        return np.maximum(self._segment - 1, 0)

    @property
    def upper(self) -> NDArray[np.int64]:
        """The first cell after every pixel, int64, shape (pixels,)."""
        return np.minimum(self._segment, self.start.size - 3)

    @property
    def _segment(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(self.start.size - 1), np.diff(self.start))


def make_upsample_axis(positions: NDArray[np.float64], pixels: NDArray[np.float64]) -> UpsampleAxis:
    """Cut an axis into segments.

    Args:
        positions: the anchors in rising order, shape (cells,).
        pixels: positions of the pixels in rising order, in the same coordinate.
    """
    segment = np.searchsorted(positions, pixels, side="right")
    start = np.searchsorted(segment, np.arange(positions.size + 2)).astype(np.int64)
    lower = positions[np.maximum(segment - 1, 0)]
    upper = positions[np.minimum(segment, positions.size - 1)]
    gap = upper - lower
    fraction = np.zeros(pixels.size, dtype=np.float64)
    np.divide(pixels - lower, gap, out=fraction, where=gap > 0)
    return UpsampleAxis(start, fraction)


def make_label_axes(
    field: FieldMap, cells: tuple[int, int], input_size: tuple[int, int], label_size: tuple[int, int]
) -> tuple[UpsampleAxis, UpsampleAxis]:
    """Return the (y, x) axes for upsampling a layer's grid to the label grid."""
    result = []
    for i in (0, 1):
        reduction = compute_reduction(input_size[i], label_size[i])
        positions = compute_anchors(field.offset[i], field.size[i], field.step[i], cells[i], reduction)
        result.append(make_upsample_axis(positions, np.arange(label_size[i], dtype=np.float64)))
    return result[0], result[1]


def make_image_axes(
    field: FieldMap, cells: tuple[int, int], input_size: tuple[int, int], image_size: tuple[int, int]
) -> tuple[UpsampleAxis, UpsampleAxis]:
    """Return the (y, x) axes for upsampling a layer's grid to an image of any size that shows the whole input."""
    result = []
    for i in (0, 1):
        positions = compute_anchors(field.offset[i], field.size[i], field.step[i], cells[i], 1)
        pixels = np.arange(image_size[i], dtype=np.float64) * (input_size[i] / image_size[i])
        result.append(make_upsample_axis(positions, pixels))
    return result[0], result[1]


def upsample(grid: NDArray[np.floating], rows: UpsampleAxis, columns: UpsampleAxis) -> NDArray[np.float32]:
    """Return grids, shape (…, h, w), interpolated to pixels, float32, shape (…, sh, sw).

    Interpolates along y first, then along x; the kernels use the same order of operations.
    """
    cells = grid.astype(np.float64)
    above = cells[..., rows.lower, :]
    at_rows = above + rows.fraction[:, None] * (cells[..., rows.upper, :] - above)
    left = at_rows[..., columns.lower]
    return (left + columns.fraction * (at_rows[..., columns.upper] - left)).astype(np.float32)
