"""How well each class is recognized without its most important units (Bau et al., PNAS 2020, "object detectors for scenes")."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netdissect.results.ablation import ClassCurve
from netdissect.stats.removals import compute_balanced_accuracy, draw_random_sets, rank_units, split_halves

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.analyses.labeled_images import LabeledImages
    from netdissect.engine.removal_passes import RemovalPasses
    from netdissect.protocols import Progress

#: Numbers of most important units that are removed, and number of random sets of each size.
SIZES, _RANDOM_SETS = (1, 4, 20), 10


def measure_curves(
    passes: RemovalPasses,
    images: LabeledImages,
    outputs: NDArray[np.float32],
    values: NDArray[np.float32],
    seed: int,
    progress: Progress,
) -> tuple[ClassCurve, ...]:
    """Return the curve of every class that has images in both halves.

    Args:
        passes: the network with units of a layer removed.
        images: the labeled images.
        outputs: class outputs of the whole network on ``images.labeled``, shape (n, Y).
        values: what takes the place of every unit's activations, shape (U,).
        seed: seed of the random numbers, which divide the images of every class into halves.
        progress: shows how far the work is.
    """
    units, name = passes.source.layer.units, passes.source.layer.name
    sizes = [size for size in SIZES if size < units]
    half = split_halves(images.labels, seed)
    first, second = np.flatnonzero(half), images.labeled[~half[images.labeled]]
    count = [np.bincount(images.labels[part], minlength=len(images.classes)) for part in (first, second)]
    classes = np.flatnonzero((count[0] > 0) & (count[1] > 0))
    if not sizes or len(classes) < 2:
        return ()
    progress.start(f"{name}: single units", len(first))
    singles = passes.count_recognized("singles", first, np.eye(units, dtype=np.bool_), values)
    order = rank_units(compute_balanced_accuracy(*singles, count[0]), sizes[-1])
    progress.start(f"{name}: most important units", len(second))
    counted = passes.count_recognized("curves", second, _list_sets(order, classes, sizes, units, seed), values)
    recognized = outputs[np.searchsorted(images.labeled, second)].argmax(axis=1)
    right = images.labels[second][recognized == images.labels[second]]
    hits, predicted = (np.bincount(which, minlength=len(images.classes)) for which in (right, recognized))
    intact = compute_balanced_accuracy(hits, predicted, count[1])
    return _read_curves(images, order, classes, sizes, compute_balanced_accuracy(*counted, count[1]), intact, count[1])


def _list_sets(
    order: NDArray[np.int64], classes: NDArray[np.int64], sizes: Sequence[int], units: int, seed: int
) -> NDArray[np.bool_]:
    """Return the sets to remove, bool, shape (K, U).

    First the random ones of every size; then for every class its most important units by size, and all others.
    """
    sets = [draw_random_sets(units, size, _RANDOM_SETS, seed) for size in sizes]
    for of_class in classes:
        removed = np.zeros((len(sizes) + 1, units), np.bool_)
        for row, size in zip(removed, sizes, strict=False):
            row[order[of_class, :size]] = True
        removed[-1] = ~removed[-2]
        sets.append(removed)
    return np.concatenate(sets)


def _read_curves(
    images: LabeledImages,
    order: NDArray[np.int64],
    classes: NDArray[np.int64],
    sizes: Sequence[int],
    accuracy: NDArray[np.float64],
    intact: NDArray[np.float64],
    count: NDArray[np.int64],
) -> tuple[ClassCurve, ...]:
    """Return the curves from the balanced accuracy of every class without each of `_list_sets`, shape (K, Y)."""
    random = accuracy[: len(sizes) * _RANDOM_SETS].reshape(len(sizes), _RANDOM_SETS, -1).mean(axis=1)
    own = accuracy[len(sizes) * _RANDOM_SETS :].reshape(len(classes), len(sizes) + 1, -1)
    return tuple(
        ClassCurve(
            images.classes[of_class],
            int(count[of_class]),
            tuple((order[of_class, : sizes[-1]] + 1).tolist()),
            float(intact[of_class]),
            dict(zip(sizes, own[place, :-1, of_class].tolist(), strict=True)),
            dict(zip(sizes, random[:, of_class].tolist(), strict=True)),
            float(own[place, -1, of_class]),
        )
        for place, of_class in enumerate(classes)
    )
