"""Start what carries out a run's tasks, in this process or in workers, and open the store that they share."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import torch

from netdissect.engine.row_threads import RowThreads
from netdissect.engine.worker_context import WorkerContext
from netdissect.probe_sets.decoded import DecodedProbeSet, decode_once
from netdissect.run.memory_budget import find_memory_budget
from netdissect.run.workers import SHARED_FOLDER_KEY, ContextSetup, CountingRuntime, start_workers
from netdissect.runtime.array_store import Store
from netdissect.runtime.worker_processes import InProcessRuntime

if TYPE_CHECKING:
    import contextlib
    from pathlib import Path

    from netdissect.config import Settings
    from netdissect.protocols import ConceptSource, Progress
    from netdissect.run.prepared_run import PreparedRun


def open_store(settings: Settings, where: Path | str | None, stack: contextlib.ExitStack) -> Store:
    """Open a store of intermediate results.

    Args:
        settings: how many workers share it, and how much stays in the memory of a single one.
        where: its folder or URL; None for a temporary one.
        stack: closes it, and removes a temporary folder.
    """
    alone = _is_alone(settings)
    if where is None and not alone:
        where = stack.enter_context(tempfile.TemporaryDirectory(prefix="netdissect-"))
    return stack.enter_context(Store(where, budget=find_memory_budget(settings) if alone else 0))


def open_runtime(
    run: PreparedRun, store: Store, progress: Progress, stack: contextlib.ExitStack, *, shards: int
) -> tuple[InProcessRuntime | CountingRuntime, int]:
    """Start what carries out a run's tasks: this process, or the workers that its settings name.

    Args:
        run: the run.
        store: where intermediate results are kept.
        progress: shows how far the work is.
        stack: ends the workers.
        shards: number of shards; more workers are not started.

    Returns:
        the runtime, and the number of parts that a tally is divided into.
    """
    if _is_alone(run.settings):
        return _run_in_process(run, store, progress, stack), 1
    return _run_with_workers(run, store, progress, stack, shards=shards), 4 * run.settings.workers


def _is_alone(settings: Settings) -> bool:
    """Return whether this process does all the work."""
    return settings.runtime == "local" and settings.workers == 1


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
