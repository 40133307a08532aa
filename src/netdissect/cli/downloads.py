"""List and download entries of the registry, for ``netdissect data`` and ``netdissect zoo``."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from netdissect.cli.console import print_line, stdout
from netdissect.cli.option_groups import describe_default
from netdissect.progress import show_progress

if TYPE_CHECKING:
    from netdissect.probe_sets.download.registry import RegistryEntry

#: An option of ``list`` and ``download``: a registry of the user's own.
OwnRegistry = Annotated[Path | None, describe_default("only the built-in one")]

_HEADINGS = {
    "probe set": "Probe sets", "source": "Sources of Broden", "table": "Tables", "network": "Networks",
}  # fmt: skip
#: Narrowest column that text is wrapped to, in characters.
_MIN_WIDTH = 20


def print_registry(registry: Path | None, folder: Path, *, networks: bool) -> None:
    """Print the registry's networks, or all its other entries, and mark those that are downloaded.

    Args:
        registry: a registry file read on top of the built-in one.
        folder: the folder of downloads.
        networks: whether to print the networks, or all other entries.
    """
    from netdissect.probe_sets.download.entries import is_downloaded
    from netdissect.probe_sets.download.registry import load_registry

    entries = load_registry(registry)
    chosen = [entry for entry in entries.values() if (entry.kind == "network") == networks]
    _print_entries(chosen, {entry.name for entry in chosen if is_downloaded(entry, entries, folder)})
    print_line()


def download_entries(
    names: list[str], folder: Path, registry: Path | None, *, networks: bool, keep: bool, quiet: bool
) -> None:
    """Download entries of the registry, one after the other.

    Args:
        names: names of entries, or of groups of entries.
        folder: the folder of downloads.
        registry: a registry file read on top of the built-in one.
        networks: whether the names are those of networks.
        keep: whether to keep archives after unpacking.
        quiet: whether to hide progress.
    """
    from netdissect.probe_sets.download.entries import download_entry
    from netdissect.probe_sets.download.groups import expand_names
    from netdissect.probe_sets.download.registry import find_entry, load_registry

    entries = load_registry(registry)
    names = expand_names(names, entries, networks=networks)
    for name in names:
        find_entry(entries, name, networks=networks)
    for name in names:
        entry = entries[name]
        print_line(f"{entry.name}: {entry.about}. License: {entry.license}. Cite: {entry.citation}.")
        if entry.note:
            print_line(f"{entry.name}: {entry.note}.")
        with show_progress(not quiet) as bars:
            for path in download_entry(name, entries, folder, keep=keep, progress=bars, say=print_line):
                print_line(f"{name}: {path}")


def _print_entries(entries: list[RegistryEntry], downloaded: set[str]) -> None:
    """Print entries in groups, one line each; on a terminal, lines are wrapped, but never within a name."""
    from netdissect.probe_sets.download.transfer import format_bytes

    longest = max(len(entry.name) for entry in entries)
    sizes = {entry.name: "" if entry.size is None else format_bytes(entry.size) for entry in entries}
    widest = max(map(len, sizes.values()))
    marks = 4 if downloaded else 0
    indent = 2 + longest + 2 + (widest + 2 if widest else 0) + (marks + 2 if marks else 0)
    for kind in dict.fromkeys(entry.kind for entry in entries):
        print_line(_HEADINGS[kind], bold=True)
        for entry in (entry for entry in entries if entry.kind == kind):
            columns = [f"  {entry.name:<{longest}}"]
            columns += [f"{sizes[entry.name]:>{widest}}"] if widest else []
            columns += [f"{'here' if entry.name in downloaded else '':<{marks}}"] if marks else []
            terms = f"license: {entry.license}{f'; note: {entry.note}' if entry.note else ''}"
            if stdout.is_terminal:
                _print_wrapped("  ".join(columns), entry.about, terms, indent)
            else:
                print_line("  ".join([*columns, f"{entry.about}; {terms}"]))


def _print_wrapped(columns: str, about: str, terms: str, indent: int) -> None:
    """Print an entry as wide as the terminal, its text indented and its license dim."""
    width = max(_MIN_WIDTH, stdout.width - indent)
    first, *rest = textwrap.wrap(about, width)
    print_line(f"{columns}  {first}")
    for line in rest:
        print_line(" " * indent + line)
    for line in textwrap.wrap(terms, width):
        print_line(" " * indent + line, dim=True)
