"""Probe sets of your own, each kind in one call that writes Broden's format (docs/broden.md).

>>> from netdissect.data import own
>>> own.from_masks("photos", "masks", "classes.txt", "dataset/mine")  # doctest: +SKIP
>>> own.from_labels("folders", "dataset/scenes")                      # doctest: +SKIP
"""

from __future__ import annotations

from netdissect.data.own.ade import from_ade
from netdissect.data.own.annotations import from_annotations
from netdissect.data.own.coco import from_coco
from netdissect.data.own.hf import from_hf
from netdissect.data.own.labels import from_labels
from netdissect.data.own.masks import from_masks
from netdissect.data.own.segmenter import Segmenter, from_segmenter, from_words
from netdissect.data.own.voc import from_voc

__all__ = [
    "Segmenter",
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
