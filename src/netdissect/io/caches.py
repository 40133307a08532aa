"""Folders in which libraries keep what they need not make again; where none can be written, a private one for a while."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def find_user_cache() -> Path | None:
    """Return this user's folder for this project's caches; None where there is no home.

    ``XDG_CACHE_HOME`` and ``HOME`` count only if they are absolute: what is named relative to the folder one stands in
    may have been put there by somebody else.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):  # noqa: PTH117 - "" is a path to pathlib
        return Path(base) / "netdissect"
    home = os.path.expanduser("~")  # noqa: PTH111 - pathlib raises where nobody has a home
    return Path(home) / ".cache" / "netdissect" if os.path.isabs(home) else None  # noqa: PTH117


def is_owned_by_user(folder: Path) -> bool:
    """Say whether a folder belongs to who runs this process, and not everybody can write into it."""
    found = folder.stat()
    return not hasattr(os, "geteuid") or (found.st_uid == os.geteuid() and not found.st_mode & 0o002)


def make_temporary_cache() -> Path | None:
    """Return a new folder that only this user can enter, removed when this process ends; None where none can be made."""
    try:
        folder = tempfile.mkdtemp(prefix="netdissect-")
    except OSError:
        return None
    atexit.register(_remove_in_owner, folder, os.getpid())
    return Path(folder)


def _remove_in_owner(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # a forked child has inherited the call
        shutil.rmtree(folder, ignore_errors=True)
