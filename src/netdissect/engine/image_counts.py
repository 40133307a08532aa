"""Pixel counts of every single image: of units' masks, of their labels, and of both (docs/method.md, § 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from netdissect.engine.batch_scan import scan_batch
from netdissect.engine.calibrate import Bounds
from netdissect.engine.packed_labels import pack_label_maps
from netdissect.engine.tally import MaskCounts, ShardComparisons

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from netdissect.concepts import Vocabulary
    from netdissect.engine.row_threads import RowThreads
    from netdissect.layers import Layer
    from netdissect.segments import Segments

#: Images whose masks are counted together; each has a table of all units and concepts.
IMAGES_AT_ONCE = 8


class ImageCounts(NamedTuple):
    """Pixel counts of B images.

    Attributes:
        mask: pixels of every unit's mask, int64, shape (B, U).
        label: pixels that have the unit's label, int64, shape (B, U).
        both: pixels of the mask that have the unit's label, int64, shape (B, U).
        counted: whether the image has the category of the unit's label, so that it counts in IoU, bool, shape (B, U).
    """

    mask: NDArray[np.int64]
    label: NDArray[np.int64]
    both: NDArray[np.int64]
    counted: NDArray[np.bool_]


def count_images(
    layer: Layer,
    activations: torch.Tensor,
    labels: Sequence[Segments],
    thresholds: NDArray[np.float32],
    columns: NDArray[np.int64],
    vocabulary: Vocabulary,
    input_size: tuple[int, int],
    threads: RowThreads,
) -> ImageCounts:
    """Count the masks of a batch's images one by one.

    Summed over the images that are `counted`, `mask`, `both` and (over all images) `label` are A, I and G of the unit's label.

    Args:
        layer: the layer.
        activations: float32, shape (B, h, w, U), contiguous.
        labels: the labels of the B images.
        thresholds: T_k, float32, shape (U,).
        columns: column of every unit's label, -1 for a unit without one, int64, shape (U,).
        vocabulary: the C concepts.
        input_size: height and width of the network's input in pixels.
        threads: threads for the kernels.
    """
    parts = [
        _count_few(
            layer,
            activations[first : first + IMAGES_AT_ONCE],
            labels[first : first + IMAGES_AT_ONCE],
            thresholds,
            columns,
            vocabulary,
            input_size,
            threads,
        )
        for first in range(0, len(labels), IMAGES_AT_ONCE)
    ]
    return ImageCounts(*(np.concatenate(own) for own in zip(*parts, strict=True)))


def _count_few(
    layer: Layer,
    activations: torch.Tensor,
    labels: Sequence[Segments],
    thresholds: NDArray[np.float32],
    columns: NDArray[np.int64],
    vocabulary: Vocabulary,
    input_size: tuple[int, int],
    threads: RowThreads,
) -> ImageCounts:
    images, units = len(labels), columns.size
    candidates = scan_batch(activations, Bounds(thresholds, np.zeros(0, np.int64)), threads).candidates
    counts = MaskCounts(np.zeros((units, images, len(vocabulary)), np.int64), np.zeros((units, images, 1), np.int64))
    tables = np.arange(images, dtype=np.int32)[:, np.newaxis]
    sizes: dict[tuple[int, ...], list[int]] = {}
    for image, entry in enumerate(labels):
        sizes.setdefault(entry.map.shape, []).append(image)
    for (height, width), members in sizes.items():
        maps = pack_label_maps([labels[image] for image in members], vocabulary)
        maps = maps._replace(has_category=np.ones((len(members), 1), np.bool_))  # every image counts as its own table
        lenders = np.full((images, 1), -1, np.int32)
        lenders[members, 0] = np.arange(len(members))
        compared = ShardComparisons(lenders, tables, maps, (height, width))
        counts.update(layer, candidates, thresholds, np.arange(units), compared, input_size, threads)
    label = np.zeros((images, len(vocabulary) + 1), np.int64)
    for image, entry in enumerate(labels):
        label[image, :-1] = _count_labels(entry, len(vocabulary))
    category = np.zeros((images, len(vocabulary.categories) + 1), np.bool_)
    for image, own in enumerate(label[:, :-1] > 0):
        category[image, vocabulary.primary[own]] = True
    primary = np.append(vocabulary.primary, len(vocabulary.categories))
    both = counts.intersection[np.arange(units), :, columns].T
    return ImageCounts(
        counts.per_category[:, :, 0].T.astype(np.int64),
        label[:, columns],
        np.where(columns >= 0, both, 0),
        category[:, primary[columns]],
    )


def _count_labels(labels: Segments, concepts: int) -> NDArray[np.int64]:
    """Return the labeled pixels of every concept in an image, int64, shape (C,)."""
    pixels = np.bincount(labels.map.ravel(), minlength=len(labels.table))
    counts = np.zeros(concepts + 1, np.int64)
    for plane in labels.table.T:
        np.add.at(counts, plane, pixels)
    counts[labels.whole] += labels.map.size
    return counts[1:]
