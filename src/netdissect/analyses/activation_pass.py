"""One pass of a run's network over images: the activations of its layers, as the run had them."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netdissect.engine.forward import ReadingLog, run_batches
from netdissect.engine.row_threads import RowThreads
from netdissect.engine.scan import raise_non_finite
from netdissect.engine.worker_context import WorkerContext
from netdissect.networks.execution import Execution
from netdissect.run import resolve_device
from netdissect.run.batch_choice import choose_batch_size
from netdissect.runtime.array_store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch
    from numpy.typing import NDArray

    from netdissect.layers import Layer
    from netdissect.networks.network import Network
    from netdissect.protocols import ConceptSource, Progress
    from netdissect.results.run_result import Result

#: Images whose activations are computed before they are kept, about; an interrupted pass goes on after them.
PART_IMAGES = 256


@dataclass(frozen=True, eq=False)
class ActivationPass:
    """A run's network, open for a pass.

    Attributes:
        context: the network, the images and the threads.
        batch_size: images per forward pass.
    """

    context: WorkerContext
    batch_size: int

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The probed layers."""
        return self.context.source.layers

    def divide(self, images: NDArray[np.int64], most: int = PART_IMAGES) -> list[NDArray[np.int64]]:
        """Divide images into parts of whole batches, of at most `most` images if a batch has no more.

        The same images are always divided in the same way.
        """
        size = self.batch_size * max(1, min(most, PART_IMAGES) // self.batch_size)
        return [images[first : first + size] for first in range(0, images.size, size)]

    def run(
        self, images: NDArray[np.int64], log: ReadingLog | None = None
    ) -> Iterator[tuple[NDArray[np.int64], dict[str, torch.Tensor]]]:
        """Run the network over images.

        Args:
            images: their positions, int64.
            log: what to do with images that cannot be read; None raises.

        Yields:
            the positions of a batch's images, shape (B,), and their activations by layer, float32, shape (B, h, w, U).

        Raises:
            ActivationError: if an activation is NaN or infinite.
            DataError: if an image cannot be read and may not be skipped.
        """
        batches = [images[first : first + self.batch_size] for first in range(0, images.size, self.batch_size)]
        for read, outputs in run_batches(self.context, batches, log or ReadingLog()):
            for layer in self.layers:
                flawed = ~outputs[layer.name].isfinite().all(dim=1).all(dim=1).cpu().numpy()
                if flawed.any():
                    raise_non_finite(layer, flawed, read, self.context.concepts.image_name)
            yield read, outputs


@contextlib.contextmanager
def open_activation_pass(
    run: Result, network: Network, images: ConceptSource, layers: Sequence[str], progress: Progress, device: str
) -> Iterator[ActivationPass]:
    """Return a context manager that opens a run's network for a pass over images.

    Input size, geometry, precision and batch size are the run's.

    Args:
        run: the run.
        network: its network.
        images: the images; their labels are not read.
        layers: names of the layers.
        progress: told of the images that are done.
        device: where the network runs: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        SettingsError: if there is no such device.
        UnknownLayerError: if the network has no such layer.
    """
    settings = run.settings
    where = resolve_device(device)
    execution = Execution(settings.precision, settings.compile, settings.linear)
    source = network.probe(
        layers, run.network.input_size, geometry=settings.geometry, device=where, execution=execution
    )
    size = settings.batch_size or choose_batch_size(source, images, where)
    with RowThreads(settings.threads or os.cpu_count() or 1) as threads, source, Store(budget=0) as store:
        yield ActivationPass(WorkerContext(source, images, threads, store, progress.advance), size)


def pool_cells(activations: torch.Tensor) -> NDArray[np.float32]:
    """Return the mean and then the maximum of every unit over its cells, float32, shape (B, 2U).

    Args:
        activations: float32, shape (B, h, w, U).
    """
    cells = activations.reshape(activations.shape[0], -1, activations.shape[-1])
    mean, most = cells.mean(dim=1).cpu().numpy(), cells.amax(dim=1).cpu().numpy()
    return np.concatenate([mean, most], axis=1)
