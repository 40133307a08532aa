"""``netdissect demo``: dissect the bundled network on the bundled probe set, without any download."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from netdissect.cli.console import has_bars, measure_columns, print_closing, print_line
from netdissect.cli.option_groups import SWITCH
from netdissect.progress import show_progress


def demo(
    *,
    out: Path = Path("dissection/demo"),
    classic: Annotated[bool, SWITCH] = False,
    quiet: Annotated[bool, SWITCH] = False,
) -> None:
    """Dissect the bundled network on the bundled probe set, and the same network with random weights as a control.

    Args:
        out: Run folder; the probe set, the control's run and their comparison are written there too.
        classic: Also write the released code's pages into the report: a strip of images for every unit.
        quiet: Show no progress.
    """
    from netdissect.demo.demonstrate import run_demo

    with show_progress(not quiet) as bars:
        found = run_demo(out, classic=classic, progress=bars)
    print_closing(found.trained)
    for line in found.describe_control(measure_columns(), bars=has_bars()):
        print_line(line)
    print_line(f"report: {found.report}")
