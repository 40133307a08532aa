"""``netdissect doctor``: what is installed, what the machine has, and what works."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from netdissect.cli.console import print_json, print_line


def doctor(
    *,
    as_json: Annotated[bool, Parameter("--json", negative="")] = False,
    import_all: Annotated[bool, Parameter("--all", negative="")] = False,
) -> None:
    """Show what is installed, what the machine has, and what works; paste it into a question or a bug report.

    Home folders and the user's name are left out.

    Args:
        as_json: Print JSON.
        import_all: Import every optional library, also those that take long.
    """
    from netdissect.installation import diagnose

    found = diagnose(import_all=import_all)
    if as_json:
        print_json(found.as_dict())
        return
    for line in found.describe():
        print_line(line)
