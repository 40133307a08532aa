"""``netdissect demo``: the bundled network on the bundled probe set, nothing to download."""

from __future__ import annotations

from pathlib import Path


def demo(*, out: Path = Path("dissection/demo")) -> None:
    """Dissect the bundled network on the bundled probe set, and its random-weight control beside it.

    Args:
        out: folder of the run.
    """
