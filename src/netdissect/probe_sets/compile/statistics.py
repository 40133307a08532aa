"""Phase 1 of a build: count how often every label of every source is used, at full resolution."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import DataFileError
from netdissect.probe_sets.compile.unify import SourceLabel
from netdissect.probe_sets.source import to_planes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from netdissect.probe_sets.source import CategoryLabels

#: Frequency and coverage of every label number (as text), per category, over one batch of images.
Counts = dict[str, dict[str, tuple[int, float]]]


@dataclass
class Statistics:
    """Count how often labels are used.

    Attributes:
        frequency: number of images that a label touches.
        coverage: sum of the shares of their pixels; an image with several planes can add more than 1.
    """

    frequency: dict[SourceLabel, int] = field(default_factory=lambda: defaultdict(int))
    coverage: dict[SourceLabel, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, source: str, counts: Counts) -> None:
        """Add the counts of a batch of a source's images."""
        for category, labels in counts.items():
            for number, (frequency, coverage) in labels.items():
                label = SourceLabel(source, category, int(number))
                self.frequency[label] += frequency
                self.coverage[label] += coverage

    def mean_size(self, label: SourceLabel) -> float:
        """Return a label's mean object size: its mean share of the pixels of the images that it touches."""
        return self.coverage[label] / self.frequency[label]


def count_labels(labels: Mapping[str, CategoryLabels], into: Counts) -> None:
    """Count the labels of one image.

    Args:
        labels: the image's labels, per category.
        into: counts to add to.

    Raises:
        DataFileError: if a label is negative or beyond 65,535.
    """
    for category, labeling in labels.items():
        if isinstance(labeling, tuple):
            add_pixel_shares(category, dict.fromkeys(labeling, 1.0), into)
            continue
        planes: np.ndarray[Any, np.dtype[Any]] = to_planes(labeling)
        if planes.size and not 0 <= int(planes.min()) <= int(planes.max()) <= 65535:
            raise DataFileError(
                f"a {category} map holds numbers from {int(planes.min())} to {int(planes.max())}: labels are 0 to 65535"
            )
        add_pixel_counts(category, np.bincount(planes.ravel()), planes.shape[-2] * planes.shape[-1], into)


def add_pixel_counts(category: str, counted: NDArray[np.int64], pixels: int, into: Counts) -> None:
    """Count an image of `pixels` pixels, given how many of them have label 0, 1, …."""
    add_pixel_shares(category, {int(number): int(counted[number]) / pixels for number in np.flatnonzero(counted)}, into)


def add_pixel_shares(category: str, shares: Mapping[int, float], into: Counts) -> None:
    """Count an image, given the share of its pixels that each label covers."""
    own = into.setdefault(category, {})
    for number, share in shares.items():
        if number:
            frequency, coverage = own.get(str(number), (0, 0.0))
            own[str(number)] = frequency + 1, coverage + share
