"""Counts of single images, against masks upsampled one by one."""

import numpy as np
import torch

from netdissect.concepts import Concept, Labels, Vocabulary
from netdissect.engine.image_counts import IMAGES_AT_ONCE, count_images
from netdissect.engine.row_threads import RowThreads
from netdissect.geometry.upsample import make_label_axes, upsample
from netdissect.layers import FieldMap, Layer
from netdissect.segments import Segments

VOCABULARY = Vocabulary(
    ("object", "part", "scene"),
    (Concept(1, "cow", "object"), Concept(2, "cat", "object"), Concept(3, "leg", "part"), Concept(4, "farm-s", "scene")),
)  # fmt: skip
LAYER = Layer("conv", 5, (4, 4), FieldMap((0, 0), (3, 3), (8, 8)), "receptive-field")
INPUT = (32, 32)


def make_labels(rng, size):
    """Return labels with one or two planes, sometimes the same concept in both, sometimes none at all."""
    planes = rng.integers(0, 4, (2, *size)) * rng.integers(0, 2, (2, 1, 1))
    whole = [4] if rng.random() < 0.5 else []
    return Labels(planes.astype(np.uint16), np.array(whole, np.int64))


def test_counts_equal_those_of_masks_upsampled_one_by_one():
    rng = np.random.default_rng(0)
    images = 2 * IMAGES_AT_ONCE + 3
    labels = [make_labels(rng, (16, 16) if rng.random() < 0.7 else (8, 12)) for _ in range(images)]
    labels[3] = Labels(np.zeros((1, 16, 16), np.uint16), np.zeros(0, np.int64))
    activations = rng.normal(size=(images, 4, 4, 5)).astype(np.float32)
    thresholds = np.array([0.5, 0.0, 1.0, 9.0, -9.0], np.float32)
    columns = np.array([0, 2, 3, 1, -1])
    with RowThreads(2) as threads:
        found = count_images(
            LAYER, torch.from_numpy(activations), [Segments.from_labels(entry) for entry in labels], thresholds, columns,
            VOCABULARY, INPUT, threads,
        )  # fmt: skip
    for image, entry in enumerate(labels):
        rows, across = make_label_axes(LAYER.field, LAYER.grid, INPUT, entry.shape)
        masks = upsample(activations[image].transpose(2, 0, 1), rows, across) > thresholds[:, None, None]
        codes = {int(code) for code in np.unique(entry.planes)} | set(entry.whole.tolist())
        categories = {VOCABULARY.concepts[code - 1].category for code in codes - {0}}
        for unit, column in enumerate(columns.tolist()):
            assert found.mask[image, unit] == masks[unit].sum()
            if column < 0:
                assert (found.label[image, unit], found.both[image, unit], found.counted[image, unit]) == (0, 0, False)
                continue
            labeled = (entry.planes == column + 1).sum(axis=0) + (column + 1 in entry.whole)
            assert found.label[image, unit] == labeled.sum()
            assert found.both[image, unit] == labeled[masks[unit]].sum()
            assert found.counted[image, unit] == (VOCABULARY.concepts[column].category in categories)
    assert not found.mask[:, 3].any()
    assert found.mask[3, 4] == 256
