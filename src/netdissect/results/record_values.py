"""Check the plain values of a ``run.json``, which anybody may have changed."""

from __future__ import annotations

import math
from typing import Any

from netdissect.io.text import make_writable

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


def check_number(value: Any, least: float = -math.inf, most: float = math.inf) -> float:
    """Return a finite number.

    Raises:
        ValueError: if it is none, or lies outside the bounds.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not (least <= value <= most and math.isfinite(value))
    ):
        raise ValueError(f"expected a number{'' if least == -math.inf else f' of at least {least:g}'}, got {value!r}")
    return float(value)


def make_values_writable(value: Any) -> Any:
    """Return plain values whose strings UTF-8 can encode; file names may have bytes that are not UTF-8."""
    if isinstance(value, str):
        return make_writable(value)
    if isinstance(value, dict):
        return {make_values_writable(key): make_values_writable(entry) for key, entry in value.items()}
    return [make_values_writable(entry) for entry in value] if isinstance(value, (list, tuple)) else value
