"""Synonym tables: which of a label's words become its names (docs/broden.md, Names).

A table is a text file with one rule per line; ``#`` starts a comment::

    airplane <- aeroplane            a label with the word on the right prefers the name on the left
    arm <= left arm, right arm       the same, and the words on the right are not used at all
    dog + domestic dog               a label named dog also has the names on the right
    car - machine                    a label named car does not have the names on the right

Two tables are built in: ``broden1`` (as in the published edition) and ``broden-plus`` (the same, with plurals and
duplicates merged as in a later edition).
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from netdissect.errors import DataFileError, DataNotFoundError, suggest_nearest
from netdissect.probe_sets.source import hash_parts, read_source_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The built-in tables, and the files of each.
BUILT_IN = {"broden1": ("broden1.txt",), "broden-plus": ("broden1.txt", "broden-plus.txt"), "none": ()}

_RULE = re.compile(r"(?P<word>.*?\S)\s+(?P<kind><-|<=|\+|-)\s+(?P<words>\S.*)")


@dataclass(frozen=True)
class Synonyms:
    """A synonym table.

    Attributes:
        better: for a word, the names that are preferred to it.
        excluded: for a name, the words that a label of that name does not have.
        about: its origin, for README.txt.
    """

    better: Mapping[str, tuple[str, ...]]
    excluded: Mapping[str, tuple[str, ...]]
    about: str

    def choose_names(self, words: Sequence[str]) -> list[str]:
        r"""Return a label's names, the preferred one first.

        Example:
            >>> table = parse_synonyms("airplane <- aeroplane\ncar - machine", "here")
            >>> table.choose_names(["aeroplane"]), table.choose_names(["auto", "car", "machine"])
            (['airplane', 'aeroplane'], ['auto', 'car'])
        """
        every = [*(better for word in words for better in self.better.get(word, ())), *words]
        unused = {excluded for word in every for excluded in self.excluded.get(word, ())}
        return list(dict.fromkeys(word for word in every if word not in unused))

    def fingerprint(self) -> str:
        """Return a hash of the table."""
        return hash_parts("synonyms", sorted(self.better.items()), sorted(self.excluded.items()))


def load_synonyms(name: str | Path) -> Synonyms:
    """Return a built-in table by its name, or read a file.

    Raises:
        DataNotFoundError: if it is neither.
        DataFileError: if a line of the file is not a rule.
    """
    if str(name) not in BUILT_IN:
        path = Path(name)
        if not path.exists():
            raise DataNotFoundError(
                f"there is no synonym table {str(name)!r}, built in or a file: {suggest_nearest(str(name), BUILT_IN)}"
            )
        return parse_synonyms(read_source_text(path, "the synonym table"), str(path))
    text = "".join(read_built_in_table(file) for file in BUILT_IN[str(name)])
    return parse_synonyms(text, str(name))


def read_built_in_table(file: str) -> str:
    """Return the text of a file of a built-in table."""
    return resources.files("netdissect.probe_sets.compile").joinpath("tables", file).read_text("utf-8")


def parse_synonyms(text: str, where: str) -> Synonyms:
    """Parse the text of a table.

    Args:
        text: its lines.
        where: its name or file, for errors.

    Raises:
        DataFileError: if a line is not a rule.
    """
    better: dict[str, list[str]] = defaultdict(list)
    excluded: dict[str, list[str]] = defaultdict(list)
    for line, content in enumerate(text.splitlines(), start=1):
        rule = content.split("#", 1)[0].strip()
        if not rule:
            continue
        match = _RULE.fullmatch(rule)
        words = [word.strip() for word in match["words"].split(",")] if match else []
        if match is None or not all(words):
            raise DataFileError(
                f"{where}, line {line}: expected a rule such as 'airplane <- aeroplane', 'arm <= left arm', "
                f"'dog + domestic dog' or 'car - machine', got {rule[:200]!r}"
            )
        name, kind = match["word"], match["kind"]
        if kind in ("<-", "<="):
            for word in words:
                better[word].append(name)
        if kind == "+":
            better[name] += [name, *words]
        if kind in ("<=", "-"):
            excluded[name] += words
    return Synonyms(_freeze(better), _freeze(excluded), f"synonym table {where}")


def _freeze(table: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {word: tuple(dict.fromkeys(words)) for word, words in table.items()}
