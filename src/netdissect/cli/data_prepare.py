"""``netdissect data prepare``: write a probe set into one file; check such a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from netdissect.cli.console import print_line
from netdissect.cli.option_groups import OPTIONS, SWITCH, describe_default
from netdissect.cli.typed_words import PATHS
from netdissect.errors import DataFileError
from netdissect.progress import show_progress
from netdissect.wording import count_noun

if TYPE_CHECKING:
    from cyclopts import App

_CPUS = os.cpu_count() or 1


def prepare(
    folder: Annotated[str, PATHS],
    /,
    *,
    out: Annotated[Path | None, describe_default("beside the folder, as FOLDER.arrow")] = None,
    images: str = "original",
    workers: Annotated[int, Parameter(show_default=lambda _: "one per CPU core")] = _CPUS,
    quiet: Annotated[bool, SWITCH] = False,
) -> None:
    """Write a probe set into one file with its labels decoded, which is used in place of the folder.

    Args:
        folder: Folder of a probe set, or the name of a downloaded one.
        out: The file.
        images: Images as the files they are (original), or decoded and scaled to this side in pixels.
        workers: Processes that work in parallel.
        quiet: Show no progress.
    """
    from netdissect.probe_sets.download.paths import resolve_probe_set
    from netdissect.probe_sets.prepared.prepare import prepare_probe_set

    try:
        with show_progress(not quiet) as bars:
            data = folder if "://" in folder else resolve_probe_set(folder)
            result = prepare_probe_set(data, out, images=images, workers=workers, progress=bars)
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt("interrupted; nothing was kept, the same command starts over") from interrupt
    if not result.is_new:
        print_line(f"{result.file}: this file is already complete and current")
        return
    size = result.file.stat().st_size
    print_line(f"{result.file}: {count_noun(result.images, 'image')}, {size / 1e6:,.1f} MB")
    print_line(f"netdissect data check {result.file}")


def check_file(file: Path, *, workers: int, quiet: bool) -> None:
    """Check a prepared file, and print what was found."""
    from netdissect.probe_sets.prepared.prepared_check import check_prepared_file

    with show_progress(not quiet) as bars:
        report = check_prepared_file(file, workers=workers, progress=bars)
    print_line(f"{file}: {count_noun(report.images, 'image')}, {count_noun(report.concepts, 'concept')}")
    for problem in report.problems[:20]:
        print_line(f"  {problem}")
    if report.problems:
        raise DataFileError(f"{file}: {count_noun(len(report.problems), 'problem')} found")
    print_line("No problem was found.")


def add_prepare_command(data: App) -> None:
    """Add the command to ``netdissect data``."""
    data.command(prepare, group_parameters=OPTIONS)
