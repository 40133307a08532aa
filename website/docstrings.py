"""A griffe extension: docstrings as Markdown, with examples as code blocks and links into docs/ that work in the site."""

from __future__ import annotations

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^Example::\n\n((?:    .*\n?|\n)+)", re.MULTILINE)
_DOCTEST = re.compile(r"^>>> .*(?:\n(?!\n).*)*", re.MULTILINE)
_SECTION = re.compile(r"^Example:$", re.MULTILINE)
_LITERAL = re.compile(r"``([^`\n]+)``")


class ReadableDocstrings(griffe.Extension):
    """Rewrites docstrings before they are parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite an object's docstring."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """Return a docstring whose examples are fenced code blocks or a section of their own."""
    text = _EXAMPLE.sub(lambda block: f"**Example**\n\n```python\n{_dedent(block[1])}\n```\n\n", text + "\n")
    text = _SECTION.sub("Examples:", text)  # the name that griffe knows
    text = _DOCTEST.sub(lambda block: f"```pycon\n{block[0].rstrip()}\n```", text)
    return _LITERAL.sub(r"`\1`", text).rstrip()


def _dedent(code: str) -> str:
    return "\n".join(line[4:] for line in code.rstrip().splitlines())
