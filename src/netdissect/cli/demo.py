"""``netdissect demo``: the bundled network on the bundled probe set, nothing to download."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from netdissect.cli.console import Bars, say


def demo(*, out: Path = Path("dissection/demo"), quiet: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Dissect the bundled network on the bundled probe set, and its random-weight control beside it.

    Args:
        out: folder of the run; the probe set, the control's run and the comparison lie in it too.
        quiet: show no progress.
    """
    from netdissect.experiments.demo import demonstrate

    with Bars(quiet=quiet) as bars:
        found = demonstrate(out, progress=bars)
    for line in found.headlines():
        say(line)
    say(f"report: {found.report}")
