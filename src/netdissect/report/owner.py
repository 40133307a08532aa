"""Whose pictures and label maps lie in a report's folder: those of one probe set, and of another nothing is reused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from netdissect.io import atomic

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.results.run import RunResult

_FILE = "probe-set.json"


def pictures_in(html: Path) -> Path:
    """Return where a report keeps its probe pictures."""
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
        return bool(json.loads((folder / _FILE).read_text(encoding="utf-8")) == _card(result))
    except (OSError, ValueError):
        return False


def by_row(folder: Path) -> dict[int, Path]:
    """Return a folder's files by the row of ``index.csv`` they are named after."""
    return {int(path.stem): path for path in folder.iterdir() if path.stem.isdecimal() and path.is_file()}


def _card(result: RunResult) -> dict[str, str]:
    return {"name": result.probe_set.name, "fingerprint": result.probe_set.fingerprint}
