"""The forward pass: batches of images to activations, reading ahead of the network."""

from __future__ import annotations

import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from netdissect.errors import DataError, RunError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    import torch
    from numpy.typing import NDArray

    from netdissect.engine.worker_context import WorkerContext

_T = TypeVar("_T")

#: Batches read ahead of the network.
_PREFETCHED_BATCHES = 2
#: One of how many rows of an input its fingerprint is computed from.
_FINGERPRINT_ROWS = 8


@dataclass(frozen=True, slots=True, eq=False)
class ReadingLog:
    """What is learned about images while they are read.

    Attributes:
        skip: whether an image that cannot be read is left out instead of ending the run.
        skipped: why an image was left out, by its position in the probe set.
        fingerprints: hash of the network's input, by position of the image, in the order in which they were read.
    """

    skip: bool = False
    skipped: dict[int, str] = field(default_factory=dict)
    fingerprints: dict[int, int] = field(default_factory=dict)


def run_batches(
    context: WorkerContext, batches: Sequence[NDArray[np.int64]], log: ReadingLog
) -> Iterator[tuple[NDArray[np.int64], dict[str, torch.Tensor]]]:
    """Run the network once over batches of images.

    Args:
        context: network and probe set.
        batches: positions of the images in the probe set.
        log: receives what is learned about the images.

    Yields:
        the positions of the images that were read, shape (B,), and the activations of every layer, float32, shape
        (B, h, w, U), contiguous.

    Raises:
        DataError: if an image cannot be read and may not be skipped.
        RunError: if a batch does not fit into memory.
    """
    with ThreadPoolExecutor(context.threads.count, thread_name_prefix="images") as readers:

        def submit(image: int) -> Future[tuple[NDArray[np.generic], int]]:
            return readers.submit(_read_input, context, image, with_labels=log.skip or context.labels_ahead)

        submitted = ((batch, [submit(int(image)) for image in batch]) for batch in batches)
        try:
            for batch, futures in _prefetch(submitted, _PREFETCHED_BATCHES):
                images, inputs = _collect_inputs(batch, futures, log)
                if inputs:
                    outputs = _run_network(context, np.stack(inputs))
                    yield images, {name: output.contiguous() for name, output in outputs.items()}
        finally:
            readers.shutdown(wait=True, cancel_futures=True)


def _run_network(context: WorkerContext, inputs: NDArray[np.generic]) -> Mapping[str, torch.Tensor]:
    try:
        return context.source.activations(inputs)
    except RuntimeError as error:  # torch has no common error for this; a GPU's OutOfMemoryError is a RuntimeError too
        if not any(words in str(error) for words in ("out of memory", "allocate memory", "not enough memory")):
            raise
        count, height, width = inputs.shape[:3]
        missing = re.search(r"tried to allocate ([\d.,]+ \w+)", str(error), re.IGNORECASE)
        raise RunError(
            f"memory ran out over a batch of {count} images of {width} x {height}"
            f"{f' ({missing[1]} more were needed)' if missing else ''}: use a smaller --batch-size, fewer --workers, fewer "
            f"layers at once, or a smaller --resolution"
        ) from error


def _read_input(context: WorkerContext, image: int, *, with_labels: bool) -> tuple[NDArray[np.generic], int]:
    """Return the network's input for an image, and its fingerprint: a hash of every eighth row."""
    if with_labels:  # to skip the image if they cannot be read, or to keep them for the tally
        context.concepts.read_labels(image)
    made = context.source.model_input(context.concepts, image)
    return made, zlib.crc32(made[::_FINGERPRINT_ROWS].tobytes())


def _collect_inputs(
    batch: NDArray[np.int64], futures: Sequence[Future[tuple[NDArray[np.generic], int]]], log: ReadingLog
) -> tuple[NDArray[np.int64], list[NDArray[np.generic]]]:
    images, inputs = [], []
    for image, future in zip(batch, futures, strict=True):
        try:
            made, log.fingerprints[int(image)] = future.result()
            inputs.append(made)
            images.append(image)
        except DataError as error:
            if not log.skip:
                raise
            log.skipped[int(image)] = str(error)
    return np.array(images, dtype=np.int64), inputs


def _prefetch(items: Iterable[_T], count: int) -> Iterator[_T]:
    """Yield items, asking for each `count` items before it is needed."""
    source = iter(items)
    waiting = list(islice(source, count))
    while waiting:
        yield waiting.pop(0)
        waiting.extend(islice(source, 1))
