"""Expand ``~`` and the patterns ``*``, ``?`` and ``[…]`` in paths that were typed or stand in a file.

A shell does this for words without quotes, but not for ``--weights=~/net.pth``, not in quotes, and on Windows not at all.
"""

from __future__ import annotations

import glob
import os
import re

from netdissect.io.names import make_natural_key

#: A home folder: at the beginning, or after what may precede a path in a word (NAME=PATH, FILE,FILE, hf:FOLDER).
_HOME = re.compile(r"(^|[=,:])~(?=[/\\]|$)")


def expand_home(word: str) -> str:
    """Return a word in which ``~`` is replaced with the home folder wherever a path may begin.

    >>> expand_home("a~b"), expand_home("conv1=~/sae.pt") == "conv1=" + os.path.expanduser("~/sae.pt")
    ('a~b', True)
    """
    if word.startswith("~"):
        word = os.path.expanduser(word)  # noqa: PTH111 - a user without a home keeps the word as it is
    return _HOME.sub(lambda found: found[1] + os.path.expanduser("~"), word)  # noqa: PTH111


def expand_pattern(word: str) -> list[str]:
    """Return the paths that a pattern matches, in natural order; the word itself if it is no pattern or nothing matches.

    A path that exists is no pattern, whatever its name. In ``NAME=PATTERN`` every path keeps its name.

    Args:
        word: a path or a pattern, in which ``~`` is expanded.
    """
    if os.path.lexists(word) or not has_pattern_sign(word):
        return [word]
    found = glob.glob(word, recursive=True)  # noqa: PTH207 - it keeps ./ and links as they are typed
    if not found and "=" in word:
        name, _, pattern = word.partition("=")
        return [f"{name}={path}" for path in expand_pattern(pattern)]
    return sorted(found, key=make_natural_key) or [word]


def has_pattern_sign(word: str) -> bool:
    """Return whether a word has a sign that may make it a pattern."""
    return any(sign in word for sign in "*?[")
