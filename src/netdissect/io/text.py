"""Escape untrusted text, so that it can be printed on a terminal or written to a file of any encoding."""

from __future__ import annotations

import codecs
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

#: How characters of this project's messages are written to an ASCII terminal.
_ASCII_SIGNS = {
    "≥": ">=", "≤": "<=", "…": "...", "×": "x", "−": "-", "–": "-", "—": "-", "±": "+/-", "→": "->", "·": "*",
    "α": "alpha", "κ": "kappa", "²": "^2", "½": "1/2", "Δ": "Delta", "∑": "sum",
    "’": "'", "‘": "'", "“": '"', "”": '"', "━": "-", "╸": "-", "╺": "-", "•": "*", "│": "|", "─": "-",
}  # fmt: skip

#: Name of the codec error handler that escapes what an encoding lacks.
ESCAPE_UNENCODABLE = "netdissect.visible"


def escape_controls(text: str) -> str:
    r"""Return text whose control and format characters are escaped, so that it cannot control a terminal.

    Line endings and tabs stay. Bytes of a path that are not UTF-8 are shown as ``\xff``.

    >>> print(escape_controls("a\x1b[2Jb"), escape_controls("caf\udce9"))
    a\x1b[2Jb caf\xe9
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _is_harmless(character) else _escape(character) for character in text)


def escape_line(text: str) -> str:
    r"""Return text for use within a line: as `escape_controls`, with line endings and tabs escaped too.

    >>> escape_line("cat\nfish")
    'cat\\nfish'
    """
    return escape_controls(text).replace("\n", "\\n").replace("\t", "\\t")


def make_writable(text: str) -> str:
    r"""Return text that UTF-8 can encode: bytes of a path that are not UTF-8 are escaped.

    >>> make_writable("caf\udce9")
    'caf\\xe9'
    """
    return text if text.isascii() else text.encode(errors=ESCAPE_UNENCODABLE).decode()


def make_streams_lenient(*streams: TextIO) -> None:
    """Set streams to escape characters that their encoding lacks, instead of raising."""
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=ESCAPE_UNENCODABLE)


#: Line endings, tabs, and the joiners of Persian, Indic scripts and emoji.
_ALLOWED_CONTROLS = "\n\t\u200c\u200d"


def _is_harmless(character: str) -> bool:
    return character in _ALLOWED_CONTROLS or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8 (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def _escape_unencodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    part = error.object[error.start : error.end]
    return "".join(_ASCII_SIGNS.get(character) or _escape(character) for character in part), error.end


codecs.register_error(ESCAPE_UNENCODABLE, _escape_unencodable)
