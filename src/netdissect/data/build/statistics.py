"""Phase 1: how often every label of every source is used, at full resolution (BRODEN, § 2)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.data.build.source import as_planes
from netdissect.data.build.unify import Label
from netdissect.errors import DataFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netdissect.data.build.source import Labelling

#: Frequency and coverage of every label number, per category: what one batch of images adds.
Counts = dict[str, dict[str, tuple[int, float]]]


@dataclass
class Statistics:
    """How often labels are used.

    Attributes:
        frequency: images a label touches.
        coverage: added-up shares of their pixels; with several planes an image can add more than 1.
    """

    frequency: dict[Label, int] = field(default_factory=lambda: defaultdict(int))
    coverage: dict[Label, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, source: str, counts: Counts) -> None:
        """Count what a batch of a source's images adds."""
        for category, labels in counts.items():
            for number, (frequency, coverage) in labels.items():
                label = Label(source, category, int(number))
                self.frequency[label] += frequency
                self.coverage[label] += coverage

    def mean_size(self, label: Label) -> float:
        """Return a label's mean object size: the share of the pixels of an image that it touches."""
        return self.coverage[label] / self.frequency[label]


def count(labels: Mapping[str, Labelling], into: Counts) -> None:
    """Count the labels of one image.

    Args:
        labels: what is labelled, per category.
        into: counts to add to.

    Raises:
        DataFileError: if a label is negative or beyond 65,535.
    """
    for category, labelling in labels.items():
        own = into.setdefault(category, {})
        shares = dict.fromkeys(labelling, 1.0) if isinstance(labelling, tuple) else _shares(category, labelling)
        for number, share in shares.items():
            if number:
                frequency, coverage = own.get(str(number), (0, 0.0))
                own[str(number)] = frequency + 1, coverage + share


def _shares(category: str, labelling: Labelling) -> dict[int, float]:
    planes: np.ndarray[Any, np.dtype[Any]] = as_planes(labelling)
    pixels = planes.shape[-2] * planes.shape[-1]
    if planes.size and not 0 <= int(planes.min()) <= int(planes.max()) <= 65535:
        raise DataFileError(
            f"a {category} map holds numbers from {int(planes.min())} to {int(planes.max())}: labels are 0 to 65535"
        )
    counted = np.bincount(planes.ravel())
    return {int(number): int(counted[number]) / pixels for number in np.flatnonzero(counted)}
