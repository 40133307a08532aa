"""Read and write flat TOML: one key per line, with words, numbers, true and false, or lists of these."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

from netdissect.errors import SettingsError
from netdissect.io.reading import read_text
from netdissect.io.text import escape_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: The largest file in bytes.
_MAX_BYTES = 2**20

Value = str | bool | int | float


def read_flat_toml(path: Path, what: str) -> dict[str, Value | list[Value]]:
    """Read a file of keys and values.

    Args:
        path: the file.
        what: what it is, for messages: ``"config file"``.

    Raises:
        SettingsError: if it does not exist, is not TOML, or has tables, dates or nested lists.
    """
    text = read_text(path, what, missing=SettingsError, wrong=SettingsError, most=_MAX_BYTES)
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"{path}: expected TOML, such as threshold = 0.04: {escape_line(str(error))}") from error
    for key, value in found.items():
        if not all(isinstance(one, Value) for one in (value if isinstance(value, list) else [value])):
            kind = "table" if isinstance(value, dict) else type(value).__name__
            raise SettingsError(
                f"{path}: {escape_line(key)} is a {kind}: expected a word in quotes, a number, true, false, or a list of these"
            )
    return found


def format_flat_toml(values: Mapping[str, Value | Sequence[Value]]) -> str:
    r"""Return keys and values as TOML.

    >>> format_flat_toml({"layers": ["conv5"], "null-exact": True, "quantile": 0.005})
    'layers = ["conv5"]\nnull-exact = true\nquantile = 0.005\n'
    """
    return "".join(f"{key} = {_format_value(value)}\n" for key, value in values.items())


def _format_value(value: Value | Sequence[Value]) -> str:
    if isinstance(value, str):  # JSON escapes as TOML does, but for the character DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, (int, float)) else f"[{', '.join(map(_format_value, value))}]"
