"""Collect what search and the pages of concepts show besides the counts: other words, best scores by layer, labels beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.concepts import display_name
from netdissect.report.html.script_data import pack_arrays
from netdissect.results.concept_words import VocabularyNotes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.report.label_maps import LabelCache
    from netdissect.results.run_result import Result

KEY = "concepts"


def pack_concepts(result: Result, labels: LabelCache) -> str:
    """Return the file of all concepts.

    Its facts are the synonyms of every concept. Its arrays are `images`, int32, shape (C,), the number of the probe set's images
    that have each concept, -1 where it is not known; `best`, float32, shape (L, C), the best score of any unit of each layer;
    `companions` and `together`, int32, shape (C, n), the concepts labeled in most of its images relative to their own (-1
    where there are fewer), and in how many of the cached images both are labeled.
    """
    layers = list(result.layers.values())
    concepts = len(result.probe_set.vocabulary)
    notes = VocabularyNotes() if result.analyses is None else result.analyses.read_notes(result)
    names = result.probe_set.vocabulary.names
    best = [layer.scores.max(axis=0, initial=0) for layer in layers]
    arrays: dict[str, NDArray[Any]] = {
        "images": np.array([notes.images.get(name, -1) for name in names], np.int32),
        "best": np.array(best, np.float32).reshape(len(layers), concepts),
        "companions": labels.companions.astype(np.int32),
        "together": labels.together.astype(np.int32),
    }
    synonyms = [[display_name(word) for word in dict.fromkeys(notes.synonyms.get(name, ()))] for name in names]
    return pack_arrays(KEY, {"synonyms": synonyms}, arrays)
