"""Check the plain values of a ``run.json``, which anybody may have changed."""

from __future__ import annotations

from typing import Any

#: The largest number that a run may have; larger ones could only exhaust memory.
_MAX_NUMBER = 2**40


def check_whole_number(value: Any, least: int = 1, most: int = _MAX_NUMBER) -> int:
    """Return a whole number.

    Raises:
        ValueError: if it is none, or lies outside the bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"expected a whole number of at least {least}, got {value!r}")
    return value


def check_string(value: Any) -> str:
    """Return a string.

    Raises:
        TypeError: if it is none.
    """
    if not isinstance(value, str):
        raise TypeError(f"expected a string, got {value!r}")
    return value
