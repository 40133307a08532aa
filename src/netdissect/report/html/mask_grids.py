"""Exemplars' grids with 8 bits per cell, which the page upsamples to draw a unit's mask.

The threshold is between the codes 127 and 128, so that each cell is exactly on its side of it. The distance from the
threshold is stored as a square root: fine near the threshold, where the edge of the mask is, and coarse far from it. Cells
that no edge depends on (below the threshold, as are all their neighbors) are rounded further; they show in the heat style only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Codes of cells far from any mask are multiples of this; in exemplars that are shown for what is below the threshold, of this.
_COARSE_STEP, _FINE_STEP = 64, 56


def encode_grids(
    grids: NDArray[np.floating], fine: slice = slice(0, 0)
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the codes of grids, and each unit's scale above and below the threshold.

    Args:
        grids: activations minus threshold, at any scale, shape (U, k, h, w).
        fine: the exemplars of each unit that are shown for what is below the threshold.

    Returns:
        codes, uint8, shape (U, k, h, w); scales, float32, shape (U, 2).
    """
    values = grids.astype(np.float32)
    above, below = values.max(axis=(1, 2, 3), initial=0), -values.min(axis=(1, 2, 3), initial=0)
    scale = np.stack([above, below], axis=1)
    span = np.where(scale > 0, scale, 1)[:, :, None, None, None]
    root_above = 127.5 * np.sqrt(np.clip(grids / span[:, 0], 0, 1))
    root_below = 127.5 * np.sqrt(np.clip(-grids / span[:, 1], 0, 1))
    codes = np.where(
        grids > 0, np.clip(np.rint(127.5 + root_above), 128, 255), np.clip(np.rint(127.5 - root_below), 0, 127)
    ).astype(np.uint8)
    far = ~_find_cells_near_mask(codes >= 128)
    step = np.full((1, codes.shape[1], 1, 1), _COARSE_STEP, np.uint8)
    step[:, fine] = _FINE_STEP
    codes -= np.where(far, codes % step, 0).astype(np.uint8)
    return codes, scale.astype(np.float32)


def decode_grids(codes: NDArray[np.uint8], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the grids that the page decodes from codes, float32, shape (U, k, h, w)."""
    distance = ((codes.astype(np.float32) - 127.5) / 127.5) ** 2
    scales = scale[:, :, None, None, None]
    return np.where(codes >= 128, distance * scales[:, 0], -distance * scales[:, 1]).astype(np.float32)


def _find_cells_near_mask(above: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which cells are above the threshold or have one of their eight neighbors above it."""
    wide = above.copy()
    wide[..., 1:, :] |= above[..., :-1, :]
    wide[..., :-1, :] |= above[..., 1:, :]
    tall = wide.copy()
    tall[..., 1:] |= wide[..., :-1]
    tall[..., :-1] |= wide[..., 1:]
    return tall
