"""Images whose class is known: what ablation and linear probes measure a network on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from netdissect.probe_sets.source import hash_parts
from netdissect.protocols import NullProgress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.concepts import Vocabulary
    from netdissect.protocols import ConceptSource, Progress


@dataclass(frozen=True, eq=False)
class LabeledImages:
    """Images and the class of each; `netdissect.analyses.image_classes.open_labeled_images` opens them.

    Attributes:
        source: the N images, which a network reads.
        labels: the position of every image's class in `classes`, -1 for an image without a class, int64, shape (N,).
        classes: the names of the Y classes; those of a network are in the order of its outputs.
        notes: which classes and images were left out, in sentences.
    """

    source: ConceptSource
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def labeled(self) -> NDArray[np.int64]:
        """Positions of the images that have a class, rising, int64."""
        return np.flatnonzero(self.labels >= 0)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Number of images of every class, int64, shape (Y,)."""
        return np.bincount(self.labels[self.labeled], minlength=len(self.classes))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the images, their labels and the names of the classes."""
        return hash_parts(self.source.fingerprint, self.labels.tolist(), self.classes)

    def limit(self, images: int | None) -> LabeledImages:
        """Return the same images with the labels of the first `images` labeled ones only."""
        if images is None or images >= self.labeled.size:
            return self
        labels = self.labels.copy()
        labels[self.labeled[images:]] = -1
        return replace(self, labels=labels)

    def find_concept_shares(
        self, vocabulary: Vocabulary, progress: Progress | None = None
    ) -> NDArray[np.float64] | None:
        """Return how many images of each class have each concept.

        Only images that have a label of the concept's category count, as for IoU (docs/method.md).

        Args:
            vocabulary: the C concepts.
            progress: shows how far the label maps are read.

        Returns:
            shares from 0 to 1, float64, shape (Y, C), 0 where no image of a class has the category; None if the images
            have no label of any of these concepts.
        """
        own = self.source.vocabulary
        known = {(concept.name, concept.category): column for column, concept in enumerate(vocabulary.concepts)}
        columns = np.array([known.get((concept.name, concept.category), -1) for concept in own.concepts], np.int64)
        if not (columns >= 0).any():
            return None
        images, holders = self._count_concepts(progress or NullProgress())
        shares = np.zeros((len(self.classes), len(vocabulary)))
        total = images[:, own.primary]
        found = np.divide(holders, total, out=np.zeros_like(shares, shape=holders.shape), where=total > 0)
        shares[:, columns[columns >= 0]] = found[:, columns >= 0]
        return shares

    def _count_concepts(self, progress: Progress) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Count the images of every class that have each category, (Y, K), and each concept, (Y, C)."""
        own = self.source.vocabulary
        images = np.zeros((len(self.classes), len(own.categories)), np.int64)
        holders = np.zeros((len(self.classes), len(own)), np.int64)
        progress.start("concepts of the classes", self.labeled.size)
        for index in self.labeled:
            labels = self.source.read_labels(int(index))
            has_concept = np.bincount(labels.planes.ravel(), minlength=len(own) + 1)[1:] > 0
            has_concept[labels.whole - 1] = True
            holders[self.labels[index]] += has_concept
            images[self.labels[index], np.unique(own.primary[has_concept])] += 1
            progress.advance(1)
        return images, holders
