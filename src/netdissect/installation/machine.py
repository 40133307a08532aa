"""What the machine has: processors and memory that this process may use, and folders with their sizes."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import shutil
import tempfile
from pathlib import Path

#: Most files of a folder that are counted, so that a large one takes no time.
_MAX_FILES = 20_000
_CGROUP = Path("/sys/fs/cgroup")


def count_usable_cores() -> float:
    """Return how many cores this process may use: those of the machine, of its affinity, and of its container's limit."""
    cores: float = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _read_words(_CGROUP / "cpu.max")
    if len(quota) == 2 and quota[0].isdecimal() and quota[1].isdecimal():
        return min(cores, round(int(quota[0]) / int(quota[1]), 2))
    return cores


def find_memory() -> tuple[int | None, int | None]:
    """Return the machine's memory in bytes, and the limit of this process's container; None for what is not known."""
    total = None
    with contextlib.suppress(AttributeError, ValueError, OSError):  # Windows has no sysconf
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _read_words(_CGROUP / "memory.max")
    return total, int(limit[0]) if limit and limit[0].isdecimal() else None


def _read_words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def measure_folder(folder: Path, *suffixes: str) -> int | None:
    """Return the bytes of the files below a folder, at most the first 20,000; None if there is no such folder.

    Args:
        folder: the folder.
        suffixes: of the files that count; none for all.
    """
    if not folder.is_dir():
        return None
    total = count = 0
    for where, _, names in os.walk(folder):
        for name in names:
            if suffixes and not name.endswith(suffixes):
                continue
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(where, name)).st_size  # noqa: PTH118 - many files
            count += 1
            if count >= _MAX_FILES:
                return total
    return total


def try_temporary_folder() -> tuple[Path | None, int | None, str]:
    """Return the folder for temporary files, its free bytes, and why it cannot be written ("" if it can)."""
    try:
        folder = Path(tempfile.gettempdir())
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"netdissect")
            file.flush()
        return folder, shutil.disk_usage(folder).free, ""
    except OSError as error:
        return None, None, error.strerror or str(error)


def hide_user(text: str) -> str:
    """Return a text in which the home folder is ``~`` and the user's name is USER, so that it can be shown to others."""
    home = os.path.expanduser("~")  # noqa: PTH111 - pathlib raises where there is none
    if len(home) > 1:
        text = re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text)
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without a name
        return text
    return re.sub(rf"(?<![\w-]){re.escape(user)}(?![\w-])", "USER", text) if user and user != "root" else text
