"""Candidates: the cells that masks can depend on, stored sparsely until the thresholds are known (docs/engine.md).

A label pixel can exceed T_k only if one of the four cells around it does. So for a bound B_k ≤ T_k it is enough to keep,
for every image and unit, the cells above B_k and their neighbors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidates of one layer over some images.

    A *pair* is a unit and an image on which some cell lies above the unit's bound.

    Attributes:
        units: number of units U.
        pair_unit: unit of every pair, int32, shape (P,).
        pair_image: position of every pair's image, int32, shape (P,).
        pair_start: position of every pair's first candidate, and the end of the last, int64, shape (P + 1,).
        cells: position of every candidate in its grid, row by row, uint16 or int32, shape (n,).
        values: activation of every candidate, float32, shape (n,).
    """

    units: int
    pair_unit: NDArray[np.int32]
    pair_image: NDArray[np.int32]
    pair_start: NDArray[np.int64]
    cells: NDArray[np.uint16 | np.int32]
    values: NDArray[np.float32]


def join_candidates(blocks: Sequence[Candidates], images: Sequence[int], units: int) -> Candidates:
    """Join the candidates of consecutive batches.

    Args:
        blocks: candidates of every batch.
        images: number of images of every batch.
        units: number of units U.
    """
    first_image = np.cumsum([0, *images])
    first_cell = np.cumsum([0, *(block.values.size for block in blocks)])

    def concatenate(name: str, kind: Any) -> NDArray[Any]:
        return np.concatenate([getattr(block, name) for block in blocks]) if blocks else np.zeros(0, kind)

    return Candidates(
        units,
        concatenate("pair_unit", np.int32),
        np.concatenate([np.zeros(0, np.int32), *(b.pair_image + np.int32(f) for b, f in zip(blocks, first_image, strict=False))]),
        np.concatenate([*(b.pair_start[:-1] + f for b, f in zip(blocks, first_cell, strict=False)), first_cell[-1:]]),
        concatenate("cells", np.uint16),
        concatenate("values", np.float32),
    )  # fmt: skip
