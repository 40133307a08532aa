"""Which pixels formulas can tell apart: signatures by the concepts of some categories, over the images that have them all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netdissect.stats.signatures import find_images_with

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.stats.signatures import Signatures


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """The pixels of the images that have some categories, by the concepts of these categories.

    Attributes:
        part: part of every signature, int32, shape (S,); -1 for signatures of other images.
        pixels: label pixels of every part, int64, shape (p,).
    """

    part: NDArray[np.int32]
    pixels: NDArray[np.int64]


def make_partitions(signatures: Signatures) -> tuple[Partition, ...]:
    """Return the partitions of which every formula's pixels are a union of parts.

    A formula names a set of categories. If all images that have them have a further one, formulas that name it too can tell more
    apart on the same images; only sets without such a category are kept.
    """
    named = sum(1 << category for category in np.unique(signatures.primary).tolist())
    patterns = np.unique(signatures.presence[signatures.pixels > 0] & named).tolist()
    closed: set[int] = set()
    for pattern in patterns:
        closed |= {pattern & other for other in closed} | {pattern}
    closed.discard(0)
    return tuple(_make_partition(signatures, bits) for bits in sorted(closed))


def compute_ceiling(
    partitions: tuple[Partition, ...], signature: NDArray[np.integer], count: NDArray[np.integer]
) -> float:
    """Return the highest IoU with a unit's masks that a formula of any length can have.

    The best set of parts consists of those whose share of mask pixels is highest; how many is found by trying all.

    Args:
        partitions: the partitions of the probe set's signatures.
        signature: the signatures that the unit's masks meet, each once, shape (n,).
        count: pixels of the masks that have each of them, shape (n,).
    """
    return max((_find_best_union(partition, signature, count) for partition in partitions), default=0.0)


def _find_best_union(partition: Partition, signature: NDArray[np.integer], count: NDArray[np.integer]) -> float:
    part = partition.part[signature]
    mask = np.zeros(partition.pixels.size, np.int64)
    np.add.at(mask, part[part >= 0], count[part >= 0])
    met = np.flatnonzero(mask)
    met = met[np.argsort(-(mask[met] / partition.pixels[met]), kind="stable")]
    both, area = np.cumsum(mask[met]), np.cumsum(partition.pixels[met])
    return float((both / (mask.sum() + area - both)).max(initial=0.0))


def _make_partition(signatures: Signatures, bits: int) -> Partition:
    categories = tuple(category for category in range(bits.bit_length()) if bits >> category & 1)
    includes = find_images_with(signatures, categories)
    rows = np.repeat(np.arange(includes.size), np.diff(signatures.start))
    taken = includes[rows] & np.isin(signatures.primary, categories)[signatures.columns]
    table = _tabulate(rows[taken], signatures.columns[taken].astype(np.int64), includes.size)[includes]
    _, parts = np.unique(table, axis=0, return_inverse=True)
    part = np.full(includes.size, -1, np.int32)
    part[includes] = parts.reshape(-1)
    pixels = np.zeros(part.max(initial=-1) + 1, np.int64)
    np.add.at(pixels, part[includes], signatures.pixels[includes])
    return Partition(part, pixels)


def _tabulate(rows: NDArray[np.int64], columns: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the columns of every row, rising, with -1 after the last, shape (count, most columns of a row)."""
    order = np.lexsort((columns, rows))
    rows, columns = rows[order], columns[order]
    sizes = np.bincount(rows, minlength=count)
    table = np.full((count, sizes.max(initial=0)), -1, np.int64)
    table[rows, np.arange(rows.size) - (np.cumsum(sizes) - sizes)[rows]] = columns
    return table
