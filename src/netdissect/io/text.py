"""Text that others wrote, made fit to be shown on a terminal or written into a file, whatever its encoding."""

from __future__ import annotations

import codecs
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

#: Signs of our own sentences, as a terminal that knows only ASCII shows them.
_PLAIN = {
    "≥": ">=", "≤": "<=", "…": "...", "×": "x", "−": "-", "–": "-", "—": "-", "±": "+/-", "→": "->", "·": "*",
    "α": "alpha", "κ": "kappa", "²": "^2", "½": "1/2", "Δ": "Delta", "∑": "sum",
    "’": "'", "‘": "'", "“": '"', "”": '"', "━": "-", "╸": "-", "╺": "-", "•": "*", "│": "|", "─": "-",
}  # fmt: skip

#: Name of the error handler for streams and files: what an encoding lacks is written in a visible form.
VISIBLE = "netdissect.visible"


def visible(text: str) -> str:
    r"""Return text that cannot act on a terminal: control and format characters become escapes that can be read.

    Line ends and tabs stay. Bytes of a path that are no UTF-8 are shown as ``\xff``.

    >>> print(visible("a\x1b[2Jb"), visible("caf\udce9"))
    a\x1b[2Jb caf\xe9
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _harmless(character) else _escaped(character) for character in text)


def one_line(text: str) -> str:
    r"""Return text as it stands within a line: as `visible`, line ends and tabs shown too.

    >>> one_line("cat\nfish")
    'cat\\nfish'
    """
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def writable(text: str) -> str:
    r"""Return text that UTF-8 can write: bytes of a path that are no UTF-8 are put in a visible form, all else stays.

    >>> writable("caf\udce9")
    'caf\\xe9'
    """
    return text if text.isascii() else text.encode(errors=VISIBLE).decode()


def never_fail(*streams: TextIO) -> None:
    """Let streams write what their encoding lacks in a visible form, in place of an error in the middle of a sentence."""
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=VISIBLE)


#: Line ends, and the joiners that Persian, Indic scripts and emoji are written with.
_KEPT = "\n\t\u200c\u200d"


def _harmless(character: str) -> bool:
    return character in _KEPT or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8, as Python keeps it (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    part = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character) or _escaped(character) for character in part), error.end


codecs.register_error(VISIBLE, _replace)
