"""Stamps: whether the files of a folder are those that a prepared file was made of."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from netdissect.probe_sets.broden.probe_images import ProbeImage


def stamp_images(folder: Path, rows: Sequence[ProbeImage]) -> NDArray[np.int64]:
    """Return a hash of the sizes and modification times of the files of every image, int64, shape (N,); nothing is opened.

    Args:
        folder: the probe set, on this machine.
        rows: its images.
    """
    root = f"{folder}/images/"
    found = np.empty(len(rows), np.int64)
    for position, row in enumerate(rows):
        states = [_describe_file(root + name) for name in (row.image, *row.planes)]
        digest = hashlib.blake2b(repr(states).encode(), digest_size=8).digest()
        found[position] = int.from_bytes(digest, "little", signed=True)
    return found


def _describe_file(path: str) -> tuple[int, int]:
    """Return a file's size in bytes and modification time in ns; -1 for both if there is none."""
    try:
        state = os.stat(path)  # noqa: PTH116 - a hundred thousand paths
    except (OSError, ValueError):
        return -1, -1
    return state.st_size, state.st_mtime_ns
