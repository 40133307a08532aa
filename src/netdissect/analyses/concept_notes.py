"""Collect what a run's probe set says of its concepts, with the synonyms of Broden's names."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from typing import TYPE_CHECKING

from netdissect.errors import DataError
from netdissect.probe_sets.broden.reader import Broden
from netdissect.probe_sets.broden.vocabulary_notes import read_vocabulary_notes
from netdissect.probe_sets.compile.synonyms import load_synonyms
from netdissect.probe_sets.decoded import find_undecoded
from netdissect.results.concept_words import VocabularyNotes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.results.run_result import Result

#: The table that has Broden's own synonyms, and those of its later edition.
_TABLE = "broden-plus"


def collect_notes(run: Result) -> VocabularyNotes:
    """Return other words for a run's concepts and how many images have each.

    Both come from the probe set's ``label.csv`` where it is available and unchanged; words of Broden's synonym table are added.
    """
    source, stated = find_undecoded(run.open_probe_set()), VocabularyNotes()
    if isinstance(source, Broden):
        with contextlib.suppress(DataError):  # a probe set that cannot be read again says nothing
            stated = read_vocabulary_notes(source.folder)
        if source.split is not None or source.limit is not None:  # the table counts all images
            stated = VocabularyNotes(stated.synonyms)
    names = run.probe_set.vocabulary.names
    words = {name: (*stated.synonyms.get(name, ()), *more) for name, more in _list_synonyms(names).items()}
    return VocabularyNotes(words, stated.images)


def _list_synonyms(names: Sequence[str]) -> dict[str, Sequence[str]]:
    """Return the words that Broden's table exchanges for each name, and those that it prefers to it.

    >>> words = _list_synonyms(["airplane", "windowpane", "sky"])
    >>> "aeroplane" in words["airplane"], "window" in words["windowpane"], words["sky"]
    (True, True, ())
    """
    better = load_synonyms(_TABLE).better
    worse: dict[str, list[str]] = defaultdict(list)
    for word, preferred in better.items():
        for name in preferred:
            worse[name].append(word)
    return {name: (*worse.get(name, ()), *better.get(name, ())) for name in names}
