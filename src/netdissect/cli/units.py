"""``netdissect units``: which units see a concept, and which concepts no unit sees."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from netdissect.cli.console import print_json, print_line
from netdissect.cli.option_groups import describe_default
from netdissect.errors import SettingsError


def units(
    run: Path,
    /,
    *concepts: str,
    threshold: Annotated[float | None, describe_default("the run's")] = None,
    show_all: Annotated[bool, Parameter("--all", negative="")] = False,
    as_csv: Annotated[bool, Parameter("--csv", negative="")] = False,
    as_json: Annotated[bool, Parameter("--json", negative="")] = False,
    out: Annotated[Path | None, describe_default("printed")] = None,
) -> None:
    """Show which units of a finished run see a concept, how surely, and why no unit sees a concept.

    Units that have the concept as their label come first; then units that score higher with another concept. Without a CONCEPT,
    every concept of the probe set is listed: with its units, or with the reason why no unit detects it.

    Args:
        run: Run folder.
        concepts: Concepts as people write them; plurals, synonyms and other spellings are understood.
        threshold: Smallest score of a detector, an IoU by default.
        show_all: Show every line of long lists.
        as_csv: Print a CSV table, one line for each concept and unit.
        as_json: Print JSON, a list of concepts with their units.
        out: File to write instead; its ending says which kind: .csv, .json or .txt.
    """
    from netdissect.api import load

    if as_csv and as_json:
        raise SettingsError("--csv and --json are two kinds of output: give one of them")
    found = load(run).find(*concepts, threshold=threshold)
    if out is not None:
        found.write(out, "csv" if as_csv else "json" if as_json else None)
        print_line(f"{len(found):,} concepts: {out}")
    elif as_json:
        print_json(found.to_json())
    else:
        for line in found.to_csv().splitlines() if as_csv else found.describe(None if show_all else 20):
            print_line(line)
