"""What an option may be: one check for numbers and one for choices, made where an option is declared."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING

from netdissect.errors import SettingsError
from netdissect.io.text import escape_line

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Processes and threads that one machine, or one cluster, is asked for at most.
MAX_WORKERS, MAX_THREADS = 4096, 1024
#: Sides of a network's input, in pixels.
RESOLUTION_RANGE = (8, 4096)
#: The largest seed that every library takes.
MAX_SEED = 2**32 - 1
#: Sides of an image that is computed with, in pixels, and how many images may be asked for.
MAX_IMAGE_SIDE, MAX_IMAGES = 8192, 10**9


def require_integer(option: str, value: object, least: int, most: int) -> int:
    """Return a whole number that lies in a range; numpy's numbers are numbers too.

    Args:
        option: its name as it is typed, without dashes.
        value: what was given.
        least: the smallest it may be.
        most: the largest.

    Raises:
        SettingsError: naming the option, its range and what was given.

    Example:
        >>> whole("limit", 10, 1, MOST_IMAGES)
        10
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise SettingsError(f"--{option} must be a whole number, not {format_value(value)}")
    number = int(value)
    if number < least:
        raise SettingsError(f"--{option} must be at least {least:,}, not {number:,}")
    if number > most:
        raise SettingsError(f"--{option} must be at most {most:,}, not {number:,}")
    return number


def require_number(option: str, value: object, says: str) -> float:
    """Return a finite number.

    Args:
        option: its name as it is typed, without dashes.
        value: what was given.
        says: what it must be, for the sentence.

    Raises:
        SettingsError: if it is no number, infinite or NaN.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise SettingsError(f"--{option} must {says}, not {format_value(value)}")
    return float(value)


def require_between(option: str, value: object, says: str, least: float, most: float, *, ends: bool = True) -> float:
    """Return a number that lies in a range, whose ends belong to it or not.

    Raises:
        SettingsError: naming the option, what it must be and what was given.
    """
    number = require_number(option, value, says)
    if not (least <= number <= most if ends else least < number < most):
        raise SettingsError(f"--{option} must {says}, not {number}")
    return number


def require_choice(option: str, value: object, choices: Sequence[str]) -> None:
    """Refuse what is not among the choices.

    Raises:
        SettingsError: naming them.
    """
    if value not in choices:
        raise SettingsError(f"--{option} must be {' or '.join(choices)}, not {format_value(value)}")


def format_value(value: object) -> str:
    """Return what was given as it stands in a sentence: short, in one line."""
    words = escape_line(repr(value))
    return words if len(words) <= 80 else f"{words[:79]}…"


def describe_type(value: object) -> str:
    """Return what was given in place of something else, for a sentence.

    >>> kind_of(5), kind_of(int), kind_of([1, 2])
    ('5', 'the class int', 'list')
    """
    if isinstance(value, type):
        return f"the class {value.__name__}"
    plain = value is None or isinstance(value, (str, bytes, int, float))
    return format_value(value) if plain else type(value).__name__
