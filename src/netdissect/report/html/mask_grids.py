"""Exemplars' grids in 8 bits: what the page interpolates to draw a unit's mask in any style.

The threshold lies between the codes 127 and 128, so that a cell is on its right side exactly. Distance from it is
stored as a square root: fine near the threshold, where the mask's edge runs, coarse far from it. A cell that no edge
can depend on (below the threshold like all its neighbors) is rounded further; it only shades the heat style.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Steps that cells far below the threshold are rounded to.
_COARSE_STEP = 16


def encode_grids(grids: NDArray[np.floating]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return codes, uint8, of the same shape, and each unit's scale above and below the threshold, shape (U, 2).

    Args:
        grids: activation above the threshold, of any scale, shape (U, k, h, w).
    """
    flat = grids.reshape(grids.shape[0], -1).astype(np.float32)
    above = np.maximum(flat.max(axis=1, initial=0), 0)
    below = np.maximum(-flat.min(axis=1, initial=0), 0)
    scale = np.stack([above, below], axis=1)
    span = np.where(scale > 0, scale, 1)[:, :, None, None, None]
    root_above = 127.5 * np.sqrt(np.clip(grids / span[:, 0], 0, 1))
    root_below = 127.5 * np.sqrt(np.clip(-grids / span[:, 1], 0, 1))
    codes = np.where(
        grids > 0, np.clip(np.rint(127.5 + root_above), 128, 255), np.clip(np.rint(127.5 - root_below), 0, 127)
    ).astype(np.uint8)
    far = ~_find_cells_near_mask(codes >= 128)
    codes[far] -= codes[far] % _COARSE_STEP
    return codes, scale.astype(np.float32)


def decode_grids(codes: NDArray[np.uint8], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the page makes of codes, float32, shape (U, k, h, w)."""
    distance = ((codes.astype(np.float32) - 127.5) / 127.5) ** 2
    side = scale[:, :, None, None, None]
    return np.where(codes >= 128, distance * side[:, 0], -distance * side[:, 1]).astype(np.float32)


def _find_cells_near_mask(above: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which cells are, or have among their eight neighbors, one above the threshold."""
    wide = above.copy()
    wide[..., 1:, :] |= above[..., :-1, :]
    wide[..., :-1, :] |= above[..., 1:, :]
    tall = wide.copy()
    tall[..., 1:] |= wide[..., :-1]
    tall[..., :-1] |= wide[..., 1:]
    return tall
