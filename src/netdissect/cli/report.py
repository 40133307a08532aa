"""``netdissect report``: draw the report of a finished run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from netdissect.cli.console import Bars
from netdissect.cli.run import tell


def report(
    run: Path, /, *, threshold: float | None = None, quiet: Annotated[bool, Parameter(negative="")] = False
) -> None:
    """Draw the report of a finished run again; no network and no forward pass is needed.

    Args:
        run: the run's folder.
        threshold: IoU from which a unit counts as a detector; the run's own if not given.
        quiet: show no progress.
    """
    from dataclasses import replace

    from netdissect.api import load

    result = load(run)
    if threshold is not None:
        result = replace(result, settings=replace(result.settings, threshold=threshold))
    with Bars(quiet=quiet) as bars:
        result.write_report(run, progress=bars)
    tell(result, run)
