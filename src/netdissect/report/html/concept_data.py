"""Collect what search and the pages of concepts show besides the counts: other words, best scores by layer, labels beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.concepts import display_name
from netdissect.report.html.script_data import pack_arrays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.report.label_maps import LabelCache
    from netdissect.results.run_result import Result

KEY = "concepts"


def pack_concepts(result: Result, labels: LabelCache) -> str:
    """Return the file of all concepts.

    Its facts are the synonyms of every concept. Its arrays are `best`, float32, shape (L, C), the best score of any unit of each
    layer; `companions` and `together`, int32, shape (C, n), the concepts labeled in most of its images relative to their own (-1
    where there are fewer), and in how many of the cached images both are labeled.
    """
    layers = list(result.layers.values())
    concepts = len(result.probe_set.vocabulary)
    best = [layer.scores.max(axis=0, initial=0) for layer in layers]
    arrays: dict[str, NDArray[Any]] = {
        "best": np.array(best, np.float32).reshape(len(layers), concepts),
        "companions": labels.companions.astype(np.int32),
        "together": labels.together.astype(np.int32),
    }
    return pack_arrays(KEY, {"synonyms": list_synonyms(result)}, arrays)


def list_synonyms(result: Result) -> list[Sequence[str]]:
    """Return other words for every concept; none for a run that cannot say what its probe set says of them."""
    names = result.probe_set.vocabulary.names
    if result.analyses is None:
        return [()] * len(names)
    found = result.analyses.read_notes(result).synonyms
    return [[display_name(word) for word in dict.fromkeys(found.get(name, ()))] for name in names]
