"""Importers: one function per format of labeled images, each of which writes a probe set (docs/broden.md).

For example, ``from_masks("photos", "masks", "classes.txt", "dataset/mine")``.
"""

from __future__ import annotations

from netdissect.probe_sets.importers.ade import from_ade
from netdissect.probe_sets.importers.annotations import from_annotations
from netdissect.probe_sets.importers.class_folders import from_labels
from netdissect.probe_sets.importers.coco import from_coco
from netdissect.probe_sets.importers.hugging_face import from_hf
from netdissect.probe_sets.importers.mask_folders import from_masks
from netdissect.probe_sets.importers.segmented_images import from_segmenter, from_words
from netdissect.probe_sets.importers.voc import from_voc

__all__ = [
    "from_ade",
    "from_annotations",
    "from_coco",
    "from_hf",
    "from_labels",
    "from_masks",
    "from_segmenter",
    "from_voc",
    "from_words",
]
