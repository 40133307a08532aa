"""Folders for caches: the user's own, or a private temporary one if that cannot be written."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def find_user_cache() -> Path | None:
    """Return this project's folder in the user's cache folder; None if the user has no home.

    ``XDG_CACHE_HOME`` and ``HOME`` are used only if they are absolute: a relative path may lead to another user's files.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):  # noqa: PTH117 - "" is a path to pathlib
        return Path(base) / "netdissect"
    home = os.path.expanduser("~")  # noqa: PTH111 - pathlib raises if there is no home
    return Path(home) / ".cache" / "netdissect" if os.path.isabs(home) else None  # noqa: PTH117


def is_owned_by_user(folder: Path) -> bool:
    """Return whether a folder belongs to this user and is not writable by everybody."""
    found = folder.stat()
    return not hasattr(os, "geteuid") or (found.st_uid == os.geteuid() and not found.st_mode & 0o002)


def make_temporary_cache() -> Path | None:
    """Make a folder that only this user can enter and that is removed at exit; None if none can be made."""
    try:
        folder = tempfile.mkdtemp(prefix="netdissect-")
    except OSError:
        return None
    atexit.register(_remove_if_owner, folder, os.getpid())
    return Path(folder)


def _remove_if_owner(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # a forked child inherits the atexit call, and must not remove the folder
        shutil.rmtree(folder, ignore_errors=True)
