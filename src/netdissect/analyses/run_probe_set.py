"""Open the probe set of a finished run again, and check that it is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect import arguments
from netdissect.errors import DataNotFoundError, SettingsError
from netdissect.io.text import escape_line
from netdissect.protocols import ConceptSource

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.results.run_result import Result


def open_run_probe_set(run: Result, data: str | Path | ConceptSource | None) -> ConceptSource:
    """Return the probe set that a run was made over, with the run's split and limit.

    Args:
        run: the run.
        data: the probe set, as for `netdissect.dissect`; None takes the one that the run names, if it is still there.

    Raises:
        DataNotFoundError: if `data` is None, and the run's probe set is not where it was or has changed.
        SettingsError: if it is not the run's.
        NetdissectError: one of its subclasses, if the probe set cannot be opened.
    """
    card = run.probe_set
    if data is None:
        found = run.open_probe_set()
        if found is None:
            where = f" at {escape_line(card.path)}" if card.path else ""
            raise DataNotFoundError(
                f"the probe set of this run, {escape_line(card.name)}, is not{where} any more or has changed: name it with --data"
            )
        return found
    concepts = _open_given(run, data)
    if concepts.fingerprint != card.fingerprint:
        raise SettingsError(
            f"{escape_line(concepts.path or concepts.name)} is not the probe set of this run, {escape_line(card.name)}, or has "
            f"changed since: give the one that it was made over{_describe_selection(run)}"
        )
    return concepts


def _open_given(run: Result, data: str | Path | ConceptSource) -> ConceptSource:
    """Open a probe set with the run's split and limit; one that is open already may have them."""
    if isinstance(data, ConceptSource) and data.fingerprint == run.probe_set.fingerprint:
        return data
    return arguments.open_selected_probe_set(data, run.settings)[0]


def _describe_selection(run: Result) -> str:
    """Return in words which images of the probe set the run took; empty for all."""
    parts = [
        f"{name} {value}" for name, value in (("split", run.settings.split), ("limit", run.settings.limit)) if value
    ]
    return f" ({', '.join(parts)})" if parts else ""
