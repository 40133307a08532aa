"""Names of ADE20K's classes and scenes, as the annotations of its release of 2021 give them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.probe_sets.compile.ade20k import normalize_scene

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Class maps hold a class as (R // 10)·256 + G.
_LARGEST_CLASS = 25 * 256 + 255


def wrap_in_list(value: Any) -> list[Any]:
    """Return a list of MATLAB's JSON, which writes a list of one item as the item itself."""
    return value if isinstance(value, list) else [value]


def read_scene_name(path: Any) -> str:
    """Return a scene's name as Broden spells it: the last part of its path; empty if there is none."""
    last = str(wrap_in_list(path)[-1]) if path else ""
    scene = normalize_scene(last.strip("/").rsplit("/", 1)[-1] if isinstance(path, str) else last)
    return "" if scene.startswith("~") else scene


def check_class_number(number: Any) -> int:
    """Return a class's number; raise ValueError if no class map can hold it."""
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= _LARGEST_CLASS:
        raise ValueError(f"expected a class from 1 to {_LARGEST_CLASS} as 'name_ndx', got {ascii(number)[:40]}")
    return number


def order_class_names(names: Mapping[int, str]) -> tuple[str, ...]:
    """Return the names of class 1, 2, …; ``-`` for a class that no image has."""
    return tuple(names.get(number, "-") for number in range(1, max(names, default=0) + 1))
