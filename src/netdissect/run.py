"""How a run is carried out: the part of the hall where engine and runtime meet.

A run with a folder keeps every finished shard there until it succeeds, under a hash of everything that decides what
is found; the same command goes on from them, any other never sees them.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

import netdissect
from netdissect.engine.dissect import dissect, make_plan
from netdissect.engine.row_threads import RowThreads
from netdissect.engine.worker_context import WorkerContext
from netdissect.errors import ActivationError, DataNotFoundError, RunError, SettingsError
from netdissect.networks.execution import paced
from netdissect.networks.network import remarks_of
from netdissect.results import run_folder as place
from netdissect.results import run_match
from netdissect.results.run_folder import WORK
from netdissect.runtime.array_store import Store
from netdissect.runtime.cluster import RayCluster
from netdissect.runtime.ray import RayRuntime
from netdissect.runtime.worker_processes import InProcessRuntime, ProcessRuntime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from netdissect.config import Geometry, Settings
    from netdissect.engine.dissect import DissectionOutcome
    from netdissect.layers import Layer
    from netdissect.networks.network import Network
    from netdissect.protocols import ActivationSource, ConceptSource, Progress
    from netdissect.results.run_result import RunResult

#: An artefact by which workers know that they see the coordinator's folder.
SHARED_FOLDER_KEY = "meeting-place"


@dataclass(frozen=True, eq=False)
class ContextSetup:
    """Makes a worker's Bench. It is sent to every worker once, network and all.

    Attributes:
        network: the network.
        layers: names of the probed layers.
        input_size: height and width of its input.
        geometry: where a cell looks.
        device: where it runs; several workers share several GPUs among them.
        concepts: the probe set.
        artefacts: folder or URL that all workers share.
    """

    network: Network = field(metadata={"called": "the network"})
    layers: Sequence[str]
    input_size: tuple[int, int]
    geometry: Geometry
    device: torch.device
    concepts: ConceptSource = field(metadata={"called": "the probe set"})
    artefacts: str

    @contextlib.contextmanager
    def __call__(self, threads: int, number: int) -> Iterator[WorkerContext]:
        """Set up the bench of worker `number`, which may use so many threads.

        Raises:
            DataNotFoundError: if the probe set cannot be reached from here.
            RunError: if the intermediate results cannot.
            SettingsError: if a GPU is asked for where none is.
        """
        torch.set_num_threads(threads)
        path = self.concepts.path
        if path and "://" not in path and not os.path.isdir(path):  # noqa: PTH112 - whatever a ConceptSource calls its path
            raise DataNotFoundError(
                f"{path} is not there on {socket.gethostname()}: a probe set must lie where every worker reaches it, on "
                f"shared storage or behind a URL such as s3://"
            )
        device = self.device
        if str(device) == "cuda":
            if not torch.cuda.is_available():
                raise SettingsError(f"torch sees no CUDA device on {socket.gethostname()}: use --device cpu")
            device = torch.device("cuda", number % torch.cuda.device_count())
        source = self.network.probe(self.layers, self.input_size, geometry=self.geometry, device=device)
        with source, RowThreads(threads) as pool, Store(self.artefacts) as store:
            if SHARED_FOLDER_KEY not in store:
                raise RunError(
                    f"{self.artefacts}, where intermediate results are kept, is not the same folder on "
                    f"{socket.gethostname()}: name one that every worker reaches with --artefacts, a folder on shared "
                    f"storage or a URL such as s3://"
                )
            yield WorkerContext(source, self.concepts, pool, store, _ignore_progress)


@dataclass(frozen=True, eq=False)
class RunOutcome:
    """A run that was carried out.

    Attributes:
        outcome: what the engine found.
        spilled: bytes of intermediate results that were written to disk.
        notes: what a reader should know.
    """

    outcome: DissectionOutcome
    spilled: int
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class PreparedRun:
    """A run that can begin: the network is at hand, and everything that decides the result is known.

    Attributes:
        network: the network, at the pace that was asked for.
        source: its probed layers.
        concepts: the probe set.
        settings: as they were decided for the device.
        input_size: height and width of the network's input.
        device: where it runs.
        cluster: of Ray, if the run is carried out there.
        fingerprint: of the network.
        notes: what a reader should know.
    """

    network: Network
    source: ActivationSource
    concepts: ConceptSource
    settings: Settings
    input_size: tuple[int, int]
    device: torch.device
    cluster: RayCluster | None
    fingerprint: str
    notes: tuple[str, ...]

    @property
    def layers(self) -> list[str]:
        """Names of the probed layers."""
        return [layer.name for layer in self.source.layers]

    @property
    def facts(self) -> dict[str, Any]:
        """Everything that makes the run this one: two runs of the same facts have the same result."""
        return run_match.collect_facts(
            self.fingerprint, self.layers, self.concepts.fingerprint, self.settings, self.input_size
        )


@dataclass(frozen=True)
class RunLock:
    """A run's hold on what it writes.

    Attributes:
        folder: the run's folder, if it has one.
        fresh: whether what an earlier run left is forgotten.
        finished: the run as it lies there, finished, and nothing is to be computed.
        at_the_end: what to do when the run has succeeded.
    """

    folder: Path | None
    fresh: bool
    finished: RunResult | None = None
    on_success: list[Callable[[], None]] = field(default_factory=list)


def _choose_input_size(
    network: Network, pictures: tuple[int, int], resolution: int | None
) -> tuple[tuple[int, int], list[str]]:
    """Return height and width of the network's input, and what is remarkable about them."""
    size = (resolution, resolution) if resolution else network.size_for(pictures)
    own, notes = network.input_size, remarks_of(network)
    if size != pictures:
        why = "as --resolution asks" if resolution else f"the only size {network.name} takes as it is"
        notes.append(
            f"pictures of {_format_size(pictures)} are scaled to {_format_size(size)}, {why}; labels stay as they are"
        )
    if own is not None and size != own:
        notes.append(f"{network.name} was made for {_format_size(own)} and sees {_format_size(size)}")
    return size, notes


