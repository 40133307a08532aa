"""Words that depend on a number."""

from __future__ import annotations


def count_noun(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun, which may carry its verb.

    Args:
        number: how many.
        one: the words after 1.
        many: the words after any other number; None appends an s.

    >>> count_noun(1, "image"), count_noun(1200, "image"), count_noun(0, "class", "classes")
    ('1 image', '1,200 images', '0 classes')
    >>> count_noun(1, "file is left out", "files are left out")
    '1 file is left out'
    """
    return f"{number:,} {one if number == 1 else f'{one}s' if many is None else many}"
