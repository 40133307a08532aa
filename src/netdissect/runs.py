"""How a run is carried out: the part of the hall where engine and runtime meet.

A run with a folder keeps every finished shard there until it succeeds, under a hash of everything that decides what
is found; the same command goes on from them, any other never sees them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

import netdissect
from netdissect.engine.bench import Bench
from netdissect.engine.dissect import dissect, plan_for
from netdissect.engine.threads import Threads
from netdissect.errors import DataNotFoundError, RunError, SettingsError
from netdissect.io import atomic
from netdissect.models.network import remarks_of
from netdissect.models.pace import paced
from netdissect.runtime import lock
from netdissect.runtime.artefacts import Artefacts
from netdissect.runtime.cluster import Cluster
from netdissect.runtime.local import InProcess, Processes
from netdissect.runtime.ray import Ray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from netdissect.config import Geometry, Settings
    from netdissect.engine.dissect import Outcome
    from netdissect.layers import Layer
    from netdissect.models.network import Network
    from netdissect.protocols import ConceptSource, Progress

WORK = ".work"
#: An artefact by which workers know that they see the coordinator's folder.
MEETING_PLACE = "meeting-place"


@dataclass(frozen=True, eq=False)
class BenchSetup:
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
    def __call__(self, threads: int, number: int) -> Iterator[Bench]:
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
        with source, Threads(threads) as pool, Artefacts(self.artefacts) as store:
            if MEETING_PLACE not in store:
                raise RunError(
                    f"{self.artefacts}, where intermediate results are kept, is not the same folder on "
                    f"{socket.gethostname()}: name one that every worker reaches with --artefacts, a folder on shared "
                    f"storage or a URL such as s3://"
                )
            yield Bench(source, self.concepts, pool, store, _say_nothing)


@dataclass(frozen=True, eq=False)
class Carried:
    """A run that was carried out.

    Attributes:
        outcome: what the engine found.
        layers: the probed layers.
        input_size: height and width of the network's input.
        spilled: bytes of intermediate results that were written to disk.
        notes: what a reader should know.
        settings: as they were decided for the device.
        fingerprint: of the network.
    """

    outcome: Outcome
    layers: tuple[Layer, ...]
    input_size: tuple[int, int]
    spilled: int
    notes: tuple[str, ...]
    settings: Settings
    fingerprint: str


@dataclass(frozen=True)
class Held:
    """A run's hold on what it writes.

    Attributes:
        folder: the run's folder, if it has one.
        fresh: whether what an earlier run left is forgotten.
        at_the_end: what to do when the run has succeeded.
    """

    folder: Path | None
    fresh: bool
    at_the_end: list[Callable[[], None]] = field(default_factory=list)


def _input_size(
    network: Network, pictures: tuple[int, int], resolution: int | None
) -> tuple[tuple[int, int], list[str]]:
    """Return height and width of the network's input, and what is remarkable about them."""
    size = (resolution, resolution) if resolution else network.size_for(pictures)
    own, notes = network.input_size, remarks_of(network)
    if size != pictures:
        why = "as --resolution asks" if resolution else f"the only size {network.name} takes as it is"
        notes.append(f"pictures of {_pixels(pictures)} are scaled to {_pixels(size)}, {why}; labels stay as they are")
    if own is not None and size != own:
        notes.append(f"{network.name} was made for {_pixels(own)} and sees {_pixels(size)}")
    return size, notes


def _remarks(layers: Sequence[Layer]) -> list[str]:
    """Return the layers' own notes, each with the layers that share it."""
    sharing: dict[str, list[str]] = {}
    for layer in layers:
        if layer.note:
            sharing.setdefault(layer.note, []).append(layer.name)
    return [f"{', '.join(names)}: {note}" for note, names in sharing.items()]


def _again(outcome: Outcome) -> list[str]:
    """Say which layers were scanned again, and for how many units."""
    return [
        f"{name}: {len(units)} unit(s) were scanned again: the bound that the first sample gave proved too high"
        for name, units in outcome.rescanned.items()
    ]


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[1]} x {size[0]}"


@contextlib.contextmanager
def holding(folder: Path | None, *, fresh: bool, keep: bool) -> Iterator[Held]:
    """Hold a run's folder; when the block succeeds, the intermediate results go.

    Args:
        folder: the folder, if the run has one.
        fresh: whether what an earlier run left there is forgotten first.
        keep: whether intermediate results stay.

    Raises:
        RunBusyError: if another process holds the folder.
    """
    held = Held(folder, fresh)
    with contextlib.ExitStack() as stack:
        if folder is not None:
            stack.enter_context(lock.held(folder))
            atomic.sweep(folder)
            stack.callback(atomic.sweep, folder)  # of what workers that were ended had begun
            if fresh:
                shutil.rmtree(folder / WORK, ignore_errors=True)
        yield held
        if not keep:
            if folder is not None:
                shutil.rmtree(folder / WORK, ignore_errors=True)
            for clear in held.at_the_end:
                clear()


