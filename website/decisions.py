"""The page that lists all decisions, made from their titles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """# Decisions

Design decisions and their reasons, one page each. A title states what was decided; a decision that was changed says so.

| | decision |
|---:|---|
"""


def make_index(folder: Path) -> str:
    """Return the Markdown of the list of decisions.

    Args:
        folder: the folder of the decisions, ``NNNN-title.md`` each.
    """
    rows = []
    for path in sorted(folder.glob("[0-9]*.md")):
        title = re.match(r"# (?:\d+\. )?(.+)", path.read_text(encoding="utf-8"))
        assert title, f"{path} does not begin with its title"
        rows.append(f"| {int(path.name[:4])} | [{title[1]}]({path.name}) |")
    return HEAD + "\n".join(rows) + "\n"
