"""How many bytes of intermediate results may stay in memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netdissect.config import Settings


def find_memory_budget(settings: Settings) -> int:
    """Return how many bytes of candidates may stay in memory: the setting ``memory``, else an eighth of the machine's."""
    if settings.memory is not None:
        return settings.memory
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8)
