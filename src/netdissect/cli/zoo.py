"""``netdissect zoo``: the networks of the paper, listed and downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from netdissect.cli.console import print_line
from netdissect.cli.data import download_entries, print_registry_entries

zoo = App(name="zoo", help="The paper's networks: list, download.")

_Flag = Parameter(negative="")


@zoo.command(name="list")
def list_(*, into: Path | None = None, registry: Path | None = None) -> None:
    """List the networks that can be downloaded.

    Args:
        into: where they lie; NETDISSECT_ZOO or zoo/ if not given.
        registry: a registry file of yours, on top of the built-in one.
    """
    from netdissect.probe_sets.download.entries import is_downloaded
    from netdissect.probe_sets.download.paths import get_zoo_folder
    from netdissect.probe_sets.download.registry import load_registry

    entries = load_registry(registry)
    folder = get_zoo_folder(into)
    chosen = [entry for entry in entries.values() if entry.kind == "network"]
    print_registry_entries(chosen, {entry.name for entry in chosen if is_downloaded(entry, entries, folder)})
    print_line()
    print_line(f"netdissect zoo download NAME fetches one to {folder}/; netdissect run {folder}/NAME … dissects it.")


@zoo.command
def download(
    names: Annotated[list[str], Parameter(negative_iterable="")],
    /,
    *,
    into: Path | None = None,
    registry: Path | None = None,
    quiet: Annotated[bool, _Flag] = False,
) -> None:
    """Download networks. A call that was interrupted goes on when it is made again.

    Args:
        names: as netdissect zoo list shows them; all stands for every one, example for the released code's example.
        into: where they go; NETDISSECT_ZOO or zoo/ if not given.
        registry: a registry file of yours, on top of the built-in one.
        quiet: show no progress.
    """
    from netdissect.probe_sets.download.paths import get_zoo_folder

    download_entries(names, get_zoo_folder(into), registry, networks=True, keep=True, quiet=quiet)
