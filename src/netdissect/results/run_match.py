"""Decide whether a folder holds the requested run, another run, or no finished run."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from netdissect.config import LEFT_TO_THE_RUN
from netdissect.errors import FolderTakenError, RunFileError, SettingsError
from netdissect.io.text import escape_line
from netdissect.results import files, run_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from netdissect.config import Settings
    from netdissect.results.run_result import Result

_LOG = logging.getLogger("netdissect")
#: Batch sizes of runs that recorded no choices.
_EARLIER_BATCH_SIZES = ("8", "32")


def collect_facts(
    network: str, layers: Sequence[str], probe_set: str, settings: Settings, size: Sequence[int]
) -> dict[str, Any]:
    """Return everything that decides a run's result, as plain values.

    Args:
        network: the network's fingerprint.
        layers: names of the probed layers.
        probe_set: the probe set's fingerprint.
        settings: all settings, with those that are left to the run chosen.
        size: height and width of the network's input.
    """
    return {
        "network": network,
        "layers": list(layers),
        "probe set": probe_set,
        "settings": settings.as_method_dict(),
        "input": list(size),
    }


def adopt_choices(
    folder: Path, settings: Settings, collect: Callable[[Settings], Mapping[str, Any]]
) -> Settings | None:
    """Return the settings with the choices of the run in a folder, if that is the requested run; else None.

    A run that is continued keeps its batch size, wherever it is continued.

    Args:
        folder: the run's folder; it may be missing.
        settings: all settings; those in `LEFT_TO_THE_RUN` may be left to the run.
        collect: returns the facts of the requested run with given settings.
    """
    found = run_folder.RunFiles(folder)
    recorded = [found.choices] if found.choices else [{"batch_size": size} for size in _EARLIER_BATCH_SIZES]
    for choices in recorded if found.run else []:
        with contextlib.suppress(SettingsError):  # a damaged list records no choice
            chosen = replace(settings, **_parse_choices(choices, settings))
            if run_folder.hash_facts(collect(chosen)) == found.run:
                return chosen
    return None


def _parse_choices(words: Mapping[str, str], settings: Settings) -> dict[str, Any]:
    """Return the recorded values of the settings that are left to the run."""
    return {
        name: int(word) if word.isdigit() else word
        for name, word in {"linear": "torch", **words}.items()  # torch's linear layers leave no word
        if name in LEFT_TO_THE_RUN and getattr(settings, name) == LEFT_TO_THE_RUN[name]
    }


def _list_choices(requested: Mapping[str, Any]) -> dict[str, str]:
    """Return what was chosen for the settings that can be left to a run."""
    return {name: str(value) for name, value in requested["settings"].items() if name in LEFT_TO_THE_RUN}


def load_or_start(
    folder: Path, run_files: run_folder.RunFiles, requested: Mapping[str, Any], threshold: float, *, fresh: bool
) -> Result | None:
    """Return the requested run if a folder holds it, finished; else start it there and return None.

    Args:
        folder: the folder, locked.
        run_files: its list of files.
        requested: the facts of the requested run (`collect_facts`).
        threshold: score from which a unit counts as a detector.
        fresh: whether the run in the folder is removed first.

    Raises:
        FolderTakenError: if the folder holds another run that is finished or has finished shards.
    """
    identity = run_folder.hash_facts(requested)
    if fresh:
        run_files.remove(files.list_table_files(folder))
        run_folder.remove_work(folder)
    elif (folder / "run.json").exists():
        found = _load_finished(folder, run_files, identity)
        if found is not None:
            _require_same_run(folder, found, requested, threshold)
            return found
    elif run_files.run not in ("", identity) and run_folder.has_finished_shards(folder):
        raise FolderTakenError(
            f"{folder} holds finished shards of an interrupted run with another network, layers, probe set or settings: --fresh "
            f"removes them, or choose another --out"
        )
    if run_files.run != identity:
        run_files.remove()
        run_folder.remove_work(folder)
    run_files.start(identity, _list_choices(requested))
    return None


def claim_folder(folder: Path, run_files: run_folder.RunFiles, run: Result) -> None:
    """Start a finished run in a locked folder, before it is saved there.

    Raises:
        FolderTakenError: if the folder holds another run.
    """
    requested = collect_facts(
        run.network.fingerprint, list(run.layers), run.probe_set.fingerprint, run.settings, run.network.input_size
    )
    found = (
        _load_finished(folder, run_files, run_folder.hash_facts(requested)) if (folder / "run.json").exists() else None
    )
    if found is not None:
        _require_same_run(folder, found, requested, found.settings.threshold)
    run_files.start(run_folder.hash_facts(requested), _list_choices(requested))


def _load_finished(folder: Path, run_files: run_folder.RunFiles, identity: str) -> Result | None:
    """Return the finished run of a folder; None if it is the requested one and damaged."""
    try:
        return files.load_run(folder)
    except RunFileError as error:
        if run_files.run not in ("", identity):
            raise FolderTakenError(
                f"{folder} holds another run, which is damaged: --fresh replaces it, or choose another --out"
            ) from error
        _LOG.info("%s: it is computed again", str(error).removesuffix("; run it again"))
        return None


def _require_same_run(folder: Path, found: Result, requested: Mapping[str, Any], threshold: float) -> None:
    """Raise a FolderTakenError that says what differs if a folder's finished run is not the requested one."""
    found_facts = collect_facts(
        found.network.fingerprint, list(found.layers), found.probe_set.fingerprint, found.settings,
        found.network.input_size,
    )  # fmt: skip
    differs = []
    if found_facts["network"] != requested["network"]:
        differs.append(f"of {found.network.name} with other weights, structure or preprocessing")
    if found_facts["layers"] != requested["layers"]:
        differs.append(f"of the layers {', '.join(found_facts['layers'])} (not {', '.join(requested['layers'])})")
    if found_facts["probe set"] != requested["probe set"]:
        differs.append(f"over another probe set, {found.probe_set.name}")
    differs += [
        f"with --{name.replace('_', '-')} {getattr(found.settings, name)} (not {requested['settings'].get(name)})"
        for name in dict.fromkeys([*found_facts["settings"], *requested["settings"]])
        if found_facts["settings"].get(name) != requested["settings"].get(name)
    ]
    if found_facts["input"] != requested["input"] and not differs:
        differs.append(f"with an input of {found.network.input_size[1]} x {found.network.input_size[0]}")
    if differs:
        raise FolderTakenError(
            f"{folder} holds another run, {', '.join(escape_line(word) for word in differs)}: --fresh replaces it, or "
            f"choose another --out"
        )
    if found.settings.threshold != threshold:
        raise FolderTakenError(
            f"{folder} holds this run with --threshold {found.settings.threshold:g}: netdissect report {folder} "
            f"--threshold {threshold:g} draws it with {threshold:g}, or choose another --out"
        )
