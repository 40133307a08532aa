"""Pair the rows of two matrices by how alike they are: one partner each, and the largest sum of correlations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

if TYPE_CHECKING:
    from numpy.typing import NDArray


def correlate_rows(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return Pearson's correlation of every row of one matrix with every row of the other; 0 for a constant row.

    Args:
        first: shape (U, C).
        second: shape (V, C), over the same columns.

    Returns:
        correlations, float32, shape (U, V).
    """
    correlation: NDArray[np.float32] = np.clip(_standardize(first) @ _standardize(second).T, -1, 1)
    return correlation


def assign_rows(likeness: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the partner of every row, such that the sum of their likeness is largest (scipy's solution of the assignment problem).

    Args:
        likeness: of every row with every column, shape (U, V).

    Returns:
        columns, int64, shape (U,); no column twice, and -1 for the rows that are left over if U > V.
    """
    partner = np.full(likeness.shape[0], -1, np.int64)
    rows, columns = linear_sum_assignment(likeness, maximize=True)
    partner[rows] = columns
    return partner


def _standardize(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return rows of mean 0 and length 1; a constant row becomes 0."""
    centered = rows - rows.mean(axis=1, keepdims=True, dtype=np.float64) if rows.shape[1] else rows.astype(np.float64)
    length = np.linalg.norm(centered, axis=1, keepdims=True)
    standard = np.divide(centered, length, out=np.zeros_like(centered), where=length > 1e-12)
    single: NDArray[np.float32] = standard.astype(np.float32)
    return single
