"""What a test may ask about processes."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest


def children(pid):
    """Processes whose parent is this one, and theirs."""
    found, unseen = set(), {pid}
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = status.read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                parents[int(status.parent.name)] = int(fields[1])
    while unseen:
        unseen = {child for child, parent in parents.items() if parent in unseen} - found
        found |= unseen
    return found


def wait_until(true, what):
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    pytest.fail(f"waited a minute for {what}")
