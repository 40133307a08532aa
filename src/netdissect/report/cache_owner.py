"""Whose images and label maps lie in a report's folder: those of one probe set, and of another nothing is reused."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from netdissect.io import atomic, reading
from netdissect.io.json_files import parse_json

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.results.run_result import RunResult

_FILE = "probe-set.json"
_OWN = re.compile(r"(\d{6,18})\.(jpg|png|js)")
#: Bytes of a kept file at most.
_LONGEST = 2**26


def pictures_in(html: Path) -> Path:
    """Return where a report keeps its probe images."""
    return html / "image" / "probe"


def labels_in(html: Path) -> Path:
    """Return where a report keeps their label maps."""
    return html / "data" / "labels"


def claim(result: RunResult, folder: Path) -> None:
    """Empty a folder that holds files of another probe set, and write down whose it is now."""
    if owns(result, folder):
        return
    for path in by_row(folder).values():
        path.unlink()
    atomic.write_text(folder / _FILE, json.dumps(_card(result)) + "\n")


def owns(result: RunResult, folder: Path) -> bool:
    """Whether a folder's files are of the run's own probe set."""
    try:
        if not atomic.is_regular_below(folder, _FILE):
            return False
        return bool(parse_json(reading.read_bytes(folder / _FILE, most=_LONGEST)) == _card(result))
    except (OSError, ValueError):
        return False


def by_row(folder: Path) -> dict[int, Path]:
    """Return a folder's files by the row of ``index.csv`` they are named after; what lies behind a link is none."""
    if not all(atomic.is_real_folder(above) for above in (folder, folder.parent, folder.parent.parent)):
        return {}
    named = ((path, _OWN.fullmatch(path.name)) for path in folder.iterdir())
    return {int(name[1]): path for path, name in named if name and atomic.is_regular_below(folder, path.name)}


def read(path: Path) -> bytes:
    """Return the bytes of a file that a report keeps.

    Raises:
        OSError: if it cannot be read, or is no regular file.
    """
    return reading.read_bytes(path, most=_LONGEST)


def _card(result: RunResult) -> dict[str, str]:
    return {"name": result.probe_set.name, "fingerprint": result.probe_set.fingerprint}
