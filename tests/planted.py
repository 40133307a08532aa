"""Units whose concepts are known: activation maps made from label maps, dissected by the whole engine.

Maps are float32, shape (N, h, w, U) or, for a single unit, (N, h, w), in the order of the probe set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import uniform_filter
from tests.fakes import ArrayConcepts, ArraySource, dissect_arrays, make_layer

from netdissect.layers import FieldMap

#: Cells along each side of a planted unit's map.
GRID = 14
#: Name of the layer of planted units.
LAYER = "planted"


class PlantedSource(ArraySource):
    """A network with given activations, shape (N, h, w, U); its input for an image is the image's number."""

    def model_input(self, concepts, image):
        return np.full((1, 1, 1), image, np.int64)

    def activations(self, inputs):
        self.calls += 1
        which = inputs[:, 0, 0, 0]
        return {name: torch.from_numpy(array[which]) for name, array in self.arrays.items()}


@dataclass
class GroupedConcepts(ArrayConcepts):
    """A probe set in memory whose images belong to groups."""

    groups: tuple[str, ...] = ()
    columns: tuple[str, ...] = ("image", "group")

    def read_column(self, column):
        return self.groups if column == "group" else [self.image_name(index) for index in range(len(self))]


def keep_probe_set(source, images=None):
    """Return the first images of a probe set, with their labels in memory."""
    images = range(len(source) if images is None else images)
    return ArrayConcepts(source.vocabulary, [source.read_labels(i) for i in images], source.image_size)


def sample_images(concepts, positions):
    """Return a probe set of the images at some positions, each as often as it is there."""
    return ArrayConcepts(concepts.vocabulary, [concepts.entries[i] for i in positions], concepts.image_size)


def copy_images(concepts, images, copies, *, grouped):
    """Return a probe set of the first images, each followed by its copies; a group is an image and its copies."""
    positions = np.repeat(np.arange(images), copies)
    entries = [concepts.entries[i] for i in positions]
    if not grouped:
        return ArrayConcepts(concepts.vocabulary, entries, concepts.image_size)
    return GroupedConcepts(concepts.vocabulary, entries, concepts.image_size, groups=tuple(map(str, positions)))


def count_labels(concepts):
    """Return the labeled pixels of every image and concept, int64, shape (N, C)."""
    found = np.zeros((len(concepts), len(concepts.vocabulary) + 1), np.int64)
    for image, labels in enumerate(concepts.entries):
        found[image] = np.bincount(labels.planes.ravel(), minlength=found.shape[1])
        found[image, labels.whole] += labels.shape[0] * labels.shape[1]
    return found[:, 1:]


def draw_concept_maps(concepts, columns, grid=GRID):
    """Return the share of a concept's label around the center of every cell, shape (N, grid, grid, concepts)."""
    maps = np.zeros((len(concepts), grid, grid, len(columns)), np.float32)
    for image, labels in enumerate(concepts.entries):
        step = labels.shape[0] // grid
        for place, column in enumerate(columns):
            if column + 1 in labels.whole:
                maps[image, ..., place] = 1
                continue
            shown = (labels.planes == column + 1).any(axis=0)
            if shown.any():
                around = uniform_filter(shown.astype(np.float32), step | 1, mode="nearest")
                maps[image, ..., place] = around[step // 2 :: step, step // 2 :: step]
    return maps


def draw_noise(rng, images, smoothings, grid=GRID):
    """Return normal noise after some 3 × 3 smoothings, with mean 0 and standard deviation 1, shape (N, grid, grid)."""
    field = rng.standard_normal((images, grid, grid), dtype=np.float32)
    for _ in range(smoothings):
        field = uniform_filter(field, (1, 3, 3), mode="nearest")
    return (field - field.mean()) / field.std()


def draw_blob(center=((GRID - 1) / 2, (GRID - 1) / 2), width=2.0, grid=GRID):
    """Return a round blob of height 1, shape (grid, grid)."""
    y, x = np.mgrid[:grid, :grid].astype(np.float32)
    return np.exp(-((y - center[0]) ** 2 + (x - center[1]) ** 2) / (2 * width**2))


def run_maps(maps, concepts, field=None, **options):
    """Dissect planted units, maps of shape (N, h, w, U); return the DissectionOutcome.

    Cells divide the image evenly, unless `field` places them.
    """
    maps = np.ascontiguousarray(maps, np.float32)
    size = concepts.image_size
    step = (size[0] / maps.shape[1], size[1] / maps.shape[2])
    layer = make_layer(LAYER, maps.transpose(0, 3, 1, 2), field or FieldMap((0, 0), step, step))
    source = PlantedSource((layer,), {LAYER: maps}, size)
    return dissect_arrays(source, concepts, **{"batch_size": 64, "images_per_unit": 0} | options)


def dissect_maps(maps, concepts, field=None, **options):
    """Dissect planted units as `run_maps` does; return their LayerResult."""
    return run_maps(maps, concepts, field, **options).layers[LAYER]
