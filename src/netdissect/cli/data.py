"""``netdissect data``: probe sets downloaded, built, checked, drawn, made of your own images."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Group, Parameter

from netdissect.cli.console import ProgressBars, format_cell, out, print_line, print_table
from netdissect.cli.data_import import add_import_commands
from netdissect.cli.download_progress import Transfers
from netdissect.errors import DataFileError

if TYPE_CHECKING:
    from netdissect.probe_sets.broden.check import CheckReport
    from netdissect.probe_sets.compile.make import BuildResult
    from netdissect.probe_sets.download.registry import RegistryEntry

data = App(name="data", help="Probe sets: download, build, check, or make one of your own pictures.")
_OWN = Group("Own probe sets", sort_key=2)

_Many = Parameter(consume_multiple=True, negative_iterable="")
_Flag = Parameter(negative="")
_CPUS = os.cpu_count() or 1


@data.command
def build(
    *,
    sources: Path = Path("dataset"),
    out: Path | None = None,
    size: int = 227,
    only: Annotated[list[str] | None, _Many] = None,
    limit: int | None = None,
    colors: bool = True,
    color_table: Annotated[str | None, Parameter(["--color-table", "--colour-table"])] = None,
    synonyms: str = "broden1",
    min_frequency: int = 10,
    min_coverage: float = 0.5,
    skip_missing: Annotated[bool, _Flag] = False,
    workers: int = _CPUS,
    quiet: Annotated[bool, _Flag] = False,
) -> None:
    """Make Broden from its sources. A call that was interrupted goes on when it is made again.

    Args:
        sources: folder that holds ade20k/, dtd/, opensurfaces/ and pascal/, or some of them.
        out: the set's folder; dataset/broden1_SIZE if not given.
        size: side of the images in pixels; label maps have half of it.
        only: the sources wanted; all that are there if not given.
        limit: only the first so many images of every source, for a trial.
        colors: whether every image gets a plane of color names.
        color_table: the published table of color names: a .npy or .mat file, or fetch; a built-in model if not given.
        synonyms: synonym table: broden1, broden-plus, none, or a file of yours.
        min_frequency: labels that touch fewer images are left out.
        min_coverage: labels that cover less, in added-up shares of images, are left out.
        skip_missing: leave out images whose files are not there.
        workers: processes that work.
        quiet: show no progress.
    """
    from netdissect.probe_sets.compile.build_broden import build_broden

    table = _find_color_table(color_table, quiet=quiet)
    with ProgressBars(quiet=quiet) as bars:
        made = build_broden(
            sources, out, only=only or (), skip_missing=skip_missing, workers=workers, progress=bars, say=print_line, size=size,
            limit=limit, colors=colors, color_table=table, synonyms=synonyms, min_frequency=min_frequency,
            min_coverage=min_coverage,
        )  # fmt: skip
    print_build_result(made)


@data.command
def check(folder: str, /, *, workers: int = _CPUS, quiet: Annotated[bool, _Flag] = False) -> None:
    """Check a probe set: every table, every image, every label map; and show what is in it.

    Args:
        folder: a folder in Broden's format, or the name of a downloaded one.
        workers: processes that decode.
        quiet: show no progress.
    """
    from netdissect.probe_sets.broden.check import check_probe_set as examine
    from netdissect.probe_sets.download.paths import resolve_probe_set

    with ProgressBars(quiet=quiet) as bars:
        report = examine(resolve_probe_set(folder), workers=workers, progress=bars)
    _print_check_report(report)
    if report.problems:
        for problem in report.problems[:20]:
            print_line(f"  {problem}")
        rest = len(report.problems) - 20
        more = f", {rest} more are not shown" if rest > 0 else ""
        raise DataFileError(f"{report.folder}: {_format_count(len(report.problems), 'problem')} found{more}")
    print_line("No problem was found.")


@data.command(name="list")
def list_(*, into: Path | None = None, registry: Path | None = None) -> None:
    """List what can be downloaded.

    Args:
        into: where downloads lie; NETDISSECT_DATA or dataset/ if not given.
        registry: a registry file of yours, on top of the built-in one.
    """
    from netdissect.probe_sets.download.entries import is_downloaded
    from netdissect.probe_sets.download.paths import get_data_folder
    from netdissect.probe_sets.download.registry import load_registry

    entries = load_registry(registry)
    folder = get_data_folder(into)
    chosen = [entry for entry in entries.values() if entry.kind != "network"]
    print_registry_entries(chosen, {entry.name for entry in chosen if is_downloaded(entry, entries, folder)})
    print_line()
    print_line(
        f"netdissect data download NAME fetches one to {folder}/, all-sources the four sources; netdissect zoo list has networks."
    )


@data.command
def download(
    names: Annotated[list[str], Parameter(negative_iterable="")],
    /,
    *,
    into: Path | None = None,
    registry: Path | None = None,
    keep: Annotated[bool, _Flag] = False,
    quiet: Annotated[bool, _Flag] = False,
) -> None:
    """Download probe sets, or the sources of Broden. A call that was interrupted goes on when it is made again.

    Args:
        names: as netdissect data list shows them; broden stands for its three editions, all-sources for the four
            sources of Broden.
        into: where it goes; NETDISSECT_DATA or dataset/ if not given.
        registry: a registry file of yours, on top of the built-in one.
        keep: keep archives after they are unpacked.
        quiet: show no progress.
    """
    from netdissect.probe_sets.download.paths import get_data_folder

    download_entries(names, get_data_folder(into), registry, networks=False, keep=keep, quiet=quiet)


_HEADINGS = {
    "probe set": "Probe sets", "source": "Sources of Broden", "table": "Tables", "network": "Networks",
}  # fmt: skip


@data.command
def synonyms(table: Literal["broden1", "broden-plus"] = "broden1", /) -> None:
    """Print a built-in synonym table: to read, or as the start of your own.

    Args:
        table: which.
    """
    from netdissect.probe_sets.compile.synonyms import BUILT_IN, read_built_in_table

    for file in BUILT_IN[table]:
        for line in read_built_in_table(file).rstrip().splitlines():
            print_line(line)


@data.command
def synthetic(
    *,
    images: int = 1000,
    size: int = 112,
    out: Path = Path("dataset/synthetic"),
    seed: int = 0,
    workers: int = _CPUS,
    quiet: Annotated[bool, _Flag] = False,
) -> None:
    """Draw the bundled synthetic probe set, at any size and count.

    Args:
        images: how many.
        size: side of the images in pixels; label maps have half of it.
        out: the set's folder.
        seed: of what is drawn.
        workers: processes that draw.
        quiet: show no progress.
    """
    from netdissect.demo.world import write_probe_set
    from netdissect.demo.world.place import cleared

    try:
        with cleared(out), ProgressBars(quiet=quiet) as bars:
            write_probe_set(out, images=images, size=size, seed=seed, workers=workers, progress=bars)
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(
            "interrupted; there is no set yet, the same command draws it from the start"
        ) from interrupt
    print_line(f"{out}: {_format_count(images, 'image')} of {size} x {size} pixels")
    print_line(f"netdissect data check {out}")


add_import_commands(data, _OWN)


def print_build_result(made: BuildResult) -> None:
    """Say what was made and what can be done with it."""
    if made.is_new:
        print_line(
            f"{made.folder}: {_format_count(made.images, 'image')}, {_format_count(made.concepts, 'concept')} in "
            f"{', '.join(made.categories)}"
        )
        if made.unused:
            shown = ", ".join(made.unused[:6])
            more = f" and {len(made.unused) - 6} more" if len(made.unused) > 6 else ""
            print_line(f"left out as too rare or too small: {shown}{more} (label_assignment.csv tells of every label)")
    print_line(f"netdissect data check {made.folder}")


def download_entries(
    names: list[str], folder: Path, registry: Path | None, *, networks: bool, keep: bool, quiet: bool
) -> None:
    """Download entries of the registry, one after the other."""
    from netdissect.probe_sets.download.entries import download_entry as get
    from netdissect.probe_sets.download.groups import expand_names
    from netdissect.probe_sets.download.registry import find_entry, load_registry

    entries = load_registry(registry)
    names = expand_names(names, entries, networks=networks)
    for name in names:
        find_entry(entries, name, networks=networks)
    for name in names:
        entry = entries[name]
        print_line(f"{entry.name}: {entry.about}. Licence: {entry.license}. Cite: {entry.citation}.")
        if entry.note:
            print_line(f"{entry.name}: {entry.note}.")
        with Transfers(quiet=quiet) as bars:
            for path in get(name, entries, folder, keep=keep, progress=bars, say=print_line):
                print_line(f"{name}: {path}")


def print_registry_entries(entries: list[RegistryEntry], here: set[str]) -> None:
    """Print what can be downloaded, in groups: a line each into a file, else as wide as the terminal is.

    Names are never broken, so that they can be copied.
    """
    from netdissect.probe_sets.download.transfer import format_bytes

    longest = max(len(entry.name) for entry in entries)
    sizes = {entry.name: "" if entry.size is None else format_bytes(entry.size) for entry in entries}
    widest = max(map(len, sizes.values()))
    marks = 4 if here else 0
    indent = 2 + longest + 2 + (widest + 2 if widest else 0) + (marks + 2 if marks else 0)
    for kind in dict.fromkeys(entry.kind for entry in entries):
        print_line(_HEADINGS[kind], bold=True)
        for entry in (entry for entry in entries if entry.kind == kind):
            columns = [f"  {entry.name:<{longest}}"]
            columns += [f"{sizes[entry.name]:>{widest}}"] if widest else []
            columns += [f"{'here' if entry.name in here else '':<{marks}}"] if marks else []
            about, licence = entry.about, f"licence: {entry.license}{f'; note: {entry.note}' if entry.note else ''}"
            if not out.is_terminal:
                print_line("  ".join([*columns, f"{about}; {licence}"]))
                continue
            lines = textwrap.wrap(about, max(20, out.width - indent))
            print_line("  ".join([*columns, lines[0]]))
            for line in lines[1:]:
                print_line(" " * indent + line)
            for line in textwrap.wrap(licence, max(20, out.width - indent)):
                print_line(" " * indent + line, dim=True)


def _find_color_table(given: str | None, *, quiet: bool) -> Path | None:
    """Return the file of the published table of color names, fetched if that is asked for."""
    if given != "fetch":
        return None if given is None else Path(given)
    from netdissect.probe_sets.download.paths import get_data_folder

    folder = get_data_folder()
    if not (folder / "w2color.npy").is_file():
        download_entries(["color-names"], folder, None, networks=False, keep=False, quiet=quiet)
    return folder / "w2color.npy"


def _print_check_report(report: CheckReport) -> None:
    from rich.table import Table

    splits = ", ".join(f"{name} {count:,}" for name, count in sorted(report.splits.items()))
    print_line(
        f"{report.folder}: {_format_count(report.images, 'image')} ({splits}), {_format_count(report.concepts, 'concept')}"
    )
    for what, sizes in (("pictures", report.sizes), ("label maps", report.label_sizes)):
        told = [f"{width} x {height}" for height, width in sorted(sizes, key=lambda size: -sizes[size])]
        print_line(f"{what}: {', '.join(told[:4])}{f' and {len(told) - 4} other sizes' if len(told) > 4 else ''}")
    if report.bare:
        print_line(
            f"{_format_count(report.bare, 'image')} more carry no label at all and are left out of any dissection"
        )
    table = Table(box=None, pad_edge=False)
    for heading in ("category", "concepts", "images", "unlabelled", "largest", "rarest"):
        right = heading in ("concepts", "images", "unlabelled")
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for category in report.categories:
        rare = sorted(category.uses, key=lambda use: (use.images, use.share))[:3]
        table.add_row(
            format_cell(category.name), f"{len(category.uses) + len(category.absent):,}", f"{category.images:,}",
            f"{100 * category.unlabelled:.1f} %",
            format_cell(", ".join(f"{use.name} {100 * use.share:.1f} %" for use in category.uses[:3])),
            format_cell(", ".join(f"{use.name} ({use.images:,})" for use in rare)),
        )  # fmt: skip
    print_table(table)
    print_line(f"{100 * report.unlabelled:.1f} % of all pixels carry no label but a color")
    for category in report.categories:
        if category.absent:
            shown = ", ".join(category.absent[:5])
            more = f" and {len(category.absent) - 5} more" if len(category.absent) > 5 else ""
            print_line(f"listed in {category.name}, and in no label map at this size: {shown}{more}")


def _format_count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
