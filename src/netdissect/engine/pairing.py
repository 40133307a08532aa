"""Which image lends its labels to which, to measure what units score by chance (docs/trust.md).

Images exchange labels only in cells, whose label maps have one size, and images that belong together exchange them as one:
a whole group takes the labels of another group. In every block of groups a shift is cyclic, so the shifts of a block and
the identity form a group of permutations; this is what makes a test by random shifts exact (Hemerik and Goeman, *Exact testing
with random permutations*, TEST 27, 2018).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

#: Groups of a block; a smaller remainder than `_LEAST_REMAINDER` joins the block before it.
BLOCK = 256
_LEAST_REMAINDER = 64
#: Fewest groups of a stratum whose labels are exchanged within it.
LEAST_STRATUM = 5
#: Second words of the seeds of the shifts, so that they do not depend on each other or on the order of the run.
_ALL, _WITHIN = 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class Pairing:
    """Whose labels every image takes in every shift.

    Attributes:
        lenders: position in the probe set of the image whose labels an image takes, int32, shape (S, N); -1 for an image
            that was skipped or that no other image can lend labels to.
        left_out: number of images that were read and that no other image can lend labels to.
    """

    lenders: NDArray[np.int32]
    left_out: int


def pair_images(
    order: NDArray[np.int64], groups: NDArray[np.int64] | None, sizes: NDArray[np.int64], shifts: int, seed: int
) -> Pairing:
    """Pair all images, in blocks of 256 groups that follow the order of the run.

    A group lends to groups of the same size class (1, 2, 3 to 4, 5 to 8 images and so on), in every size of label map; a
    member takes the labels of the lending group's member of the same rank, modulo their number.

    Args:
        order: positions in the probe set of the images that were read, in the order of the run, shape (M,).
        groups: number of the group of every image of the probe set, shape (N,); None if every image is one of its own.
        sizes: number of the label map's size of every image of the probe set, shape (N,).
        shifts: number of shifts S.
        seed: seed of the shifts.

    Returns:
        the lenders; they do not depend on batches, shards and workers.
    """
    members = _Members.gather(order, groups, sizes)
    blocks = [block for kind in members.list_kinds() for block in _cut_blocks(kind)]
    return members.shift(blocks, np.random.default_rng([seed, _ALL]), shifts, order.size, sizes.size)


def pair_within(
    order: NDArray[np.int64],
    strata: NDArray[np.int64],
    sizes: NDArray[np.int64],
    shifts: int,
    seed: int,
    groups: NDArray[np.int64] | None = None,
) -> Pairing:
    """Pair images of the same stratum, such as those of one scene, by cyclic shifts of the whole stratum.

    Args:
        order: as for `pair_images`.
        strata: number of the stratum of every image of the probe set, shape (N,); -1 for none.
        sizes: as for `pair_images`.
        shifts: number of shifts S.
        seed: seed of the shifts.
        groups: as for `pair_images`.

    Returns:
        the lenders; images of strata of fewer than 5 groups take no part.
    """
    cells = np.where(strata < 0, -1, strata * (sizes.max(initial=0) + 1) + sizes)
    members = _Members.gather(order[cells[order] >= 0], groups, cells)
    blocks = [kind for kind in members.list_kinds() if kind.size >= LEAST_STRATUM]
    return members.shift(blocks, np.random.default_rng([seed, _WITHIN]), shifts, order.size, sizes.size)


def assign_folds(order: NDArray[np.int64], groups: NDArray[np.int64], folds: int) -> NDArray[np.int32]:
    """Assign images to folds in turn, in the order of the run; a group has one fold.

    Args:
        order: as for `pair_images`.
        groups: number of the group of every image of the probe set, shape (N,).
        folds: number of folds F.

    Returns:
        fold of every image of the probe set, int32, shape (N,); -1 for images that were not read.
    """
    found = np.full(groups.size, -1, np.int32)
    found[order] = _number_groups(order, groups) % folds
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Members:
    """Images that take part, by group and cell: a run holds the images of one group in one cell.

    Attributes:
        images: their positions in the probe set, by group, cell and position, shape (M,).
        run: run of every image, shape (M,).
        rank: its place in the run, shape (M,).
        start: first image of every run, shape (R,).
        count: images of every run, shape (R,).
        group: group of every run, in order of first appearance, shape (R,).
        first: first run of every group, and the number of runs at the end, shape (G + 1,).
        kinds: cell and size class of every run of every group; groups of the same kind can lend to each other.
    """

    images: NDArray[np.int64]
    run: NDArray[np.int64]
    rank: NDArray[np.int64]
    start: NDArray[np.int64]
    count: NDArray[np.int64]
    group: NDArray[np.int64]
    first: NDArray[np.int64]
    kinds: list[tuple[tuple[int, int], ...]]

    @classmethod
    def gather(cls, order: NDArray[np.int64], groups: NDArray[np.int64] | None, cells: NDArray[np.int64]) -> _Members:
        """Sort the images of `order` by group, cell and position."""
        number = _number_groups(order, groups)
        place = np.lexsort((order, cells[order], number))
        images, number = order[place], number[place]
        starts = np.ones(images.size, bool)
        starts[1:] = (np.diff(number) != 0) | (np.diff(cells[images]) != 0)
        start = np.flatnonzero(starts)
        run = np.cumsum(starts) - 1
        count = np.diff(start, append=images.size)
        group = number[start]
        first = np.flatnonzero(np.diff(group, prepend=-1, append=group[-1] + 1 if group.size else 0))
        size_class = np.frexp(count - 1)[1]  # bits of count - 1
        keys = list(zip(cells[images[start]].tolist(), size_class.tolist(), strict=True))
        kinds = [tuple(keys[begin:end]) for begin, end in pairwise(first.tolist())]
        return cls(images, run, np.arange(images.size) - start[run], start, count, group, first, kinds)

    def list_kinds(self) -> Iterator[NDArray[np.int64]]:
        """Yield the groups of every kind, in order of first appearance."""
        found: dict[tuple[tuple[int, int], ...], list[int]] = defaultdict(list)
        for group, kind in enumerate(self.kinds):
            found[kind].append(group)
        return (np.array(groups, np.int64) for groups in found.values())

    def shift(
        self, blocks: Sequence[NDArray[np.int64]], random: np.random.Generator, shifts: int, read: int, images: int
    ) -> Pairing:
        """Shift every block of groups by random steps, none of which is 0.

        Args:
            blocks: groups that lend to each other, at least two in a block.
            random: draws the steps.
            shifts: number of shifts S.
            read: number of images that were read.
            images: number of images of the probe set N.
        """
        steps = [random.integers(1, block.size, shifts) for block in blocks]
        lenders = np.full((shifts, images), -1, np.int32)
        lending = np.full(self.first.size - 1, -1)
        for shift, into in enumerate(lenders):
            for block, step in zip(blocks, steps, strict=True):
                lending[block] = np.roll(block, -step[shift])
            into[self.images] = self._find_lenders(lending)
        left_out = read - int(np.isin(self.group[self.run], np.concatenate([[-1], *blocks])).sum())
        return Pairing(lenders, left_out)

    def _find_lenders(self, lending: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the image that lends to every one of `images`, shape (M,); -1 for none.

        Args:
            lending: group that lends to every group, shape (G,); -1 for none.
        """
        group = self.group[self.run]
        lender = lending[group]
        run = self.first[lender] + self.run - self.first[group]  # runs of groups of a kind have the same cells in turn
        run[lender < 0] = 0
        return np.where(lender < 0, -1, self.images[self.start[run] + self.rank % self.count[run]])


def _number_groups(order: NDArray[np.int64], groups: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Return the group of every image read, numbered in order of first appearance, shape (M,)."""
    if groups is None:
        return np.arange(order.size)
    _, first, inverse = np.unique(groups[order], return_index=True, return_inverse=True)
    numbers = np.empty(first.size, np.int64)
    numbers[np.argsort(first)] = np.arange(first.size)
    return numbers[inverse]


def _cut_blocks(groups: NDArray[np.int64]) -> Sequence[NDArray[np.int64]]:
    """Cut groups into blocks of 256; a block of one group would lend to itself."""
    starts = list(range(0, groups.size, BLOCK))
    if len(starts) > 1 and groups.size - starts[-1] < _LEAST_REMAINDER:
        starts.pop()
    blocks = [groups[begin:end] for begin, end in pairwise([*starts, groups.size])]
    return [block for block in blocks if block.size > 1]
