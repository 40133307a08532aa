"""Attributes of users' modules: reading one may raise anything, and one of a library's name may be of any type."""

from __future__ import annotations

from typing import Any


def get_attribute(owner: Any, name: str, default: Any = None) -> Any:
    """Return an attribute; the default if there is none, or if reading it fails."""
    try:
        return getattr(owner, name, default)
    except Exception:  # noqa: BLE001 - properties and __getattr__ of users' modules may raise anything
        return default


def to_size(value: Any) -> tuple[int, int] | None:
    """Return an attribute that may be one or two lengths, in cells or pixels, as height and width; else None.

    >>> to_size(16), to_size([8, 4]), to_size(True), to_size((0, 4)), to_size("16")
    ((16, 16), (8, 4), None, None, None)
    """
    pair = (value, value) if isinstance(value, int) else value
    if not isinstance(pair, (tuple, list)) or len(pair) != 2 or any(type(part) is not int or part < 1 for part in pair):
        return None
    return pair[0], pair[1]
