"""Recognize the names of splits in folders, lists and parts of data sets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

#: The splits of ``index.csv``, and how they are spelled elsewhere.
SPLIT_SPELLINGS = {
    "train": ("train", "training", "trainset", "trainval"),
    "val": ("val", "valid", "validate", "validation", "valset", "dev", "development", "eval", "evaluation"),
    "test": ("test", "testing", "testset"),
}
_SPLIT_OF = {spelling: split for split, spellings in SPLIT_SPELLINGS.items() for spelling in spellings}


def parse_split(name: str) -> str:
    """Return the split that a folder, list or part is named after: ``train``, ``val`` or ``test``; empty for other names.

    Case, and a year or number at the end, are ignored.

    >>> parse_split("Valid"), parse_split("train2017"), parse_split("testing"), parse_split("trains")
    ('val', 'train', 'test', '')
    """
    return _SPLIT_OF.get(re.sub(r"[-_ ]?\d{1,4}$", "", name.strip()).casefold(), "")


def name_split(name: str) -> str:
    """Return the split that a name means: ``train``, ``val`` or ``test``, or else the name itself.

    >>> name_split("validation"), name_split("unsupervised")
    ('val', 'unsupervised')
    """
    return parse_split(name) or name


def is_same_split(name: str, other: str) -> bool:
    """Return whether two names mean the same split.

    >>> is_same_split("validation", "val"), is_same_split("train", "val")
    (True, False)
    """
    return name_split(name) == name_split(other)


def find_split_depth(paths: Collection[Sequence[str]], *, besides: int) -> int | None:
    """Return the depth at which every path has a folder named like a split; None if there is none.

    Args:
        paths: the parts of every file's path below the imported folder.
        besides: how many folders every path must have besides the split: 1 if folders are classes.

    >>> find_split_depth([("Train", "cat", "1.jpg"), ("dev", "dog", "2.jpg")], besides=1)
    0
    >>> find_split_depth([("cat", "train", "1.jpg"), ("train", "1.jpg")], besides=1) is None
    True
    """
    deepest = min((len(parts) - 1 for parts in paths), default=0)
    if deepest < 1 + besides:
        return None
    return next((at for at in range(deepest) if all(parse_split(parts[at]) for parts in paths)), None)


def read_split_at(parts: Sequence[str], depth: int | None) -> str:
    """Return the split that a path's folder at a depth is named after; empty if the depth is None."""
    return "" if depth is None else parse_split(parts[depth])


def find_split(folders: Sequence[str]) -> str:
    """Return the first split that one of the folders is named after; empty if there is none.

    >>> find_split(("ADE20K_2021_17_01", "images", "ADE", "training", "urban", "street"))
    'train'
    """
    return next((split for split in map(parse_split, folders) if split), "")
