"""Carry out a run: lock its folder, keep its intermediate results, and collect its result.

A run with a folder keeps every finished shard there until it succeeds, under a hash of everything that decides the
result. The same command continues from those shards; another never uses them.
"""

from __future__ import annotations

import contextlib
import platform
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import torch

import netdissect
from netdissect.engine.dissect import dissect_layers, make_plan
from netdissect.io.text import make_writable
from netdissect.results import run_folder, run_match
from netdissect.results.run_folder import WORK
from netdissect.results.run_layers import Layers
from netdissect.results.run_result import NetworkCard, ProbeSetCard, Result
from netdissect.results.scores import find_score
from netdissect.run.memory_budget import find_memory_budget
from netdissect.run.run_runtime import open_runtime, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from netdissect.config import Settings
    from netdissect.engine.dissect import DissectionOutcome
    from netdissect.layers import Layer
    from netdissect.protocols import Progress
    from netdissect.run.prepared_run import PreparedRun
    from netdissect.runtime.array_store import Store


@dataclass(frozen=True)
class RunLock:
    """The lock on a run's folder.

    Attributes:
        folder: the run's folder; None for a run without one.
        fresh: whether intermediate results of an earlier run are removed.
        finished: the result, if the folder holds this run and it is finished.
        on_success: called when the run has succeeded.
    """

    folder: Path | None
    fresh: bool
    finished: Result | None = None
    on_success: list[Callable[[], None]] = field(default_factory=list)


@contextlib.contextmanager
def lock_run(folder: Path | None, prepared: PreparedRun, *, fresh: bool) -> Iterator[RunLock]:
    """Return a context manager that locks a run's folder.

    If the block succeeds, the intermediate results are removed, unless ``keep`` is set.

    Args:
        folder: the folder, if the run has one.
        prepared: the run.
        fresh: whether an earlier run there is removed first.

    Raises:
        FolderTakenError: if it holds another run, or something that is not a run.
        RunBusyError: if another process has locked it.
    """
    with contextlib.ExitStack() as stack:
        finished = None
        if folder is not None:
            files = stack.enter_context(run_folder.lock_run_folder(folder))
            finished = run_match.load_or_start(folder, files, prepared.facts, prepared.settings.threshold, fresh=fresh)
        lock = RunLock(folder, fresh, finished)
        yield lock
        if not prepared.settings.keep:
            if folder is not None:
                run_folder.remove_work(folder)
            for clear in lock.on_success:
                clear()


def execute_run(run: PreparedRun, lock: RunLock, progress: Progress) -> Result:
    """Dissect the layers of a run, in this process or with the workers that its settings name.

    Args:
        run: the run.
        lock: the lock on its folder, where finished shards are kept; without a folder they are kept in memory.
        progress: shows how far the work is.
    """
    started = time.perf_counter()
    settings, source, concepts = run.settings, run.source, run.concepts
    with contextlib.ExitStack() as stack:
        plan = make_plan(source.layers, len(concepts), settings)
        store = _open_store(run, lock, stack)
        runtime, parts = open_runtime(run, store, progress, stack, shards=len(plan.shards))
        outcome = dissect_layers(
            runtime, store, source.layers, concepts, plan, settings, progress, score=find_score(settings.score),
            table_memory=find_memory_budget(settings) // 4, tally_parts=parts,
        )  # fmt: skip
        notes = [
            *run.notes,
            *_note_resumed(outcome, len(plan.shards)),
            *_collect_layer_notes(source.layers),
            *_note_rescans(outcome),
            *outcome.notes,
        ]
        return _collect_result(run, outcome, {
            "versions": {
                "netdissect": netdissect.__version__,
                "python": platform.python_version(),
                "torch": torch.__version__,
            },
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - started, 2),
            "rescanned_units": outcome.rescanned,
            "skipped_images": {concepts.image_name(image): why for image, why in outcome.skipped.items()},
            "resumed_shards": outcome.resumed,
            "spilled_bytes": store.written_bytes,
            "notes": notes,
        })  # fmt: skip


def _open_store(run: PreparedRun, lock: RunLock, stack: contextlib.ExitStack) -> Store:
    """Open the store of the run's intermediate results."""
    store = open_store(run.settings, _locate_artifacts(run, lock.folder), stack)
    if run.settings.artifacts is not None:
        if lock.fresh:
            store.clear()
        lock.on_success.append(store.clear)
    return store


def _collect_result(run: PreparedRun, outcome: DissectionOutcome, journal: Mapping[str, Any]) -> Result:
    """Return the engine's outcome with the run's network, probe set and settings, and the names of the exemplar images."""
    network, concepts = run.network, run.concepts
    positions = {concepts.row(index): index for index in range(len(concepts))}
    rows = sorted({int(row) for layer in outcome.layers.values() for row in layer.exemplar_rows})
    return Result(
        Layers(outcome.layers),
        run.settings,
        NetworkCard(
            make_writable(network.name), make_writable(network.source), run.fingerprint, run.input_size,
            network.preprocess.describe(),
        ),
        ProbeSetCard(
            make_writable(concepts.name), make_writable(concepts.path), concepts.fingerprint, outcome.images,
            concepts.image_size, concepts.label_size(0), concepts.vocabulary,
        ),
        {row: make_writable(concepts.image_name(positions[row])) for row in rows},
        journal,
    )  # fmt: skip


def _note_resumed(outcome: DissectionOutcome, shards: int) -> list[str]:
    """Return a note on how many shards an earlier call had finished; the calibration sample is a shard too."""
    if not outcome.resumed:
        return []
    return [f"{outcome.resumed + 1} of {shards} shards were finished by an earlier call and were used again"]


def _collect_layer_notes(layers: Sequence[Layer]) -> list[str]:
    """Return the layers' notes, each with the layers that share it."""
    sharing: dict[str, list[str]] = {}
    for layer in layers:
        if layer.note:
            sharing.setdefault(layer.note, []).append(layer.name)
    return [f"{', '.join(names)}: {note}" for note, names in sharing.items()]


def _note_rescans(outcome: DissectionOutcome) -> list[str]:
    """Return notes on which layers were scanned again, and for how many units."""
    return [
        f"{name}: {len(units)} unit(s) were scanned again: the bound that the first sample gave proved too high"
        for name, units in outcome.rescanned.items()
    ]


def _locate_artifacts(run: PreparedRun, folder: Path | None) -> Path | str | None:
    """Return the folder or URL of the run's intermediate results: below a hash of everything that decides them."""
    settings = run.settings
    if folder is None and settings.artifacts is None:
        return None
    key = name_artifacts(run.facts, settings, run.device.type, netdissect.__version__, torch.__version__)
    if settings.artifacts is not None:
        return f"{settings.artifacts.rstrip('/')}/{key}"
    assert folder is not None
    return folder / WORK / key


def name_artifacts(facts: Mapping[str, Any], settings: Settings, device: str, *versions: str) -> str:
    """Return the name of the folder of a run's intermediate results: a hash of everything that decides them.

    Args:
        facts: everything that decides the run's result.
        settings: of the run.
        device: kind of device, such as ``"cpu"``.
        versions: of this package and of torch.
    """
    return run_folder.hash_facts({
        **facts, "shard size": settings.shard_size, "device": device, "versions": list(versions)
    })  # fmt: skip
