"""``netdissect report``: draw the report of a finished run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from netdissect.cli.console import ProgressBars, print_line
from netdissect.cli.run import print_run_result

_Flag = Parameter(negative="")


def report(
    run: Path,
    /,
    *,
    threshold: float | None = None,
    single_file: Annotated[bool, _Flag] = False,
    card: Annotated[bool, _Flag] = False,
    quiet: Annotated[bool, _Flag] = False,
) -> None:
    """Draw the report of a finished run again; no network and no forward pass is needed.

    Args:
        run: the run's folder.
        threshold: IoU from which a unit counts as a detector; the run's own if not given.
        single_file: also write the whole report as one file, RUN/report.html, that can be sent.
        card: also write a section for a model card, RUN/model-card.md with its figure.
        quiet: show no progress.
    """
    from dataclasses import replace

    from netdissect.api import load

    result = load(run)
    if threshold is not None:
        result = replace(result, settings=replace(result.settings, threshold=threshold))
    with ProgressBars(quiet=quiet) as bars:
        index = result.write_report(run, progress=bars, single_file=single_file)
    print_run_result(result, run)
    if single_file:
        print_line(f"single file: {index} ({index.stat().st_size / 1e6:.1f} MB)")
    if card:
        print_line(f"model card: {result.write_model_card(run)}")
