"""Find the concepts that a word names: as people write them, by synonym, in the plural or in another spelling."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netdissect.concepts import display_name
from netdissect.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netdissect.concepts import Vocabulary

#: Endings of words in the plural and what takes their place in the singular; a word has all forms that apply.
_PLURALS = (
    ("people", "person"), ("men", "man"), ("children", "child"), ("feet", "foot"), ("teeth", "tooth"), ("mice", "mouse"),
    ("geese", "goose"), ("ves", "f"), ("ves", "fe"), ("ies", "y"), ("es", ""), ("s", ""),
)  # fmt: skip
#: British endings and the American ones.
_SPELLINGS = ((r"our\b", "or"), (r"([bt])re\b", r"\1er"), (r"\bgrey\b", "gray"))
#: Nearest names that an error suggests, at most.
_MOST_NAMES = 5


@dataclass(frozen=True)
class VocabularyNotes:
    """What a probe set says of its concepts besides their names.

    Attributes:
        synonyms: other words for a concept, by its name.
        images: number of images that have a concept, by its name; empty if it is unknown.
    """

    synonyms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    images: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WordMatch:
    """The concepts that a word names.

    Attributes:
        word: the word as it was typed.
        columns: columns of the concepts.
        remark: how the word was understood, if it is not the concepts' name.
    """

    word: str
    columns: tuple[int, ...]
    remark: str | None = None


def match_word(word: str, vocabulary: Vocabulary, synonyms: Mapping[str, Sequence[str]], where: str) -> WordMatch:
    """Return the concepts that a word names; a word may name several, such as *street*, an object and a scene.

    Upper case, spaces, underscores and the endings ``-s`` and ``-c`` make no difference. If no concept has the word as its
    name, the concepts that have it as a synonym are taken, then those of which it is the plural, the singular or another
    spelling.

    Args:
        word: what was asked for.
        vocabulary: the concepts.
        synonyms: other words for a concept, by its name.
        where: the probe set, for the error.

    Raises:
        SettingsError: if the word names no concept; the message suggests the nearest names.
    """
    names = vocabulary.names
    if word in names and word != display_name(word):
        return WordMatch(word, (names.index(word),))
    key, forms = _make_key(word), _list_forms(word)
    others = {column: synonyms.get(name, ()) for column, name in enumerate(names)}
    for tried, remark in (
        ((column for column, name in enumerate(names) if _make_key(name) == key), None),
        ((column for column, words in others.items() if key in map(_make_key, words)), "is a synonym of"),
        ((column for column, name in enumerate(names) if forms & _list_forms(name)), "is understood as"),
        ((c for c, words in others.items() if any(forms & _list_forms(w) for w in words)), "is understood as a synonym of"),
    ):  # fmt: skip
        columns = tuple(tried) if key else ()
        if columns:
            found = " and ".join(display_name(names[column]) for column in columns)
            return WordMatch(word, columns, None if remark is None else f"{word!r} {remark} {found}")
    raise SettingsError(f"{where} labels no {word!r}: {_suggest_concepts(word, vocabulary)}")


def _make_key(name: str) -> str:
    """Return what two ways of writing a name have in common.

    >>> _make_key("living_room-s") == _make_key("Living room"), _make_key("fire place"), _make_key("grey-c")
    (True, 'fireplace', 'grey')
    """
    return re.sub(r"[\s_-]+", "", display_name(name.strip()).casefold())


def _list_forms(name: str) -> set[str]:
    """Return the keys of a name in the singular and in American spelling.

    >>> sorted(_list_forms("people")), "bus" in _list_forms("buses"), _list_forms("harbour") == _list_forms("harbor")
    (['people', 'person'], True, True)
    """
    text = display_name(name.strip()).casefold()
    for pattern, spelled in _SPELLINGS:
        text = re.sub(pattern, spelled, text)
    key = _make_key(text)
    return {key, *_list_singulars(key)}


def _list_singulars(key: str) -> Iterator[str]:
    for plural, singular in _PLURALS:
        stem = key.removesuffix(plural)
        if stem != key and len(stem + singular) > 2 and not (plural == "s" and stem.endswith("s")):
            yield stem + singular


def _suggest_concepts(word: str, vocabulary: Vocabulary) -> str:
    """Return the end of an error sentence that names the concepts nearest to a word."""
    shown = list(dict.fromkeys(map(display_name, vocabulary.names)))
    asked = display_name(word.strip()).casefold()
    holding = [name for name in shown if _make_key(word) and re.search(rf"\b{re.escape(asked)}\b", name.casefold())]
    folded = {name.casefold(): name for name in shown}
    close = [folded[name] for name in difflib.get_close_matches(asked, folded, n=_MOST_NAMES, cutoff=0.6)]
    nearest = list(dict.fromkeys([*holding, *close]))[:_MOST_NAMES]
    if not nearest:
        return f"it has {len(vocabulary):,} concepts, which netdissect units RUN lists"
    return f"did you mean {' or '.join(filter(None, [', '.join(nearest[:-1]), nearest[-1]]))}?"
