"""One color per category, told apart in gray and under every kind of color blindness; always shown with the category's name.

The colors were found by search (``python -m benchmarks colors -- --search``). On a light page their L* are 8 apart, and their
OKLab distance is at least 0.12 for normal, protan, deutan and tritan vision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.concepts import CATEGORY_ORDER

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Colors of areas on a light background, by slot.
FILL_COLORS = {
    "object": "#3475f6", "scene": "#164c18", "part": "#ba837d", "material": "#4f145e", "texture": "#646e05",
    "color": "#88366e", "other": "#6b6e74",
}  # fmt: skip
#: The same on a dark background; ``html/static/style.css`` has both.
DARK_FILL_COLORS = {
    "object": "#aaccf6", "scene": "#4e9a15", "part": "#f89a91", "material": "#b58aec", "texture": "#fae035",
    "color": "#ac578f", "other": "#92959b",
}  # fmt: skip
#: The page's background.
PAPER_COLORS = {"light": "#fbfaf7", "dark": "#14161a"}
#: Colors of text.
TEXT_COLORS = {
    "object": "#2a60cc", "scene": "#164c18", "part": "#93544c", "material": "#4f145e", "texture": "#5d6605",
    "color": "#88366e", "other": "#55585e",
}  # fmt: skip


def assign_color_slots(categories: Sequence[str]) -> dict[str, str]:
    """Return the color slot of every category: its own if it has one, else a free one, else ``"other"``.

    >>> assign_color_slots(["object", "animal"])
    {'object': 'object', 'animal': 'scene'}
    """
    free = [slot for slot in CATEGORY_ORDER if slot not in categories]
    return {
        category: category if category in FILL_COLORS and category != "other" else (free.pop(0) if free else "other")
        for category in categories
    }
