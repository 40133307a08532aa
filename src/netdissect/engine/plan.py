"""The order of a run: a seeded permutation of the images, cut into batches, which are grouped into shards.

A shard consists of whole batches, so the images a network sees together do not depend on how the work is divided: the same
settings give the same activations, bit by bit, for any number of workers.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """A part of the images that one worker scans.

    Attributes:
        number: its number in the plan; shard 0 is the calibration sample.
        batches: for every batch, the positions of its images in the probe set.
    """

    number: int
    batches: tuple[NDArray[np.int64], ...]

    @property
    def images(self) -> NDArray[np.int64]:
        """Positions of all its images, in the order they are scanned."""
        return np.concatenate(self.batches)


@dataclass(frozen=True)
class Plan:
    """The order of a run.

    Attributes:
        images: number of images N.
        batch_size: images per forward pass.
        shard_size: images per shard, rounded up to whole batches.
        calibration_size: images of shard 0, rounded up to whole batches.
        seed: seed of the permutation.
    """

    images: int
    batch_size: int
    shard_size: int
    calibration_size: int
    seed: int

    @cached_property
    def shards(self) -> Sequence[Shard]:
        """All shards; the first is a simple random sample of the images, whatever the order of the probe set."""
        order = np.random.default_rng(self.seed).permutation(self.images).astype(np.int64)
        batches = [order[start : start + self.batch_size] for start in range(0, self.images, self.batch_size)]
        first = -(-self.calibration_size // self.batch_size)
        step = -(-self.shard_size // self.batch_size)
        cuts = [0, *range(first, len(batches), step), len(batches)]
        return tuple(
            Shard(number, tuple(batches[start:end]))
            for number, (start, end) in enumerate(itertools.pairwise(cuts))
            if end > start
        )
