"""Remove all units of each concept, and compare the loss with that of matched random units (docs/ablation.md)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from netdissect.engine.image_groups import read_group_names
from netdissect.results.ablation import ConceptAblation
from netdissect.stats.chance import adjust_p
from netdissect.stats.removals import compute_margins, draw_matched_sets, make_change_interval, measure_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.analyses.ablation_targets import AblationTarget
    from netdissect.analyses.labeled_images import LabeledImages
    from netdissect.concepts import Vocabulary
    from netdissect.engine.removal_passes import RemovalPasses

#: The most folds that the images of a class are divided into.
_MOST_FOLDS = 20
#: Shares of matched sets that lie below and above the ends of their range.
_RANGE = (0.025, 0.975)


def measure_concepts(
    passes: RemovalPasses,
    images: LabeledImages,
    targets: Sequence[AblationTarget],
    vocabulary: Vocabulary,
    outputs: NDArray[np.float32],
    mean: NDArray[np.float64],
    values: NDArray[np.float32],
    matched: int,
    folds: NDArray[np.int64],
    seed: int,
) -> tuple[ConceptAblation, ...]:
    """Return what the removal of every concept's units changes, largest loss of margin first.

    Args:
        passes: the network with units of a layer removed.
        images: the labeled images.
        targets: units and class of every concept.
        vocabulary: the concepts.
        outputs: class outputs of the whole network on ``images.labeled``, shape (n, Y).
        mean: mean activation of every unit, shape (U,).
        values: what takes the place of every unit's activations, shape (U,).
        matched: the most matched sets of a concept.
        folds: fold of every image, shape (N,) (`divide_images`).
        seed: seed of the random numbers.
    """
    found: list[ConceptAblation] = []
    for target in targets:
        channels, own = np.array(target.channels, np.int64), images.labels[images.labeled] == target.of_class
        sets = draw_matched_sets(mean, channels, matched, seed + target.column)
        removed = np.concatenate([np.isin(np.arange(len(mean)), channels)[np.newaxis], sets])
        positions, intact = images.labeled[own], outputs[own]
        labels = np.full(len(positions), target.of_class)
        margins, right = passes.remove(f"concept-{target.column}", positions, removed, values)
        change = margins - compute_margins(intact, labels)
        accuracy = right.mean(axis=1) - float((intact.argmax(axis=1) == labels).mean())
        found.append(_describe_change(target, vocabulary, images, change, accuracy, folds[positions]))
    q = adjust_p([row.p for row in found], np.ones(len(found), np.bool_))
    adjusted = [replace(row, q=float(value)) for row, value in zip(found, q, strict=True)]
    return tuple(sorted(adjusted, key=lambda row: (row.margin, row.concept, row.category)))


def divide_images(images: LabeledImages, group_by: str | None, seed: int) -> NDArray[np.int64]:
    """Return the fold of every image, int64, shape (N,); images that belong together are in one fold.

    Args:
        images: the images.
        group_by: what says which belong together, as in the run's settings; None for a column of groups, if there is one.
        seed: seed of the random numbers.
    """
    names = read_group_names(images.source, group_by)
    group = np.arange(len(images.source))
    if names is not None:
        first: dict[str, int] = {}
        group = np.array([first.setdefault(name, at) if name else at for at, name in enumerate(names)], np.int64)
    place = np.random.default_rng(seed).permutation(len(group))
    folds = np.full(len(group), -1, np.int64)
    for of_class in np.unique(images.labels[images.labeled]):
        own = np.flatnonzero(images.labels == of_class)
        _, turn = np.unique(place[group[own]], return_inverse=True)
        folds[own] = turn % _MOST_FOLDS
    return folds


def _describe_change(
    target: AblationTarget,
    vocabulary: Vocabulary,
    images: LabeledImages,
    change: NDArray[np.float64],
    accuracy: NDArray[np.float64],
    fold: NDArray[np.int64],
) -> ConceptAblation:
    """Return one concept's row, with q = p: the first row of the changes is the concept's, the others are of matched sets."""
    concept, mean = vocabulary.concepts[target.column], change.mean(axis=1)
    low, high = make_change_interval(change[0], fold)
    matched_low, matched_high = np.quantile(mean[1:], _RANGE).tolist()
    p = measure_loss(float(mean[0]), mean[1:])
    return ConceptAblation(
        concept.name,
        concept.category,
        tuple(channel + 1 for channel in target.channels),
        images.classes[target.of_class],
        target.share,
        change.shape[1],
        float(mean[0]),
        min(low, float(mean[0])),
        max(high, float(mean[0])),
        float(mean[1:].mean()),
        p,
        p,
        float(accuracy[0]),
        float(accuracy[1:].mean()),
        matched_low,
        matched_high,
        len(change) - 1,
    )
