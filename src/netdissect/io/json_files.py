"""Read untrusted JSON: numbers must be finite, text must be encodable, keys must be unique, and the depth is bounded."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NoReturn

from netdissect.io.reading import MAX_TEXT_BYTES, read_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.errors import NetdissectError

#: How deeply lists and objects may be nested; real files reach about a tenth of it.
MAX_DEPTH = 100


class InvalidJSONError(ValueError):
    """The JSON text is invalid; the message is the end of a sentence."""


def read_json(
    path: Path,
    what: str,
    *,
    missing: type[NetdissectError],
    wrong: type[NetdissectError],
    most: int = MAX_TEXT_BYTES,
    encoding: str | None = None,
    lenient: bool = False,
) -> Any:
    """Read a JSON file.

    Args:
        path: the file.
        what: what it is, for messages: ``"COCO's annotations"``.
        missing: raised if it does not exist.
        wrong: raised if it cannot be read or is invalid.
        most: the largest size in bytes.
        encoding: of its text; None detects UTF-8, UTF-16 and UTF-32.
        lenient: as for `parse_json`.
    """
    try:
        data = read_bytes(path, most=most)
    except FileNotFoundError as error:
        raise missing(f"{what} is missing: expected {path}") from error
    except OSError as error:
        raise wrong(f"{path} cannot be read as {what}: {error.strerror or error}") from error
    try:
        return parse_json(data if encoding is None else data.decode(encoding), lenient=lenient)
    except ValueError as error:
        raise wrong(f"{path}: expected {what} as JSON: {error}") from error


def parse_json(data: bytes | str, *, lenient: bool = False) -> Any:
    """Parse a JSON text.

    Args:
        data: the text.
        lenient: accept numbers that are not finite and text that cannot be encoded; the caller checks them and can say
            where they are.

    Raises:
        InvalidJSONError: if it is not JSON, is nested deeper than `MAX_DEPTH`, has a key twice, or holds a number that is not
            finite or text that cannot be encoded (half of a surrogate pair).

    Example:
        >>> parse_json('{"a": [1, 2.5]}')
        {'a': [1, 2.5]}
        >>> parse_json("[NaN]")
        Traceback (most recent call last):
        netdissect.io.json_files.InvalidJSONError: NaN is not a number that can be used
    """
    if isinstance(data, bytes):
        try:
            data = data.decode("utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else json.detect_encoding(data))
        except UnicodeDecodeError as error:
            raise InvalidJSONError(f"it is no text in UTF-8 (byte {error.start:,})") from error
    try:
        found = (_LENIENT_DECODER if lenient else _STRICT_DECODER).decode(data)
        _check_depth_and_text(found, surrogates=not lenient and ("\\ud" in data or "\\uD" in data))
    except RecursionError as error:
        raise InvalidJSONError(_TOO_DEEP) from error
    except json.JSONDecodeError as error:
        raise InvalidJSONError(f"line {error.lineno}, column {error.colno}: {error.msg}") from error
    except InvalidJSONError:
        raise
    except ValueError as error:  # a number with more digits than Python converts
        raise InvalidJSONError(str(error)) from error
    return found


_TOO_DEEP = f"its lists and objects are nested deeper than {MAX_DEPTH} times"


def _check_depth_and_text(found: Any, *, surrogates: bool) -> None:
    """Refuse values that are nested too deeply and, if the text has any, strings with half of a surrogate pair."""
    level = [found]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner += value.values()
                if surrogates:
                    inner += value.keys()
            elif isinstance(value, list):
                inner += value if surrogates else [entry for entry in value if isinstance(entry, (dict, list))]
            elif surrogates and isinstance(value, str):
                _require_writable(value)
        if not inner:
            return
        level = inner
    raise InvalidJSONError(_TOO_DEEP)


def _require_writable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidJSONError(f"the text {text!a} has half of a surrogate pair and cannot be written") from error


def _parse_finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise InvalidJSONError(f"{text} is not a number that can be used")
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise InvalidJSONError(f"{text} is not a number that can be used")


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise InvalidJSONError(f"an object names {twice[:80]!a} twice")
    return found


_LENIENT_DECODER = json.JSONDecoder(object_pairs_hook=_make_object)
_STRICT_DECODER = json.JSONDecoder(
    parse_float=_parse_finite, parse_constant=_refuse_constant, object_pairs_hook=_make_object
)
