"""Declare a setting as a dataclass field, and check its value against the field's type and bounds."""

from __future__ import annotations

import dataclasses
import re
import typing
from dataclasses import field
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal

from netdissect.bounds import format_value, require_between, require_choice, require_integer
from netdissect.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable


def declare_option(
    default: Any,
    text: str,
    *,
    none: str | None = None,
    bounds: tuple[float, float] | None = None,
    inclusive: bool = True,
    paper: str | None = None,
    aliases: tuple[str, ...] = (),
    rare: bool = False,
    path: bool = False,
    parse: Callable[[str], Any] | None = None,
) -> Any:
    """Return the dataclass field of an option.

    Args:
        default: the default.
        text: a sentence that says what the option does, as ``--help`` shows it.
        none: what the default None means.
        bounds: the smallest and the largest number allowed.
        inclusive: whether the bounds themselves are allowed.
        paper: the paper's value, for the error message.
        aliases: other spellings on the command line.
        rare: whether ``--help`` leaves it out and only ``--help-all`` shows it.
        path: whether it may name files or folders.
        parse: function that parses the word typed on the command line; None parses it by its type.
    """
    return field(
        default=default,
        metadata={
            "help": text, "none": none, "bounds": bounds, "inclusive": inclusive, "paper": paper, "aliases": aliases,
            "rare": rare, "path": path, "parse": parse,
        },
    )  # fmt: skip


class CheckedSettings:
    """A dataclass that checks its values against their types and bounds when it is created."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            SettingsError: if a value has a wrong type or is out of bounds.
        """
        hints = typing.get_type_hints(type(self))
        for item in dataclasses.fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            object.__setattr__(self, item.name, _check_field(item, hints[item.name], getattr(self, item.name)))


def list_field_names(record: type) -> list[str]:
    """Return the names of a dataclass's fields.

    >>> list_field_names(dataclasses.make_dataclass("Size", ["height", "width"]))
    ['height', 'width']
    """
    return [item.name for item in dataclasses.fields(record)]


def _check_field(item: dataclasses.Field[Any], hint: Any, value: Any) -> Any:
    """Check a value against its field's type and bounds, and return it as a plain Python value.

    Raises:
        SettingsError: if it has another type or is out of bounds.
    """
    kinds, bounds, name = typing.get_args(hint), item.metadata["bounds"], item.name.replace("_", "-")
    if value is None and NoneType in kinds:
        return None
    if typing.get_origin(hint) is Literal:
        require_choice(name, value, kinds)
    elif hint is bool:
        if not isinstance(value, bool):
            raise SettingsError(f"{item.name} must be True or False, not {format_value(value)}")
    elif hint is float:
        must = f"lie between {bounds[0]} and {bounds[1]} (the paper's is {item.metadata['paper']})"
        return require_between(name, value, must, *bounds, ends=item.metadata["inclusive"])
    elif hint == tuple[float, ...] | None:
        return _require_fractions(item, value)
    elif int in (hint, *kinds):
        return require_integer(name, value, *bounds)
    elif name == "device":
        return _require_device(value)
    elif not (isinstance(value, str) and value and value.isprintable()):
        raise SettingsError(f"--{name} must be a word, not {format_value(value)}")
    return value


def _require_fractions(item: dataclasses.Field[Any], value: object) -> tuple[float, ...]:
    """Return distinct fractions in rising order, given as numbers."""
    if not isinstance(value, (list, tuple)):
        raise SettingsError(f"{item.name} must be several numbers, not {format_value(value)}")
    least, most = item.metadata["bounds"]
    must = f"lie between {least} and {most} each (the paper's is {item.metadata['paper']})"
    return tuple(sorted({require_between(item.name, number, must, least, most, ends=False) for number in value}))


def _require_device(value: object) -> str:
    """Return the name of a device, given as text or as a ``torch.device``."""
    device = str(value)
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,4})?", device):
        raise SettingsError(f"--device must be auto, cpu, cuda or cuda:N, not {format_value(device)}")
    return device
