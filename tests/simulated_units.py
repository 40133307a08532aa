"""Units whose truth is known: best scores of layers, images of blobs and noise, and pixel counts of folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def draw_layer(rng, *, units=128, shifts=20, null_share=1.0):
    """Return observed scores, their null, and which units have no effect.

    On the logarithmic scale every unit has its own mean and spread; the noise is skewed, as a best score of many is, and
    a part of it is common to the units under one shift.
    """
    level, spread = rng.normal(np.log(0.02), 0.5, units), rng.uniform(0.1, 0.5, units)
    noise = rng.gumbel(size=(shifts + 1, units)) + 0.3 * rng.normal(size=(shifts + 1, 1))
    scores = np.exp(level + spread * noise)
    empty = rng.random(units) < null_share
    observed = np.where(empty, scores[0], scores[0] * np.exp(rng.uniform(0.5, 3, units)))
    return np.minimum(observed, 1), np.minimum(scores[1:], 1), empty


@dataclass
class BlobImages:
    """Images that show one concept each, near one place more often than elsewhere.

    Attributes:
        labels: concept of every pixel, 0 for none, shape (N, side, side).
        concepts: C.
        place: row and column of the place, as parts of the side.
    """

    labels: np.ndarray
    concepts: int
    place: tuple[float, float]

    @classmethod
    def draw(cls, rng, *, images=300, side=14, concepts=8, place=(0.5, 0.5)):
        y, x = np.mgrid[:side, :side]
        center = (side - 1) * np.array(place)[:, None, None, None] + rng.normal(0, side / 7, (2, images, 1, 1))
        radius = rng.uniform(2, 4, (images, 1, 1))
        inside = (y - center[0]) ** 2 + (x - center[1]) ** 2 < radius**2
        return cls(inside * rng.integers(1, concepts + 1, (images, 1, 1)), concepts, place)

    def find_best(self, masks, labels=None):
        """Return the best IoU of every unit, whose masks have shape (U, N, side, side)."""
        labels = self.labels if labels is None else labels
        flat = masks.reshape(len(masks), -1).astype(np.float32)
        each = (labels.ravel() == np.arange(1, self.concepts + 1)[:, None]).astype(np.float32)
        both = flat @ each.T
        return (both / (flat.sum(1)[:, None] + each.sum(1) - both)).max(axis=1)

    def draw_noise(self, rng, units, share=0.03):
        """Return masks of noise as smooth as the labels, shape (U, N, side, side)."""
        field = rng.normal(size=(units, *self.labels.shape)).astype(np.float32)
        for axis in (2, 3):
            for _ in range(3):
                field += np.roll(field, 1, axis)
        return field > np.quantile(field, 1 - share, axis=(1, 2, 3), keepdims=True)

    def draw_blind_blobs(self, rng, units, share=0.2):
        """Return masks that are blobs at the labels' place in random images, whatever the images show."""
        side = self.labels.shape[1]
        y, x = np.mgrid[:side, :side]
        center = (side - 1) * np.array(self.place)
        radius = rng.uniform(1.5, 4, (units, 1, 1, 1))
        blob = (y - center[0]) ** 2 + (x - center[1]) ** 2 < radius**2
        return blob & (rng.random((units, len(self.labels), 1, 1)) < share)


@dataclass
class RivalUnits:
    """Units that fire at several concepts, of which one is their label in the population.

    Attributes:
        rivals: concepts that a unit fires at, shape (U, R).
        hit: share of a concept's pixels that the unit covers, shape (U, R).
        frequency: share of the images that show a concept, shape (C,).
        extra: mean number of other pixels of a unit's mask per image, shape (U,).
    """

    rivals: np.ndarray
    hit: np.ndarray
    frequency: np.ndarray
    extra: np.ndarray

    @classmethod
    def draw(cls, rng, *, units=120, concepts=60, rivals=3, hit=0.12):
        choice = np.argsort(rng.random((units, concepts)), axis=1)[:, :rivals]
        return cls(
            choice, hit * rng.random((units, rivals)), rng.uniform(0.02, 0.15, concepts), rng.uniform(1, 6, units)
        )

    def draw_folds(self, rng, images, folds):
        """Return I (F, U, C), A (F, U, 1) and G (F, C) of random images; image n is in fold n mod F."""
        units, concepts = len(self.rivals), len(self.frequency)
        shown = (rng.random((images, concepts)) < self.frequency) * rng.gamma(2, 30, (images, concepts))
        covered = shown[:, self.rivals] * np.minimum(self.hit * rng.gamma(0.7, 1 / 0.7, (images, *self.hit.shape)), 1)
        pixels = covered.astype(np.int64)
        total = pixels.sum(2) + rng.poisson(self.extra, (images, units))
        each = [np.arange(images) % folds == fold for fold in range(folds)]
        I = np.zeros((folds, units, concepts), np.int64)
        for fold, members in enumerate(each):
            np.put_along_axis(I[fold], self.rivals, pixels[members].sum(0), axis=1)
        return (
            I,
            np.stack([total[m].sum(0) for m in each])[:, :, None],
            np.stack([shown[m].sum(0).astype(np.int64) for m in each]),
        )

    def compute_population_iou(self, rng, *, draws=60, images=500):
        """Return the IoU of every unit with every concept over draws · images images, shape (U, C)."""
        tables = [self.draw_folds(rng, images, 1) for _ in range(draws)]
        I, A, G = (np.sum([table[at][0] for table in tables], axis=0) for at in range(3))
        return I / (A + G - I)
