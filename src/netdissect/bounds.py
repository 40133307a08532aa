"""Check the values of options: numbers, choices and amounts of memory."""

from __future__ import annotations

import math
import numbers
import re
from typing import TYPE_CHECKING

from netdissect.errors import SettingsError
from netdissect.io.text import escape_line

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Largest number of worker processes, and of threads per worker.
MAX_WORKERS, MAX_THREADS = 4096, 1024
#: Smallest and largest side of a network's input, in pixels.
RESOLUTION_RANGE = (8, 4096)
#: The largest seed that numpy, torch and random all accept.
MAX_SEED = 2**32 - 1
#: Largest side of an image, in pixels, and largest number of images.
MAX_IMAGE_SIDE, MAX_IMAGES = 8192, 10**9


def require_integer(option: str, value: object, least: float, most: float) -> int:
    """Return an integer within bounds, as a Python int; numpy's integers are accepted.

    Args:
        option: the option's name as it is typed, without dashes.
        value: the value to check.
        least: the smallest value allowed.
        most: the largest value allowed.

    Raises:
        SettingsError: if it is not an integer, or out of bounds.

    Example:
        >>> require_integer("limit", 10, 1, MAX_IMAGES)
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


def require_number(option: str, value: object, must: str) -> float:
    """Return a finite number, as a Python float.

    Args:
        option: the option's name as it is typed, without dashes.
        value: the value to check.
        must: what the number must be, for the error message ("--OPTION must …").

    Raises:
        SettingsError: if it is not a number, infinite or NaN.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise SettingsError(f"--{option} must {must}, not {format_value(value)}")
    return float(value)


def require_between(option: str, value: object, must: str, least: float, most: float, *, ends: bool = True) -> float:
    """Return a number within bounds, as a Python float.

    Args:
        option: the option's name as it is typed, without dashes.
        value: the value to check.
        must: what the number must be, for the error message ("--OPTION must …").
        least: the lower bound.
        most: the upper bound.
        ends: whether the bounds themselves are allowed.

    Raises:
        SettingsError: if it is not a finite number, or out of bounds.
    """
    number = require_number(option, value, must)
    if not (least <= number <= most if ends else least < number < most):
        raise SettingsError(f"--{option} must {must}, not {number}")
    return number


def require_choice(option: str, value: object, choices: Sequence[str]) -> None:
    """Check that a value is one of the choices.

    Raises:
        SettingsError: if it is none of them.
    """
    if value not in choices:
        raise SettingsError(f"--{option} must be {' or '.join(choices)}, not {format_value(value)}")


def parse_bytes(text: str) -> int:
    """Return the number of bytes in an amount of memory, such as 4GB.

    Raises:
        SettingsError: if the text is not an amount of memory.

    Example:
        >>> parse_bytes("1.5GB"), parse_bytes("200 MiB"), parse_bytes("4096")
        (1500000000, 209715200, 4096)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", text.lower())
    if match is None:
        raise SettingsError(f"--memory takes an amount such as 4GB or 500MiB, not {format_value(text)}")
    number, prefix, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** " kmgt".index(prefix or " "))


def format_value(value: object) -> str:
    """Return a value for an error message, in one line of at most 80 characters."""
    text = escape_line(repr(value))
    return text if len(text) <= 80 else f"{text[:79]}…"


def describe_type(value: object) -> str:
    """Return the description of a value of the wrong type for an error message: a plain value itself, else its type.

    >>> describe_type(5), describe_type(int), describe_type([1, 2])
    ('5', 'the class int', 'list')
    """
    if isinstance(value, type):
        return f"the class {value.__name__}"
    plain = value is None or isinstance(value, (str, bytes, int, float))
    return format_value(value) if plain else type(value).__name__
