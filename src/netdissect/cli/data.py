"""``netdissect data``: download, build, check and draw probe sets, or make one of your own images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from netdissect.cli.console import format_cell, print_line, print_table
from netdissect.cli.data_import import add_import_commands
from netdissect.cli.data_prepare import add_prepare_command, check_file
from netdissect.cli.downloads import OwnRegistry, download_entries, print_registry
from netdissect.cli.option_groups import OPTIONS, SEVERAL, SWITCH, describe_default
from netdissect.cli.typed_words import PATHS
from netdissect.errors import DataFileError
from netdissect.progress import show_progress
from netdissect.wording import count_noun

if TYPE_CHECKING:
    from netdissect.probe_sets.broden.check import CheckReport
    from netdissect.probe_sets.compile.make import BuildResult

data = App(
    name="data", help="Download, build or check probe sets, or make one of your own images.", group_parameters=OPTIONS
)

_CPUS = os.cpu_count() or 1
_Into = Annotated[Path | None, describe_default("NETDISSECT_DATA or dataset/")]
_Workers = Annotated[int, Parameter(show_default=lambda _: "one per CPU core")]
_Quiet = Annotated[bool, SWITCH]


@data.command
def build(
    *,
    sources: Path = Path("dataset"),
    out: Annotated[Path | None, describe_default("dataset/broden1_SIZE")] = None,
    size: int = 227,
    only: Annotated[list[str] | None, SEVERAL, describe_default("all that are found")] = None,
    limit: Annotated[int | None, describe_default("all")] = None,
    colors: bool = True,
    color_table: Annotated[
        str | None, PATHS, Parameter(["--color-table", "--colour-table"]), describe_default("a built-in model")
    ] = None,
    synonyms: Annotated[str, PATHS] = "broden1",
    min_frequency: int = 10,
    min_coverage: float = 0.5,
    skip_missing: Annotated[bool, SWITCH] = False,
    workers: _Workers = _CPUS,
    quiet: _Quiet = False,
) -> None:
    """Build Broden from its sources; the same command resumes an interrupted build.

    Args:
        sources: Folder that holds ade20k/, dtd/, opensurfaces/ and pascal/, or some of them.
        out: Folder of the probe set.
        size: Side of the images in pixels; label maps have half of it.
        only: Use only these sources.
        limit: Use only the first N images of every source.
        colors: Label every pixel with the name of its color.
        color_table: Published table of color names: a .npy or .mat file, or fetch to download it.
        synonyms: Synonym table: broden1, broden-plus, none, or a file of your own.
        min_frequency: Leave out labels on fewer images than this.
        min_coverage: Leave out labels whose pixel shares, summed over all images, are below this.
        skip_missing: Leave out images whose files are missing.
        workers: Processes that build in parallel.
        quiet: Show no progress.
    """
    from netdissect.probe_sets.compile.build_broden import build_broden

    table = _find_color_table(color_table, quiet=quiet)
    with show_progress(not quiet) as bars:
        result = build_broden(
            sources, out, only=only or (), skip_missing=skip_missing, workers=workers, progress=bars, say=print_line,
            size=size, limit=limit, colors=colors, color_table=table, synonyms=synonyms, min_frequency=min_frequency,
            min_coverage=min_coverage,
        )  # fmt: skip
    print_build_result(result)


@data.command
def check(folder: Annotated[str, PATHS], /, *, workers: _Workers = _CPUS, quiet: _Quiet = False) -> None:
    """Check every table, image and label map of a probe set, and summarize its labels.

    Args:
        folder: A probe set: folder, prepared file, or name of a downloaded one.
        workers: Processes that decode in parallel.
        quiet: Show no progress.
    """
    from netdissect.probe_sets.broden.check import check_probe_set
    from netdissect.probe_sets.download.paths import resolve_probe_set
    from netdissect.probe_sets.prepared.probe_folder import is_prepared_file

    path = resolve_probe_set(folder)
    if is_prepared_file(path):
        check_file(path, workers=workers, quiet=quiet)
        return
    with show_progress(not quiet) as bars:
        report = check_probe_set(path, workers=workers, progress=bars)
    _print_check_report(report)
    if report.problems:
        for problem in report.problems[:20]:
            print_line(f"  {problem}")
        rest = len(report.problems) - 20
        more = f", {rest} more are not shown" if rest > 0 else ""
        raise DataFileError(f"{report.folder}: {count_noun(len(report.problems), 'problem')} found{more}")
    print_line("No problem was found.")


@data.command(name="list")
def list_(*, into: _Into = None, registry: OwnRegistry = None) -> None:
    """List the probe sets and sources that can be downloaded.

    Args:
        into: Folder of downloads.
        registry: Registry file of your own, read on top of the built-in one.
    """
    from netdissect.probe_sets.download.paths import get_data_folder

    folder = get_data_folder(into)
    print_registry(registry, folder, networks=False)
    print_line(
        f"netdissect data download NAME downloads one to {folder}/, all-sources the four sources; netdissect zoo list has networks."
    )


@data.command
def download(
    names: Annotated[list[str], Parameter(negative_iterable="")],
    /,
    *,
    into: _Into = None,
    registry: OwnRegistry = None,
    keep: Annotated[bool, SWITCH] = False,
    quiet: _Quiet = False,
) -> None:
    """Download probe sets, or the sources of Broden; the same command resumes an interrupted download.

    Args:
        names: Names that netdissect data list shows; broden for its three editions, all-sources for its four sources.
        into: Folder of downloads.
        registry: Registry file of your own, read on top of the built-in one.
        keep: Keep archives after unpacking them.
        quiet: Show no progress.
    """
    from netdissect.probe_sets.download.paths import get_data_folder

    download_entries(names, get_data_folder(into), registry, networks=False, keep=keep, quiet=quiet)


@data.command(usage="Usage: netdissect data synonyms [TABLE]")
def synonyms(table: Literal["broden1", "broden-plus"] = "broden1", /) -> None:
    """Print a built-in synonym table, to read or to edit.

    Args:
        table: The table.
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
    workers: _Workers = _CPUS,
    quiet: _Quiet = False,
) -> None:
    """Draw the demo's synthetic probe set, with any number of images of any size.

    If the folder holds this set already, nothing is drawn.

    Args:
        images: Number of images.
        size: Side of the images in pixels; label maps have half of it.
        out: Folder of the probe set.
        seed: Seed of the drawing.
        workers: Processes that draw in parallel.
        quiet: Show no progress.
    """
    from netdissect.demo.world import has_probe_set, write_probe_set
    from netdissect.demo.world.world_folder import empty_folder

    if has_probe_set(out, images=images, size=size, seed=seed):
        print_line(f"{out} holds these {count_noun(images, 'image')} of {size} x {size} pixels already")
        return
    try:
        with empty_folder(out), show_progress(not quiet) as bars:
            write_probe_set(out, images=images, size=size, seed=seed, workers=workers, progress=bars)
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt("interrupted; nothing was kept, the same command starts over") from interrupt
    print_line(f"{out}: {count_noun(images, 'image')} of {size} x {size} pixels")
    print_line(f"netdissect data check {out}")


