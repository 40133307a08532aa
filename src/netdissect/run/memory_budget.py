"""How many bytes of intermediate results may stay in memory."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netdissect.config import Settings

#: Bytes of memory that are assumed where the system does not say how much it has.
_ASSUMED_BYTES = 4 * 2**30


def find_memory_budget(settings: Settings) -> int:
    """Return how many bytes of candidates may stay in memory: the setting ``memory``, else an eighth of the machine's."""
    if settings.memory is not None:
        return settings.memory
    return measure_machine_memory() // 8


def measure_machine_memory() -> int:
    """Return the memory of this machine in bytes; 4 GiB where the system does not say."""
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf, and other systems may lack these names
        found = _ask_windows()
    return found if found > 0 else _ASSUMED_BYTES


class _MemoryStatus(ctypes.Structure):
    """The structure that Windows fills, MEMORYSTATUSEX."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("physical", ctypes.c_uint64),
        ("others", ctypes.c_uint64 * 6),
    )


def _ask_windows() -> int:
    """Return the physical memory that Windows reports, in bytes; 0 on other systems."""
    library = getattr(ctypes, "windll", None)
    if library is None:
        return 0
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    answered = library.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status.physical) if answered else 0
