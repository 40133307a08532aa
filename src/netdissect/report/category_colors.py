"""One color per category, distinct under every kind of color blindness; each is always shown with the category's name.

The colors were found by search: their smallest OKLab distance under simulated protan, deutan and tritan vision is 0.094.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.concepts import CATEGORY_ORDER

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Colors of areas on a light background, by slot.
FILL_COLORS = {
    "object": "#4b86f7", "scene": "#24633d", "part": "#c27f69", "material": "#684c88", "texture": "#82771f",
    "color": "#6a1447", "other": "#6b6e74",
}  # fmt: skip
#: Colors of text.
TEXT_COLORS = {
    "object": "#2a60cc", "scene": "#24633d", "part": "#9a5a46", "material": "#684c88", "texture": "#746a10",
    "color": "#6a1447", "other": "#55585e",
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
