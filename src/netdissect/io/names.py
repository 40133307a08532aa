"""Check and make names that become file names, before any work is done."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata

#: The longest name in bytes: with the suffixes that this project appends, every common file system accepts it.
MAX_NAME_BYTES = 200
_RESERVED = frozenset({"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))})


def find_name_problem(name: str) -> str | None:
    """Return why a name cannot be a file name, as the end of a sentence; None if it can.

    >>> find_name_problem("conv5"), find_name_problem("../x")
    (None, "it holds '/'")
    """
    if not name.strip(" ."):
        return "it is empty" if not name else "it is dots and spaces only"
    for character in name:
        if character in '/\\:*?"<>|' or unicodedata.category(character) in ("Cc", "Cs"):
            return f"it holds {character!r}"
    if name.startswith(".") or name.endswith((".", " ")):
        return "it begins with a dot" if name.startswith(".") else "it ends in a dot or a space"
    if name.partition(".")[0].upper() in _RESERVED:
        return "some systems reserve that name for a device"
    if len(os.fsencode(name)) > MAX_NAME_BYTES:
        return f"it is longer than {MAX_NAME_BYTES} bytes"
    return None


def make_portable_name(text: str) -> str:
    """Return a text as a file name that every common file system accepts; a long one is cut and gets a hash appended.

    >>> make_portable_name("epoch=3-step=400"), make_portable_name("a/b: c?"), make_portable_name("..x."), make_portable_name("con")
    ('epoch=3-step=400', 'a_b_ c_', '_x', 'con_')
    """
    plain = "".join("_" if find_name_problem(f"x{c}x") else c for c in text).rstrip(" .")
    name = re.sub(r"^[. ]+", "_", plain) or "_"
    if name.partition(".")[0].upper() in _RESERVED:
        stem, dot, rest = name.partition(".")
        name = f"{stem}_{dot}{rest}"
    if find_name_problem(name) is None:
        return name
    digest = hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=8).hexdigest()
    return f"{name.encode()[: MAX_NAME_BYTES - 20].decode(errors='ignore').rstrip(' .')}-{digest}"


def make_natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key that puts ``epoch_5`` before ``epoch_20``.

    >>> sorted(["epoch_20", "epoch_5", "best"], key=make_natural_key)
    ['best', 'epoch_5', 'epoch_20']
    """
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), "") if part.isdecimal() and part.isascii() else (1, 0, part) for part in parts]


def is_below(path: str) -> bool:
    r"""Return whether a relative path from a table or an archive stays inside its folder.

    >>> is_below("a/b.png"), is_below("a/../../b"), is_below("/etc/passwd"), is_below("c:\\x")
    (True, False, False, False)
    """
    if not path or "\0" in path or "\\" in path or path.startswith("/") or path[1:2] == ":":
        return False
    return ".." not in path.split("/")
