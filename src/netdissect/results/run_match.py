"""Which run lies in a folder: the same that is asked for, another one, or none that is finished."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from netdissect.errors import FolderTakenError, RunFileError
from netdissect.io.text import escape_line
from netdissect.results import files
from netdissect.results import run_folder as place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdissect.config import Settings
    from netdissect.results.run_result import Result

_LOG = logging.getLogger("netdissect")


def collect_facts(
    network: str, layers: Sequence[str], probe_set: str, settings: Settings, size: Sequence[int]
) -> dict[str, Any]:
    """Return everything that makes a run this one, as plain values: runs of the same facts have the same result.

    Args:
        network: its fingerprint.
        layers: names of its probed layers.
        probe_set: its fingerprint.
        settings: as they were decided for the device.
        size: height and width of the network's input.
    """
    return {
        "network": network,
        "layers": list(layers),
        "probe set": probe_set,
        "settings": settings.method_dict(),
        "input": list(size),
    }


def load_or_start(
    folder: Path, written: place.RunFiles, asked: Mapping[str, Any], threshold: float, *, fresh: bool
) -> Result | None:
    """Return the run that is asked for if it lies in a folder, finished; else make the folder this run's.

    Args:
        folder: the folder, held.
        written: its record.
        asked: the `collect_facts` of the run that is asked for.
        threshold: IoU from which a unit counts as a detector.
        fresh: whether what lies there is removed first.

    Raises:
        FolderTakenError: if another run lies there, finished or with finished shards.
    """
    identity = place.hash_facts(asked)
    if fresh:
        written.remove(files.list_table_files(folder))
        place.remove_work(folder)
    elif (folder / "run.json").exists():
        found = _load_finished(folder, written, identity)
        if found is not None:
            _require_same_run(folder, found, asked, threshold)
            return found
    elif written.run not in ("", identity) and place.has_finished_shards(folder):
        raise FolderTakenError(
            f"{folder} holds what another run, with another network, layers, probe set or settings, had finished when it "
            f"was interrupted: --fresh removes it, or choose another --out"
        )
    if written.run != identity:
        written.remove()
        place.remove_work(folder)
    written.begin(identity)
    return None


def claim_folder(folder: Path, written: place.RunFiles, run: Result) -> None:
    """Make a held folder a run's that is at hand, finished.

    Raises:
        FolderTakenError: if another run lies there.
    """
    asked = collect_facts(
        run.network.fingerprint, list(run.layers), run.probe_set.fingerprint, run.settings, run.network.input_size
    )
    found = _load_finished(folder, written, place.hash_facts(asked)) if (folder / "run.json").exists() else None
    if found is not None:
        _require_same_run(folder, found, asked, found.settings.threshold)
    written.begin(place.hash_facts(asked))


def _load_finished(folder: Path, written: place.RunFiles, identity: str) -> Result | None:
    """Return the finished run of a folder; None where it is this one and damaged."""
    try:
        return files.load_run(folder)
    except RunFileError as error:
        if written.run not in ("", identity):
            raise FolderTakenError(
                f"{folder} holds another run, which is damaged: --fresh replaces it wholly, or choose another --out"
            ) from error
        _LOG.info("%s: it is made again", str(error).removesuffix("; run it again"))
        return None


def _require_same_run(folder: Path, found: Result, asked: Mapping[str, Any], threshold: float) -> None:
    """Refuse a folder whose finished run is not the one that is asked for, and say what differs."""
    there = collect_facts(
        found.network.fingerprint, list(found.layers), found.probe_set.fingerprint, found.settings,
        found.network.input_size,
    )  # fmt: skip
    differs = []
    if there["network"] != asked["network"]:
        differs.append(f"of {found.network.name} with other weights, structure or preprocessing")
    if there["layers"] != asked["layers"]:
        differs.append(f"of the layers {', '.join(there['layers'])}")
    if there["probe set"] != asked["probe set"]:
        differs.append(f"over another probe set, {found.probe_set.name}")
    differs += [
        f"with --{name.replace('_', '-')} {value}"
        for name, value in there["settings"].items()
        if value != asked["settings"].get(name)
    ]
    if there["input"] != asked["input"] and not differs:
        differs.append(f"with an input of {found.network.input_size[1]} x {found.network.input_size[0]}")
    if differs:
        raise FolderTakenError(
            f"{folder} holds another run, {', '.join(escape_line(word) for word in differs)}: --fresh replaces it wholly, or "
            f"choose another --out"
        )
    if found.settings.threshold != threshold:
        raise FolderTakenError(
            f"{folder} holds this run with --threshold {found.settings.threshold:g}: netdissect report {folder} "
            f"--threshold {threshold:g} draws it with {threshold:g}, or choose another --out"
        )
