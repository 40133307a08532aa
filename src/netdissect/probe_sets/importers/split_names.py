"""Names of splits, as people's folders, lists and parts spell them: one list for every importer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

#: What a split is called in ``index.csv``, and how it is spelled elsewhere.
SPLIT_SPELLINGS = {
    "train": ("train", "training", "trainset", "trainval"),
    "val": ("val", "valid", "validate", "validation", "valset", "dev", "development", "eval", "evaluation"),
    "test": ("test", "testing", "testset"),
}
_SPLIT_OF = {spelling: split for split, spellings in SPLIT_SPELLINGS.items() for spelling in spellings}


def parse_split(name: str) -> str | None:
    """Return the split that a folder, list or part is named after: ``train``, ``val`` or ``test``; None if it is none.

    Case does not count, nor does a year or number behind the name.

    >>> parse_split("Valid"), parse_split("train2017"), parse_split("testing"), parse_split("trains")
    ('val', 'train', 'test', None)
    """
    return _SPLIT_OF.get(re.sub(r"[-_ ]?\d{1,4}$", "", name.strip()).casefold())


def find_split_depth(paths: Collection[Sequence[str]], *, besides: int) -> int | None:
    """Return at which depth of every path, its file's name aside, there is a folder of a split; None if there is none.

    Args:
        paths: the parts of every file's path below the folder that is imported.
        besides: folders that every path must have besides that one: 1 where folders are classes.

    >>> find_split_depth([("Train", "cat", "1.jpg"), ("dev", "dog", "2.jpg")], besides=1)
    0
    >>> find_split_depth([("cat", "train", "1.jpg"), ("train", "1.jpg")], besides=1) is None
    True
    """
    deepest = min((len(parts) - 1 for parts in paths), default=0)
    if deepest < 1 + besides:
        return None
    return next((at for at in range(deepest) if all(parse_split(parts[at]) for parts in paths)), None)


def read_split_at(parts: Sequence[str], at: int | None) -> str:
    """Return the split that a path lies in, given what `find_split_depth` found; empty if that is None."""
    return "" if at is None else parse_split(parts[at]) or ""


def find_split(folders: Sequence[str]) -> str:
    """Return the first split that a folder of a path is named after; empty if none is.

    >>> find_split(("ADE20K_2021_17_01", "images", "ADE", "training", "urban", "street"))
    'train'
    """
    return next((split for split in map(parse_split, folders) if split), "")
