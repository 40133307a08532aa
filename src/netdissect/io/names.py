"""Check names that become file names, before any work is done."""

from __future__ import annotations

import os
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


def is_below(path: str) -> bool:
    r"""Return whether a relative path from a table or an archive stays inside its folder.

    >>> is_below("a/b.png"), is_below("a/../../b"), is_below("/etc/passwd"), is_below("c:\\x")
    (True, False, False, False)
    """
    if not path or "\0" in path or "\\" in path or path.startswith("/") or path[1:2] == ":":
        return False
    return ".." not in path.split("/")