def carry_out(
    network: Network,
    layers: Sequence[str],
    concepts: ConceptSource,
    settings: Settings,
    held: Held,
    progress: Progress,
) -> Carried:
    """Dissect layers of a network over a probe set, wherever the settings say.

    Args:
        network: the network.
        layers: names of the layers to probe.
        concepts: the probe set.
        settings: everything else.
        held: the run's folder, where finished shards are kept; without one they are kept in memory.
        progress: shown how far it is.
    """
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(Cluster(settings.address)) if settings.runtime == "ray" else None
        device = device_of(settings.device, cluster)
        settings = settings.on(device.type)
        size, notes = _input_size(network, concepts.image_size, settings.resolution)
        if settings.precision != "fp32":
            notes.append(f"the network ran in {settings.precision}, which changes some labels")
        network = paced(network, settings.precision, compile=settings.compile)
        source = network.probe(layers, size, geometry=settings.geometry, device=device)
        fingerprint = network.fingerprint()
        plan = plan_for(source.layers, len(concepts), settings)
        place = _place(fingerprint, layers, concepts, settings, device, size, held.folder)
        alone = settings.runtime == "local" and settings.workers == 1
        if place is None and not alone:
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="netdissect-"))
        store = stack.enter_context(Artefacts(place, budget=_budget(settings) if alone else 0))
        if settings.artefacts is not None:
            if held.fresh:
                store.clear()
            held.at_the_end.append(store.clear)
        runtime: InProcess | _Counted
        if alone:
            threads = stack.enter_context(Threads(settings.threads or os.cpu_count() or 1))
            if settings.threads is not None:
                stack.callback(torch.set_num_threads, torch.get_num_threads())
                torch.set_num_threads(settings.threads)
            stack.enter_context(source)
            runtime = InProcess(Bench(source, concepts, threads, store, progress.advance))
        else:
            store.put(MEETING_PLACE, {})
            setup = BenchSetup(network, layers, size, settings.geometry, device, concepts, str(place))
            count = min(settings.workers, len(plan.shards))
            workers = _workers(setup, count, settings, cluster)
            stack.callback(workers.close)
            runtime = _Counted(workers, progress)
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
        notes = [*notes, *_remarks(source.layers), *_again(outcome)]
        return Carried(outcome, source.layers, size, store.written_bytes, tuple(notes), settings, fingerprint)


def _workers(setup: BenchSetup, count: int, settings: Settings, cluster: Cluster | None) -> Processes | Ray:
    if cluster is None:
        return Processes(setup, count, threads=settings.threads)
    return Ray(cluster, setup, count, cpus=settings.threads, gpus=1 if setup.device.type == "cuda" else 0)


def device_of(name: str, cluster: Cluster | None = None) -> torch.device:
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


class _Counted:
    """A runtime of workers, whose finished pieces the coordinator counts for the progress shown."""

    def __init__(self, runtime: Processes | Ray, progress: Progress) -> None:
        self._runtime = runtime
        self._progress = progress

    def map(self, task: Any, items: Any) -> Iterator[Any]:
        """Yield ``task(bench, item)`` for every item, in the items' order."""
        pieces = list(items)
        for piece, value in zip(pieces, self._runtime.map(task, pieces), strict=True):
            shards = [piece] if hasattr(piece, "images") else piece
            self._progress.advance(sum(shard.images.size for shard in shards))
            yield value


def _place(
    fingerprint: str,
    layers: Sequence[str],
    concepts: ConceptSource,
    settings: Settings,
    device: torch.device,
    size: tuple[int, int],
    folder: Path | None,
) -> Path | str | None:
    """Return where this run's intermediate results lie: below a hash of everything that decides them."""
    if folder is None and settings.artefacts is None:
        return None
    made_by = {
        "network": fingerprint,
        "layers": list(layers),
        "probe set": concepts.fingerprint,
        "settings": settings.deciding() | {"shard_size": settings.shard_size},
        "input": size,
        "device": device.type,
        "versions": [netdissect.__version__, torch.__version__],
    }
    key = hashlib.blake2b(json.dumps(made_by, sort_keys=True).encode(), digest_size=8).hexdigest()
    if settings.artefacts is not None:
        return f"{settings.artefacts.rstrip('/')}/{key}"
    assert folder is not None
    return folder / WORK / key


def _say_nothing(_: int) -> None:
    """Workers report by finishing; the coordinator counts."""


def _budget(settings: Settings) -> int:
    """Return the bytes of candidates that may stay in memory."""
    if settings.memory is not None:
        return settings.memory
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8)
