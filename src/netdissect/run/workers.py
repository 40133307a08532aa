"""Start the workers of a run, set up each of them, and count their progress."""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from netdissect.engine.row_threads import RowThreads
from netdissect.engine.worker_context import WorkerContext
from netdissect.errors import DataNotFoundError, RunError, SettingsError
from netdissect.runtime.array_store import Store
from netdissect.runtime.ray import RayRuntime
from netdissect.runtime.worker_processes import ProcessRuntime

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netdissect.config import Geometry, Settings
    from netdissect.networks.execution import Execution
    from netdissect.networks.network import Network
    from netdissect.protocols import ConceptSource, Progress
    from netdissect.runtime.cluster import RayCluster

#: The coordinator stores this key first: a worker that does not find it sees another folder than the coordinator.
SHARED_FOLDER_KEY = "meeting-place"


@dataclass(frozen=True, eq=False)
class ContextSetup:
    """Makes a worker's context. It is sent to every worker once, with the network.

    Attributes:
        network: the network.
        layers: names of the probed layers.
        input_size: height and width of the network's input in pixels.
        geometry: how field maps are found.
        device: where the network runs; several workers share several GPUs.
        execution: the network's precision, and whether it is compiled.
        concepts: the probe set.
        artifacts: folder or URL of the intermediate results, which all workers share.
    """

    network: Network = field(metadata={"called": "the network"})
    layers: Sequence[str]
    input_size: tuple[int, int]
    geometry: Geometry
    device: torch.device
    execution: Execution
    concepts: ConceptSource = field(metadata={"called": "the probe set"})
    artifacts: str

    @contextlib.contextmanager
    def __call__(self, threads: int, number: int) -> Iterator[WorkerContext]:
        """Set up a worker; return a context manager that gives its context.

        Args:
            threads: threads that the worker may use.
            number: number of the worker, from 0, which decides its GPU.

        Raises:
            DataNotFoundError: if the worker cannot reach the probe set.
            RunError: if it cannot reach the intermediate results.
            SettingsError: if the device is a GPU and the worker's machine has none.
        """
        torch.set_num_threads(threads)
        self._require_probe_set()
        device = self._choose_device(number)
        source = self.network.probe(
            self.layers, self.input_size, geometry=self.geometry, device=device, execution=self.execution
        )
        with source, RowThreads(threads) as pool, Store(self.artifacts) as store:
            if SHARED_FOLDER_KEY not in store:
                raise RunError(
                    f"{self.artifacts}, where intermediate results are kept, is not the same folder on "
                    f"{socket.gethostname()}: with --artifacts, name a folder on shared storage or a URL such as s3://, "
                    f"which every worker can reach"
                )
            yield WorkerContext(source, self.concepts, pool, store, _ignore_progress)

    def _require_probe_set(self) -> None:
        path = self.concepts.path
        if path and "://" not in path and not os.path.exists(path):  # noqa: PTH110 - whatever a ConceptSource calls its path
            raise DataNotFoundError(
                f"{path} does not exist on {socket.gethostname()}: put the probe set where every worker can read it, on "
                f"shared storage or at a URL such as s3://"
            )

    def _choose_device(self, number: int) -> torch.device:
        if str(self.device) != "cuda":
            return self.device
        if not torch.cuda.is_available():
            raise SettingsError(f"torch sees no CUDA device on {socket.gethostname()}: use --device cpu")
        return torch.device("cuda", number % torch.cuda.device_count())


class CountingRuntime:
    """A runtime of several workers that advances the progress bar when a shard is finished."""

    def __init__(self, runtime: ProcessRuntime | RayRuntime, progress: Progress) -> None:
        self._runtime = runtime
        self._progress = progress

    def map(self, task: Any, items: Any) -> Iterator[Any]:
        """Yield ``task(context, item)`` for every item, in the items' order."""
        pieces = list(items)
        for piece, value in zip(pieces, self._runtime.map(task, pieces), strict=True):
            shards = [piece] if hasattr(piece, "images") else piece
            self._progress.advance(sum(shard.images.size for shard in shards))
            yield value


def start_workers(
    setup: ContextSetup, count: int, settings: Settings, cluster: RayCluster | None
) -> ProcessRuntime | RayRuntime:
    """Start `count` worker processes on this machine, or on a cluster."""
    if cluster is None:
        return ProcessRuntime(setup, count, threads=settings.threads)
    return RayRuntime(cluster, setup, count, cpus=settings.threads, gpus=1 if setup.device.type == "cuda" else 0)


def _ignore_progress(_: int) -> None:
    """Do nothing: `CountingRuntime` counts the shards that workers finish."""
