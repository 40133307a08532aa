"""The numbers that label maps of a look hold: each labeled unit and each concept of a layer has one, in every image the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from netdissect.report.image_look import find_labeled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.results.layer_result import LayerResult

#: The largest number of a 16-bit map.
_MAX_NUMBER = 2**16 - 1


@dataclass(frozen=True, eq=False)
class LookNumbers:
    """The numbers of a layer's labeled units and of the concepts that they detect.

    Attributes:
        layer: the layer.
        threshold: score from which a unit counts as labeled.
    """

    layer: LayerResult
    threshold: float

    @cached_property
    def channels(self) -> NDArray[np.int64]:
        """The labeled units, counted from 0, int64, shape (m,)."""
        return find_labeled(self.layer, self.threshold)

    @property
    def are_unit_numbers(self) -> bool:
        """Whether a unit's number in a map is its own, counted from 1; else the labeled units alone are numbered."""
        return self.layer.layer.units <= _MAX_NUMBER

    @cached_property
    def columns(self) -> NDArray[np.int64]:
        """Columns of the concepts that the labeled units detect, in the order of their numbers, int64, shape (c,)."""
        return np.unique(self.layer.labels[self.channels])

    def find_units(self, channels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers of labeled units, which are given by channel."""
        return channels + 1 if self.are_unit_numbers else np.searchsorted(self.channels, channels) + 1

    def find_concepts(self, columns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers of concepts, which are given by column: 1 for the first that the layer's labeled units detect."""
        return np.searchsorted(self.columns, columns) + 1
