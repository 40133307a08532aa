"""Read what ``label.csv`` says of a probe set's concepts besides their names: other words, and numbers of images."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netdissect.probe_sets.broden.tables import read_table
from netdissect.results.concept_words import VocabularyNotes

if TYPE_CHECKING:
    from pathlib import Path

#: A label of one category and its number of images, in the column ``category``: ``object(44)``.
_ONE_CATEGORY = re.compile(r"[^;()]+\((\d{1,9})\)")


def read_vocabulary_notes(folder: Path) -> VocabularyNotes:
    """Return the synonyms of the concepts of a probe set, and the number of images of those that have one category.

    A label of several categories may have two of them in one image, so its number of images is not in the table.

    Raises:
        DataNotFoundError: if ``label.csv`` is missing.
        DataFileError: if it is damaged.
    """
    synonyms: dict[str, tuple[str, ...]] = {}
    images: dict[str, int] = {}
    for line in read_table(folder, "label.csv", ["number", "name"]).lines:
        name, words = line["name"], line.get("syns", "")
        synonyms[name] = tuple(word.strip() for word in words.split(";") if word.strip())
        counted = _ONE_CATEGORY.fullmatch(line.get("category", "").strip())
        if counted is not None:
            images[name] = int(counted[1])
    return VocabularyNotes(synonyms, images)
