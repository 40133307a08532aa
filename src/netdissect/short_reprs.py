"""A short repr for dataclasses that hold arrays or many values: their types and sizes instead of their contents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar

#: Most entries of a collection, and most characters of one value, that a repr shows.
_MOST_ENTRIES, _MOST_CHARACTERS = 6, 80


class ShortRepr:
    """The base class of dataclasses with a short repr; they are declared with ``repr=False``.

    Attributes:
        REPR_MORE: what the repr names besides the fields, such as the properties that people look for.
    """

    __slots__ = ()
    REPR_MORE: ClassVar[str] = ""

    def __repr__(self) -> str:
        values = [(field.name, getattr(self, field.name)) for field in fields(self) if field.repr]  # type: ignore[arg-type]  # a dataclass
        shown = ", ".join(f"{name}={describe_value(value)}" for name, value in values)
        return f"{type(self).__name__}({shown}){f'; {self.REPR_MORE}' if self.REPR_MORE else ''}"


def describe_value(value: Any) -> str:
    """Return a value as a short text: an array by its type and shape, a long collection by its length.

    >>> import numpy as np
    >>> describe_value(np.zeros((2, 3), np.float32)), describe_value(0.12345678), describe_value(tuple(range(9)))
    ('float32 (2, 3)', '0.1235', '<9 values>')
    """
    if getattr(value, "ndim", 0):  # an array; numpy is not imported for this, because commands import this module
        return f"{value.dtype} {tuple(value.shape)}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (tuple, list, Mapping)) and len(value) > _MOST_ENTRIES:
        return f"<{len(value):,} values>"
    text = repr(value)
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"<{len(value)} values>" if isinstance(value, (tuple, list, Mapping)) else f"{text[:_MOST_CHARACTERS]}…"