add_prepare_command(data)
add_import_commands(data)


def print_build_result(result: BuildResult) -> None:
    """Print what a build made, what it left out, and the command that checks it."""
    if result.is_new:
        print_line(
            f"{result.folder}: {count_noun(result.images, 'image')}, {count_noun(result.concepts, 'concept')} in "
            f"{', '.join(result.categories)}"
        )
        if result.unused:
            shown = ", ".join(result.unused[:6])
            more = f" and {len(result.unused) - 6} more" if len(result.unused) > 6 else ""
            print_line(f"left out as too rare or too small: {shown}{more} (label_assignment.csv lists every label)")
    print_line(f"netdissect data check {result.folder}")


def _find_color_table(word: str | None, *, quiet: bool) -> Path | None:
    """Return the file of the published table of color names; ``fetch`` downloads it."""
    if word != "fetch":
        return None if word is None else Path(word)
    from netdissect.probe_sets.download.paths import get_data_folder

    folder = get_data_folder()
    if not (folder / "w2color.npy").is_file():
        download_entries(["color-names"], folder, None, networks=False, keep=False, quiet=quiet)
    return folder / "w2color.npy"


def _print_check_report(report: CheckReport) -> None:
    """Print how many images and concepts a probe set has, and a table of its categories."""
    from rich.table import Table

    splits = ", ".join(f"{name} {count:,}" for name, count in sorted(report.splits.items()))
    print_line(
        f"{report.folder}: {count_noun(report.images, 'image')} ({splits}), {count_noun(report.concepts, 'concept')}"
    )
    for what, sizes in (("images", report.sizes), ("label maps", report.label_sizes)):
        shown = [f"{width} x {height}" for height, width in sorted(sizes, key=lambda size: -sizes[size])]
        print_line(f"{what}: {', '.join(shown[:4])}{f' and {len(shown) - 4} other sizes' if len(shown) > 4 else ''}")
    if report.groups:
        print_line(
            f"{count_noun(sum(report.groups.values()), 'image belongs', 'images belong')} to {count_noun(len(report.groups), 'group')}"
        )
    if report.copies:
        print_line(
            f"{count_noun(sum(report.copies), 'image is a copy', 'images are copies')} of {count_noun(len(report.copies), 'image')}"
        )
    if report.unlabeled_images:
        print_line(
            f"{count_noun(report.unlabeled_images, 'image')} more have no label at all and are left out of every dissection"
        )
    table = Table(box=None, pad_edge=False)
    for heading in ("category", "concepts", "images", "unlabeled", "largest", "rarest"):
        right = heading in ("concepts", "images", "unlabeled")
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for category in report.categories:
        rare = sorted(category.uses, key=lambda use: (use.images, use.share))[:3]
        table.add_row(
            format_cell(category.name), f"{len(category.uses) + len(category.absent):,}", f"{category.images:,}",
            f"{100 * category.unlabeled:.1f} %",
            format_cell(", ".join(f"{use.name} {100 * use.share:.1f} %" for use in category.uses[:3])),
            format_cell(", ".join(f"{use.name} ({use.images:,})" for use in rare)),
        )  # fmt: skip
    print_table(table)
    print_line(f"{100 * report.unlabeled:.1f} % of all pixels carry no label but a color")
    for category in report.categories:
        if category.absent:
            names = ", ".join(category.absent[:5])
            more = f" and {len(category.absent) - 5} more" if len(category.absent) > 5 else ""
            print_line(f"listed in {category.name}, but in no label map at this size: {names}{more}")
