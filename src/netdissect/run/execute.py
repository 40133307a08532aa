"""Carry out a run: lock its folder, keep its intermediate results, and collect its result.

A run with a folder keeps every finished shard there until it succeeds, under a hash of everything that decides the
result. The same command continues from those shards; another never uses them.
"""

from __future__ import annotations

import contextlib
import os
import platform
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import torch

import netdissect
from netdissect.engine.dissect import dissect_layers, make_plan
from netdissect.engine.row_threads import RowThreads
from netdissect.engine.worker_context import WorkerContext
from netdissect.io.text import make_writable
from netdissect.probe_sets.decoded import DecodedProbeSet, decode_once
from netdissect.results import run_folder, run_match
from netdissect.results.run_folder import WORK
from netdissect.results.run_result import NetworkCard, ProbeSetCard, Result
from netdissect.results.scores import find_score
from netdissect.run.memory_budget import find_memory_budget
from netdissect.run.workers import SHARED_FOLDER_KEY, ContextSetup, CountingRuntime, start_workers
from netdissect.runtime.array_store import Store
from netdissect.runtime.worker_processes import InProcessRuntime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from netdissect.engine.dissect import DissectionOutcome
    from netdissect.layers import Layer
    from netdissect.protocols import ConceptSource, Progress
    from netdissect.run.prepared_run import PreparedRun


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
        alone = settings.runtime == "local" and settings.workers == 1
        store = _open_store(run, lock, stack, alone=alone)
        runtime = (
            _run_in_process(run, store, progress, stack)
            if alone
            else _run_with_workers(run, store, progress, stack, shards=len(plan.shards))
        )
        parts = 1 if alone else 4 * settings.workers
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


def _open_store(run: PreparedRun, lock: RunLock, stack: contextlib.ExitStack, *, alone: bool) -> Store:
    """Open the store of the run's intermediate results."""
    where = _locate_artifacts(run, lock.folder)
    if where is None and not alone:
        where = stack.enter_context(tempfile.TemporaryDirectory(prefix="netdissect-"))
    store = stack.enter_context(Store(where, budget=find_memory_budget(run.settings) if alone else 0))
    if run.settings.artefacts is not None:
        if lock.fresh:
            store.clear()
        lock.on_success.append(store.clear)
    return store


def _run_in_process(
    run: PreparedRun, store: Store, progress: Progress, stack: contextlib.ExitStack
) -> InProcessRuntime:
    settings = run.settings
    threads = stack.enter_context(RowThreads(settings.threads or os.cpu_count() or 1))
    if settings.threads is not None:
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(settings.threads)
    stack.enter_context(run.source)
    concepts, ahead = keep_labels_ahead(run.concepts, run.device.type, find_memory_budget(settings) // 4, stack)
    return InProcessRuntime(WorkerContext(run.source, concepts, threads, store, progress.advance, labels_ahead=ahead))


def keep_labels_ahead(
    concepts: ConceptSource, device: str, memory: int, stack: contextlib.ExitStack
) -> tuple[ConceptSource, bool]:
    """Return the probe set, and whether labels are read during the scan and kept for the tally.

    They are on a GPU, because the cores have time while it scans; on a CPU the network needs them.

    Args:
        concepts: the probe set.
        device: kind of device, such as ``"cpu"``.
        memory: bytes of labels to keep; those beyond are read again.
        stack: removes what was kept.
    """
    if device == "cpu":
        return concepts, False
    if isinstance(concepts, DecodedProbeSet):  # a series keeps them anyway
        return concepts, True
    return stack.enter_context(decode_once(concepts, memory, labels_only=True)), True


def _run_with_workers(
    run: PreparedRun, store: Store, progress: Progress, stack: contextlib.ExitStack, *, shards: int
) -> CountingRuntime:
    settings = run.settings
    store.put(SHARED_FOLDER_KEY, {})
    setup = ContextSetup(
        run.network,
        run.layers,
        run.input_size,
        settings.geometry,
        run.device,
        run.execution,
        run.concepts,
        store.folder,
    )
    workers = start_workers(setup, min(settings.workers, shards), settings, run.cluster)
    stack.callback(workers.close)
    return CountingRuntime(workers, progress)


def _collect_result(run: PreparedRun, outcome: DissectionOutcome, journal: Mapping[str, Any]) -> Result:
    """Return the engine's outcome with the run's network, probe set and settings, and the names of the exemplar images."""
    network, concepts = run.network, run.concepts
    positions = {concepts.row(index): index for index in range(len(concepts))}
    rows = sorted({int(row) for layer in outcome.layers.values() for row in layer.exemplars.images.ravel() if row >= 0})
    return Result(
        outcome.layers,
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
    if folder is None and settings.artefacts is None:
        return None
    key = run_folder.hash_facts({
        **run.facts,
        "shard size": settings.shard_size,
        "device": run.device.type,
        "versions": [netdissect.__version__, torch.__version__],
    })  # fmt: skip
    if settings.artefacts is not None:
        return f"{settings.artefacts.rstrip('/')}/{key}"
    assert folder is not None
    return folder / WORK / key
