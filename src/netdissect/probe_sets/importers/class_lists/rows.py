"""The classes of a list in any format: number, name, category and color."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from netdissect.errors import DataFileError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Names of classes whose pixels have no label.
UNLABELED_NAMES = frozenset({
    "background", "_background_", "__background__", "void", "__void__", "unlabeled", "unlabelled", "unknown", "ignore",
    "_ignore_", "__ignore__", "none", "-",
})  # fmt: skip

_IGNORED = frozenset({"ignore", "_ignore_", "__ignore__"})
_BACKGROUND = frozenset({"background", "_background_", "__background__"})


class ClassRow(NamedTuple):
    """One class of a list.

    Attributes:
        number: its number in masks; None if the list gives only colors.
        name: its name; empty or one of `UNLABELED_NAMES` if its pixels have no label.
        category: its category; empty if the list gives none.
        color: its color in masks, as (R·256 + G)·256 + B; None if the list gives none.
    """

    number: int | None
    name: str
    category: str = ""
    color: int | None = None


class ListRequest(NamedTuple):
    """How the numbers of a list are found.

    Attributes:
        first: number of the first name of a list without numbers; None leaves that to the list.
        column: the column or key of the numbers; None finds it.
        trained: whether masks hold Cityscapes' numbers for training, if a list gives both.
    """

    first: int | None = None
    column: str | None = None
    trained: bool = False


def number_class_names(names: Sequence[str], first: int | None, where: object) -> list[ClassRow]:
    """Number a list of names; raise DataFileError if several names without a label, other than labelme's, come first."""
    if first is None:
        head = 0
        while head < len(names) and names[head].strip().casefold() in UNLABELED_NAMES:
            head += 1
        words = [name.strip().casefold() for name in names[:head]]
        if head > 2 or (head == 2 and not (words[0] in _IGNORED and words[1] in _BACKGROUND)):
            raise DataFileError(
                f"{where}: it begins with {head} names without a label ({', '.join(names[:head])}), and nothing says which of "
                f"them is 0 in the masks: write lines 'number: name', or give the number of {names[0]!r} with --first"
            )
        first = 1 - head  # a single name without a label has number 0; labelme's two have -1 and 0
    return [ClassRow(number, name) for number, name in enumerate(names, start=first)]


def parse_class_number(value: object) -> int:
    """Return a class's number; raise ValueError if it is not a whole number."""
    if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,18}", text := str(value).strip()):
        raise ValueError(f"expected a whole number, got {value!r}")
    return int(text)


def parse_color(value: object) -> int | None:
    """Return r, g, b in any brackets, or #rrggbb, as one number; None for anything else.

    >>> parse_color("#0000ff"), parse_color("(0, 1, 2)"), parse_color([0, 0, 9]), parse_color("red")
    (255, 258, 9, None)
    """
    if isinstance(value, (list, tuple)):
        return pack_color(value)
    text = str(value).strip()
    if re.fullmatch(r"#?[0-9a-fA-F]{6}", text):
        return int(text[-6:], 16)
    numbers = re.fullmatch(r"(?:rgb)?[\[(]?\s*(\d{1,3})[\s,;]+(\d{1,3})[\s,;]+(\d{1,3})\s*[\])]?", text)
    return None if numbers is None else pack_color([int(part) for part in numbers.groups()])


def pack_color(channels: Sequence[object]) -> int | None:
    """Return r, g, b as one number; None if they are not three numbers from 0 to 255."""
    numbers = [
        value for value in channels if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255
    ]
    if len(numbers) != 3 or len(channels) != 3:
        return None
    return (numbers[0] * 256 + numbers[1]) * 256 + numbers[2]
