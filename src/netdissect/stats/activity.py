"""How activations are distributed: sums and a histogram per unit, mergeable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

BINS = 48


@dataclass(eq=False)
class ActivityStats:
    """Sums over all cells of a layer, per unit.

    Attributes:
        low: lower edge of the histogram's first bin, float32, shape (U,); fixed from the start.
        high: upper edge of its last bin, float32, shape (U,); the outermost bins also hold what lies beyond.
        histogram: cells per bin, int64, shape (U, BINS).
        total: sum of the activations, float64, shape (U,).
        lowest: float32, shape (U,).
        highest: float32, shape (U,).
        cells: number of cells seen of each unit.
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    histogram: NDArray[np.int64]
    total: NDArray[np.float64]
    lowest: NDArray[np.float32]
    highest: NDArray[np.float32]
    cells: int

    @classmethod
    def empty(cls, low: NDArray[np.float32], high: NDArray[np.float32]) -> Self:
        """Return an accumulator that has seen nothing, with a histogram between two edges per unit."""
        units = low.size
        return cls(
            low,
            high,
            np.zeros((units, BINS), np.int64),
            np.zeros(units, np.float64),
            np.full(units, np.inf, np.float32),
            np.full(units, -np.inf, np.float32),
            0,
        )

    def update(
        self,
        total: NDArray[np.float64],
        lowest: NDArray[np.float32],
        highest: NDArray[np.float32],
        cells: int,
    ) -> None:
        """Add a batch's sums and extremes; its cells go into `histogram` where they are looked at."""
        self.total += total
        np.minimum(self.lowest, lowest, out=self.lowest)
        np.maximum(self.highest, highest, out=self.highest)
        self.cells += cells

    def merge(self, other: Self) -> Self:
        """Return what one accumulator would hold that had seen what both saw; neither is changed."""
        return type(self)(
            self.low,
            self.high,
            self.histogram + other.histogram,
            self.total + other.total,
            np.minimum(self.lowest, other.lowest),
            np.maximum(self.highest, other.highest),
            self.cells + other.cells,
        )

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean activation, float64, shape (U,)."""
        return self.total / max(self.cells, 1)

    def state_dict(self) -> dict[str, NDArray[np.generic]]:
        """Return the state as arrays."""
        return {
            "low": self.low, "high": self.high, "histogram": self.histogram, "total": self.total,
            "lowest": self.lowest, "highest": self.highest, "cells": np.array(self.cells),
        }  # fmt: skip

    @classmethod
    def from_state_dict(cls, state: Mapping[str, NDArray[np.generic]]) -> Self:
        """Return an accumulator from its state."""
        return cls(**{**state, "cells": int(state["cells"])})  # type: ignore[arg-type]
