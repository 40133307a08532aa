"""Read the names of PASCAL's parts from ``part2ind.m``, a MATLAB program that is parsed as a table.

For every object class the program fills a map from short part names (``lfuleg``) to numbers; comments hold the readable
names ("left front upper leg"). It does so in three ways: one part per line, a range (``engine_%d``), and a copy of
another class's map. Broden does not distinguish left from right or front from back.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdissect.errors import DataFileError
from netdissect.probe_sets.source import read_source_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Words that are dropped from a part's name; parts whose remaining names are equal share one label.
ADJECTIVES = frozenset({"left", "right", "front", "back", "upper", "lower", "side"})

#: Most parts of a table, copies included.
_MAX_PARTS = 100_000

# Names that are spelled as one word, or abbreviated, and their words.
_WORDS_OF = {
    "frontside": "front side", "backside": "back side", "leftside": "left side", "rightside": "right side",
    "roofside": "roof side", "leftmirror": "left mirror", "rightmirror": "right mirror",
    "fwheel": "front wheel", "bwheel": "back wheel",
    "lfho": "left front hoof", "rfho": "right front hoof", "lbho": "left back hoof", "rbho": "right back hoof",
    "aeroplane": "airplane",
}  # fmt: skip

_CLASS = re.compile(r"%\s*\[(?P<name>[^\]]+)\]\s*$")
_ONE = re.compile(r"pimap\{(?P<number>\d{1,5})\}\('(?P<part>[^']+)'\)\s*=\s*\d+\s*;\s*(?:%\s*(?P<comment>.*\S))?")
_LOOP = re.compile(r"for\s+ii\s*=\s*1\s*:\s*(?P<last>\d{1,4})(?!\d)")
_RANGE = re.compile(
    r"pimap\{(?P<number>\d{1,5})\}\(sprintf\('(?P<part>[^']+?)_%d'\s*,\s*ii\)\)\s*=\s*\d+\s*\+\s*ii\s*;\s*"
    r"(?:%\s*(?P<comment>.*\S))?"
)
_KEYS = re.compile(r"keySet\s*=\s*keys\(pimap\{(?P<number>\d{1,5})\}\)")
_COPY = re.compile(r"pimap\{(?P<number>\d{1,5})\}\s*=\s*containers\.Map\(keySet")
_REMOVE = re.compile(r"remove\(pimap\{(?P<number>\d{1,5})\}\s*,\s*\{(?P<parts>[^}]*)\}\)")
_IGNORED = re.compile(
    r"$|%|function\b|end\b|valueSet\s*=|pimap\s*=\s*cell|pimap\{ii\}\s*="  # lines that name no part
)


@dataclass(frozen=True)
class PartNames:
    """The parts of PASCAL.

    Attributes:
        codes: label of every (object class number, short part name); parts of one class that differ only in dropped
            words share a label. A part of dropped words only (a bus's "front side") has label 0.
        names: the parts' names by label; label 0 is ``-``.
        classes: names of the object classes by number.
    """

    codes: dict[tuple[int, str], int]
    names: tuple[str, ...]
    classes: dict[int, str]


def read_part_names(path: Path) -> PartNames:
    """Read ``part2ind.m``.

    Raises:
        DataNotFoundError: if it is missing.
        DataFileError: if a line is of no known kind, or names a part of an unknown class.
    """
    codes: dict[tuple[int, str], int] = {}
    names = ["-"]
    numbered: dict[tuple[int, str], int] = {}
    raw, classes = parse_part_table(path)
    for (number, part), readable in raw.items():
        name = remove_adjectives(readable)
        if name and (number, name) not in numbered:
            numbered[number, name] = len(names)
            names.append(name)
        codes[number, part] = numbered[number, name] if name else 0
    return PartNames(codes, tuple(names), {number: remove_adjectives(name) for number, name in classes.items()})


def remove_adjectives(readable: str) -> str:
    """Return a part's name without the words of `ADJECTIVES`.

    >>> remove_adjectives("left front upper leg"), remove_adjectives("frontside"), remove_adjectives("roofside")
    ('leg', '', 'roof')
    """
    spelled = _WORDS_OF.get(readable, readable)
    return " ".join(word for word in spelled.split() if word not in ADJECTIVES)


def parse_part_table(path: Path) -> tuple[dict[tuple[int, str], str], dict[int, str]]:
    """Return the readable name of every (class number, short part name), and the classes' names.

    Raises:
        DataFileError: if a line is of no known kind.
    """
    table: dict[int, dict[str, str]] = defaultdict(dict)
    classes: dict[int, str] = {}
    last = copied = named = 0
    for line, text in _read_lines(path):
        if match := _CLASS.match(text):
            # Classes are listed in the order of their numbers; those without parts have no line with a number.
            classes[len(classes) + 1] = match["name"]
        elif match := _ONE.match(text):
            number = _require_class(path, line, match["number"], classes)
            table[number][match["part"]] = _choose_readable_name(match["comment"], match["part"])
            named += 1
        elif match := _LOOP.match(text):
            last = int(match["last"])
        elif match := _RANGE.match(text):
            number = _require_class(path, line, match["number"], classes)
            name = _choose_readable_name(match["comment"], match["part"])
            table[number] |= {f"{match['part']}_{index}": name for index in range(1, last + 1)}
            named += last
        elif match := _KEYS.match(text):
            copied = int(match["number"])
        elif match := _COPY.match(text):
            number = _require_class(path, line, match["number"], classes)
            table[number] |= table[copied]
            named += len(table[copied])
        elif match := _REMOVE.match(text):
            for part in re.findall(r"'([^']+)'", match["parts"]):
                table[int(match["number"])].pop(part, None)
        elif not _IGNORED.match(text):
            raise DataFileError(f"{path}, line {line}: expected a line of PASCAL-Part's table, got {text[:200]!r}")
        if named > _MAX_PARTS:
            raise DataFileError(
                f"{path}, line {line}: the table names more than {_MAX_PARTS:,} parts, but PASCAL has 400"
            )
    found = {(number, part): name for number, parts in table.items() for part, name in parts.items()}
    if not found:
        raise DataFileError(f"{path}: expected PASCAL-Part's table of parts, and it names none")
    return found, classes


def _read_lines(path: Path) -> Iterator[tuple[int, str]]:
    for line, text in enumerate(read_source_text(path, "PASCAL-Part's table part2ind.m").splitlines(), start=1):
        yield line, text.strip()


def _choose_readable_name(comment: str | None, part: str) -> str:
    """Return the comment if it is a readable name, else the short name."""
    if comment and re.fullmatch(r"\w[\w ]*", comment) and not comment.startswith("multiple"):
        return " ".join(comment.split())
    return part


def _require_class(path: Path, line: int, text: str, classes: dict[int, str]) -> int:
    if int(text) not in classes:
        raise DataFileError(f"{path}, line {line}: a part of object class {text}, but no heading names that class")
    return int(text)