def _collect_layer_notes(layers: Sequence[Layer]) -> list[str]:
    """Return the layers' own notes, each with the layers that share it."""
    sharing: dict[str, list[str]] = {}
    for layer in layers:
        if layer.note:
            sharing.setdefault(layer.note, []).append(layer.name)
    return [f"{', '.join(names)}: {note}" for note, names in sharing.items()]


def _note_rescans(outcome: DissectionOutcome) -> list[str]:
    """Say which layers were scanned again, and for how many units."""
    return [
        f"{name}: {len(units)} unit(s) were scanned again: the bound that the first sample gave proved too high"
        for name, units in outcome.rescanned.items()
    ]


def _format_size(size: tuple[int, int]) -> str:
    return f"{size[1]} x {size[0]}"


@contextlib.contextmanager
def lock_run(folder: Path | None, prepared: PreparedRun, *, fresh: bool) -> Iterator[RunLock]:
    """Hold a run's folder; when the block succeeds, the intermediate results go, unless they are to be kept.

    Args:
        folder: the folder, if the run has one.
        prepared: the run.
        fresh: whether what an earlier run left there is removed first.

    Raises:
        FolderTakenError: if it holds another run, or something that is no run.
        RunBusyError: if another process holds it.
    """
    with contextlib.ExitStack() as stack:
        finished = None
        if folder is not None:
            written = stack.enter_context(place.lock_run_folder(folder))
            finished = run_match.load_or_start(
                folder, written, prepared.facts, prepared.settings.threshold, fresh=fresh
            )
        held = RunLock(folder, fresh, finished)
        yield held
        if not prepared.settings.keep:
            if folder is not None:
                place.remove_work(folder)
            for clear in held.on_success:
                clear()


@contextlib.contextmanager
def prepare_run(
    network: Network, layers: Sequence[str], concepts: ConceptSource, settings: Settings
) -> Iterator[PreparedRun]:
    """Make everything ready for a run that costs little, for the length of a block.

    Args:
        network: the network.
        layers: names of the layers to probe.
        concepts: the probe set.
        settings: everything else.
    """
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(RayCluster(settings.address)) if settings.runtime == "ray" else None
        device = resolve_device(settings.device, cluster)
        settings = settings.for_device(device.type)
        size, notes = _choose_input_size(network, concepts.image_size, settings.resolution)
        if settings.precision != "fp32":
            notes.append(f"the network ran in {settings.precision}, which changes some labels")
        network = paced(network, settings.precision, compile=settings.compile)
        source = network.probe(layers, size, geometry=settings.geometry, device=device)
        empty = next((layer for layer in source.layers if 0 in (layer.units, *layer.grid)), None)
        if empty is not None:
            raise ActivationError(
                f"layer {empty.name} of {network.name} gives {empty.units} units on a grid of {empty.grid[0]} x "
                f"{empty.grid[1]} cells: there is nothing to dissect, choose another"
            )
        at_once = getattr(network, "batch", None)
        if at_once is not None and at_once != settings.batch_size:
            notes.append(f"{network.name} takes {at_once} image(s) at a time, whatever the batch size")
        yield PreparedRun(
            network, source, concepts, settings, size, device, cluster, network.fingerprint(), tuple(notes)
        )


