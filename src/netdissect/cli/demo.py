"""``netdissect demo``: the bundled network on the bundled probe set, nothing to download."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from netdissect.cli.console import ProgressBars, print_line


def demo(*, out: Path = Path("dissection/demo"), quiet: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Dissect the bundled network on the bundled probe set, and its random-weight control beside it.

    Args:
        out: folder of the run; the probe set, the control's run and the comparison lie in it too.
        quiet: show no progress.
    """
    from netdissect.demo.demonstrate import demonstrate

    with ProgressBars(quiet=quiet) as bars:
        found = demonstrate(out, progress=bars)
    for line in found.headlines():
        print_line(line)
    print_line(f"report: {found.report}")
