"""Check memory, threads and the current folder before a command starts, and collect garbage rarely while it runs.

If one of them is missing, libraries such as numba would end the process with messages of their own.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

try:
    import resource
except ImportError:  # pragma: no cover - Windows has no such limits
    resource = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator

#: New objects between two collections of garbage; Python's own default is 700.
_OBJECTS_PER_COLLECTION = 100_000
#: Bytes that Python, torch and numba take before any work is done.
_MIN_MEMORY = 10**9
NO_THREADS = "no more threads can be started here: raise the limit of processes (ulimit -u)"


def find_missing_resource() -> str | None:
    """Return a sentence that says which resource is missing and what to do; None if all are available."""
    try:
        Path.cwd()
    except OSError:
        return "the current folder no longer exists: change to another one"
    for letter, most in _read_memory_limits().items():
        if most < _MIN_MEMORY:
            return (
                f"this process may use {most // 10**6:,} MB of memory, and the libraries alone need 1,000 MB: raise the "
                f"limit (ulimit -{letter})"
            )
    if not _can_start_threads(os.cpu_count() or 1):
        return NO_THREADS
    return None


@contextlib.contextmanager
def collect_garbage_rarely() -> Iterator[None]:
    """Return a context manager in which garbage is collected rarely, and not once more when the process ends.

    The libraries make millions of objects when they are imported, and searching these for garbage, over and over and at the
    end, takes a fifth of the time of a run of few images.
    """
    before = gc.get_threshold()
    gc.set_threshold(_OBJECTS_PER_COLLECTION, *before[1:])
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def is_memory_limited() -> bool:
    """Return whether this process has a limit of memory."""
    return bool(_read_memory_limits())


def _read_memory_limits() -> dict[str, int]:
    """Return the limits of memory that are set, in bytes, by their letters in ``ulimit``."""
    names = {"v": "RLIMIT_AS", "d": "RLIMIT_DATA"} if resource is not None else {}
    limits = {letter: resource.getrlimit(getattr(resource, name))[0] for letter, name in names.items()}
    return {letter: most for letter, most in limits.items() if most != resource.RLIM_INFINITY}


def _can_start_threads(count: int) -> bool:
    """Return whether `count` threads can run at once."""
    done = threading.Event()
    try:
        for _ in range(count):
            threading.Thread(target=done.wait, daemon=True).start()
    except RuntimeError:
        return False
    finally:
        done.set()
    return True