def execute_run(run: PreparedRun, held: RunLock, progress: Progress) -> RunOutcome:
    """Dissect layers of a network over a probe set, wherever the settings say.

    Args:
        run: the run.
        held: its folder, where finished shards are kept; without one they are kept in memory.
        progress: shown how far it is.
    """
    settings, source, concepts, cluster = run.settings, run.source, run.concepts, run.cluster
    with contextlib.ExitStack() as stack:
        plan = make_plan(source.layers, len(concepts), settings)
        where = _locate_artifacts(run, held.folder)
        alone = settings.runtime == "local" and settings.workers == 1
        if where is None and not alone:
            where = stack.enter_context(tempfile.TemporaryDirectory(prefix="netdissect-"))
        store = stack.enter_context(Store(where, budget=_find_memory_budget(settings) if alone else 0))
        if settings.artefacts is not None:
            if held.fresh:
                store.clear()
            held.on_success.append(store.clear)
        runtime: InProcessRuntime | _CountingRuntime
        if alone:
            threads = stack.enter_context(RowThreads(settings.threads or os.cpu_count() or 1))
            if settings.threads is not None:
                stack.callback(torch.set_num_threads, torch.get_num_threads())
                torch.set_num_threads(settings.threads)
            stack.enter_context(source)
            runtime = InProcessRuntime(WorkerContext(source, concepts, threads, store, progress.advance))
        else:
            store.put(SHARED_FOLDER_KEY, {})
            setup = ContextSetup(
                run.network, run.layers, run.input_size, settings.geometry, run.device, concepts, str(where)
            )
            count = min(settings.workers, len(plan.shards))
            workers = _start_workers(setup, count, settings, cluster)
            stack.callback(workers.close)
            runtime = _CountingRuntime(workers, progress)
        outcome = dissect(
            runtime,
            store,
            source.layers,
            concepts.vocabulary,
            concepts.row,
            plan,
            settings,
            progress,
            tally_parts=1 if alone else 4 * settings.workers,
        )
        notes = [
            *run.notes,
            *_note_resumed(outcome, len(plan.shards)),
            *_collect_layer_notes(source.layers),
            *_note_rescans(outcome),
        ]
        return RunOutcome(outcome, store.written_bytes, tuple(notes))


def _note_resumed(outcome: DissectionOutcome, shards: int) -> list[str]:
    """Say what was there of an earlier call; the calibration sample is a shard too."""
    if not outcome.resumed:
        return []
    return [f"{outcome.resumed + 1} of {shards} shards were finished by an earlier call and were used again"]


def _start_workers(
    setup: ContextSetup, count: int, settings: Settings, cluster: RayCluster | None
) -> ProcessRuntime | RayRuntime:
    if cluster is None:
        return ProcessRuntime(setup, count, threads=settings.threads)
    return RayRuntime(cluster, setup, count, cpus=settings.threads, gpus=1 if setup.device.type == "cuda" else 0)


def resolve_device(name: str, cluster: RayCluster | None = None) -> torch.device:
    """Return the device that `--device` means here, or on the nodes of a cluster.

    Raises:
        SettingsError: if there is none such.
    """
    device = None if name == "auto" else torch.device(name)
    there = torch.cuda.is_available() if cluster is None else cluster.gpus > 0
    if device is None:
        return torch.device("cuda" if there else "cpu")
    if cluster is not None and str(device) != device.type:
        raise SettingsError(f"--device {name} names one GPU of one machine: say --device cuda, and Ray hands out GPUs")
    if device.type == "cuda" and not there:
        where = "torch sees no CUDA device here" if cluster is None else "the cluster has no GPU"
        raise SettingsError(f"--device {name} was asked for, and {where}: use --device cpu")
    if cluster is None and device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise SettingsError(f"--device {name} was asked for, and torch sees {count} of them, numbered from 0")
    return device


class _CountingRuntime:
    """A runtime of workers, whose finished pieces the coordinator counts for the progress shown."""

    def __init__(self, runtime: ProcessRuntime | RayRuntime, progress: Progress) -> None:
        self._runtime = runtime
        self._progress = progress

    def map(self, task: Any, items: Any) -> Iterator[Any]:
        """Yield ``task(bench, item)`` for every item, in the items' order."""
        pieces = list(items)
        for piece, value in zip(pieces, self._runtime.map(task, pieces), strict=True):
            shards = [piece] if hasattr(piece, "images") else piece
            self._progress.advance(sum(shard.images.size for shard in shards))
            yield value


def _locate_artifacts(run: PreparedRun, folder: Path | None) -> Path | str | None:
    """Return where this run's intermediate results lie: below a hash of everything that decides them."""
    settings = run.settings
    if folder is None and settings.artefacts is None:
        return None
    key = place.hash_facts({
        **run.facts,
        "shard size": settings.shard_size,
        "device": run.device.type,
        "versions": [netdissect.__version__, torch.__version__],
    })  # fmt: skip
    if settings.artefacts is not None:
        return f"{settings.artefacts.rstrip('/')}/{key}"
    assert folder is not None
    return folder / WORK / key


def _ignore_progress(_: int) -> None:
    """Workers report by finishing; the coordinator counts."""


def _find_memory_budget(settings: Settings) -> int:
    """Return the bytes of candidates that may stay in memory."""
    if settings.memory is not None:
        return settings.memory
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8)
