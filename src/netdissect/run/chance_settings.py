"""Check the settings of chance before the first image is read, and choose the category within which labels are exchanged."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from netdissect.config import NOT_WITHIN
from netdissect.engine.comparison_plan import require_enough_images
from netdissect.errors import SettingsError
from netdissect.run.memory_budget import find_memory_budget

if TYPE_CHECKING:
    from netdissect.config import Settings
    from netdissect.protocols import ConceptSource

#: The category within which labels are exchanged unless another is named.
_SCENE = "scene"


def settle_chance(settings: Settings, concepts: ConceptSource) -> Settings:
    """Return the settings with the category within which labels are exchanged.

    It is ``scene`` if the probe set has that category, and the segment maps of all images, of one byte a pixel, fit into a
    quarter of the memory for intermediate results: every image may lend to any other of its scene.

    Raises:
        SettingsError: if the probe set has too few images for the shifts, or no such category.
    """
    if not settings.null:
        return replace(settings, within=NOT_WITHIN)
    require_enough_images(settings.null, len(concepts))
    categories = concepts.vocabulary.categories
    if settings.within is not None:
        if settings.within not in (NOT_WITHIN, *categories):
            raise SettingsError(
                f"--within {settings.within!r} is not a category of {concepts.name}: name one of {', '.join(categories)}, or "
                f"{NOT_WITHIN}"
            )
        return settings
    pixels = sum(math.prod(concepts.label_size(image)) for image in range(len(concepts)))
    fits = pixels <= find_memory_budget(settings) // 4
    return replace(settings, within=_SCENE if _SCENE in categories and fits else NOT_WITHIN)
