"""The masks of a finished run again: from the scans that it kept, or from another scan with its thresholds as bounds."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from netdissect.engine.calibrate import Bounds
from netdissect.engine.dissect import make_plan
from netdissect.engine.layer_scans import scan_missing
from netdissect.engine.row_threads import RowThreads
from netdissect.engine.scan import LayerRequest
from netdissect.engine.tasks import ScanTask, find_receipt
from netdissect.engine.worker_context import WorkerContext
from netdissect.errors import RunFileError, root_message
from netdissect.io import atomic
from netdissect.results import run_match
from netdissect.results.record_values import check_whole_number
from netdissect.results.run_folder import WORK, hash_facts
from netdissect.run.execute import name_artifacts
from netdissect.run.run_runtime import open_runtime, open_store
from netdissect.runtime.array_store import Store
from netdissect.runtime.main_program import require_importable_parts, require_importable_program
from netdissect.runtime.worker_processes import InProcessRuntime

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from netdissect.engine.comparison_plan import TaskRuntime
    from netdissect.engine.plan import Plan
    from netdissect.engine.tasks import ShardReceipt
    from netdissect.layers import Layer
    from netdissect.protocols import ActivationSource, ConceptSource, Progress
    from netdissect.results.run_result import Result
    from netdissect.run.prepared_run import PreparedRun


@dataclass(frozen=True, eq=False)
class FinishedScans:
    """Stored scans of all shards, and what tallies them.

    Attributes:
        runtime: runs the tasks; its workers' context is a WorkerContext.
        layers: the scanned layers.
        plan: the shards.
        receipts: the receipt of every shard.
        rescanned: units that were scanned again, by layer name.
        parts: number of parts that a tally is divided into.
    """

    runtime: TaskRuntime
    layers: Sequence[Layer]
    plan: Plan
    receipts: Mapping[int, ShardReceipt]
    rescanned: Mapping[str, NDArray[np.int64]]
    parts: int


@dataclass(frozen=True, eq=False)
class _RecordedLayers:
    """The layers of a finished run where only a tally needs them; there is no network."""

    layers: tuple[Layer, ...]
    input_size: tuple[int, int]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


@contextlib.contextmanager
def open_kept_scans(
    run: Result, folder: Path | None, concepts: ConceptSource, progress: Progress
) -> Iterator[FinishedScans | None]:
    """Return a context manager that opens the scans that a run kept in its folder; None if there are none.

    Args:
        run: the run.
        folder: its folder.
        concepts: its probe set.
        progress: shows how far tallies are.
    """
    layers = tuple(result.layer for result in run.layers.values())
    plan = make_plan(layers, len(concepts), run.settings)
    with contextlib.ExitStack() as stack:
        for path in _list_work_folders(run, folder):
            store = stack.enter_context(Store(path))
            found = {shard.number: find_receipt(store, shard, list(run.layers)) for shard in plan.shards}
            receipts = {number: receipt for number, receipt in found.items() if receipt is not None}
            if len(receipts) == len(found):
                threads = stack.enter_context(RowThreads(run.settings.threads or os.cpu_count() or 1))
                source = cast("ActivationSource", _RecordedLayers(layers, run.network.input_size))
                runtime = InProcessRuntime(WorkerContext(source, concepts, threads, store, progress.advance))
                yield FinishedScans(runtime, layers, plan, receipts, _read_rescanned(run), 1)
                return
        yield None


@contextlib.contextmanager
def scan_again(
    run: PreparedRun, thresholds: Mapping[str, NDArray[np.float32]], folder: Path | None, progress: Progress
) -> Iterator[FinishedScans]:
    """Return a context manager that scans all images with a finished run's thresholds as bounds.

    Inside the block, the scans are stored. In a folder, finished shards survive an interruption; they are removed when the
    block succeeds.

    Args:
        run: the run, prepared again.
        thresholds: T_k of every layer's units, float32, shape (U,).
        folder: the run's folder, locked; None keeps the scans in memory.
        progress: shows how many images are done.
    """
    require_importable_program(run.settings.local_workers)
    require_importable_parts(run.settings.local_workers, {"the network": run.network, "the probe set": run.concepts})
    layers, where = run.source.layers, None
    if folder is not None:
        hashed = {name: values.tobytes().hex() for name, values in thresholds.items()}
        where = folder / WORK / hash_facts({**run.facts, "device": run.device.type, "thresholds": hashed})
    with contextlib.ExitStack() as stack:
        plan = make_plan(layers, len(run.concepts), run.settings)
        store = open_store(run.settings, where, stack)
        runtime, parts = open_runtime(run, store, progress, stack, shards=len(plan.shards))
        none = np.zeros(0, np.int64)
        bounds = {name: Bounds(values, none) for name, values in thresholds.items()}
        task = ScanTask(bounds, LayerRequest(0, skip=run.settings.on_error == "skip"))
        names = [layer.name for layer in layers]
        receipts = {shard.number: find_receipt(store, shard, names) for shard in plan.shards}
        progress.start("scan", plan.images)
        scan_missing(runtime, task, plan.shards, receipts, progress)
        found = {number: receipt for number, receipt in receipts.items() if receipt is not None}
        yield FinishedScans(runtime, layers, plan, found, {}, parts)
        if where is not None:
            store.clear()


def _list_work_folders(run: Result, folder: Path | None) -> Iterator[Path]:
    """Yield the folders where a run may have kept its scans; one that its file names at another place is never opened."""
    if folder is None or run.settings.artifacts is not None:
        return
    recorded: Any = run.journal.get("versions")
    versions = recorded if isinstance(recorded, dict) else {}
    facts = run_match.collect_facts(
        run.network.fingerprint, list(run.layers), run.probe_set.fingerprint, run.settings, run.network.input_size
    )
    for device in ("cpu", "cuda"):
        name = name_artifacts(
            facts, run.settings, device, *(str(versions.get(name)) for name in ("netdissect", "torch"))
        )
        if atomic.is_real_folder(folder / WORK / name):
            yield folder / WORK / name


def _read_rescanned(run: Result) -> dict[str, NDArray[np.int64]]:
    """Return the units of every layer that the run scanned again.

    Raises:
        RunFileError: if the run's file does not name units of its layers.
    """
    recorded: Any = run.journal.get("rescanned_units", {})
    try:
        return {
            name: np.array([check_whole_number(unit, 0, run.layers[name].layer.units - 1) for unit in units], np.int64)
            for name, units in dict(recorded).items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise RunFileError(
            f"run.json is damaged: its rescanned_units are not units of its layers: {root_message(error)}; run it again"
        ) from error
