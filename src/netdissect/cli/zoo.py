"""``netdissect zoo``: list and download the networks of the paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from netdissect.cli.console import print_line
from netdissect.cli.downloads import OwnRegistry, download_entries, print_registry
from netdissect.cli.option_groups import OPTIONS, SWITCH, describe_default

zoo = App(name="zoo", help="List and download the paper's networks.", group_parameters=OPTIONS)

_Into = Annotated[Path | None, describe_default("NETDISSECT_ZOO or zoo/")]


@zoo.command(name="list")
def list_(*, into: _Into = None, registry: OwnRegistry = None) -> None:
    """List the networks that can be downloaded.

    Args:
        into: Folder of downloaded networks.
        registry: Registry file of your own, read on top of the built-in one.
    """
    from netdissect.probe_sets.download.paths import get_zoo_folder

    folder = get_zoo_folder(into)
    print_registry(registry, folder, networks=True)
    print_line(f"netdissect zoo download NAME downloads one to {folder}/; netdissect run {folder}/NAME … dissects it.")


@zoo.command
def download(
    names: Annotated[list[str], Parameter(negative_iterable="")],
    /,
    *,
    into: _Into = None,
    registry: OwnRegistry = None,
    quiet: Annotated[bool, SWITCH] = False,
) -> None:
    """Download networks; the same command resumes an interrupted download.

    Args:
        names: Names that netdissect zoo list shows; all for every network, example for the released code's example.
        into: Folder of downloaded networks.
        registry: Registry file of your own, read on top of the built-in one.
        quiet: Show no progress.
    """
    from netdissect.probe_sets.download.paths import get_zoo_folder

    download_entries(names, get_zoo_folder(into), registry, networks=True, keep=True, quiet=quiet)
