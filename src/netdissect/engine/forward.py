"""The forward pass: batches of images to activations, reading ahead of the network."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
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


def run_batches(
    context: WorkerContext, batches: Sequence[NDArray[np.int64]], skipped: dict[int, str] | None = None
) -> Iterator[tuple[NDArray[np.int64], dict[str, torch.Tensor]]]:
    """Run the network once over batches of images.

    Args:
        context: network and probe set.
        batches: positions of the images in the probe set.
        skipped: receives why an image was left out, by its position; if None, an image that cannot be read is an error.

    Yields:
        the positions of the images that were read, shape (B,), and the activations of every layer, float32, shape
        (B, h, w, U), contiguous.

    Raises:
        DataError: if an image cannot be read and may not be skipped.
        RunError: if a batch does not fit into memory.
    """
    with ThreadPoolExecutor(context.threads.count, thread_name_prefix="images") as readers:

        def submit(image: int) -> Future[NDArray[np.generic]]:
            return readers.submit(_read_input, context, image, with_labels=skipped is not None or context.labels_ahead)

        submitted = ((batch, [submit(int(image)) for image in batch]) for batch in batches)
        try:
            for batch, futures in _prefetch(submitted, _PREFETCHED_BATCHES):
                images, inputs = _collect_inputs(batch, futures, skipped)
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


def _read_input(context: WorkerContext, image: int, *, with_labels: bool) -> NDArray[np.generic]:
    if with_labels:  # to skip the image if they cannot be read, or to keep them for the tally
        context.concepts.read_labels(image)
    return context.source.model_input(context.concepts, image)


def _collect_inputs(
    batch: NDArray[np.int64], futures: Sequence[Future[NDArray[np.generic]]], skipped: dict[int, str] | None
) -> tuple[NDArray[np.int64], list[NDArray[np.generic]]]:
    images, inputs = [], []
    for image, future in zip(batch, futures, strict=True):
        try:
            inputs.append(future.result())
            images.append(image)
        except DataError as error:
            if skipped is None:
                raise
            skipped[int(image)] = str(error)
    return np.array(images, dtype=np.int64), inputs


def _prefetch(items: Iterable[_T], count: int) -> Iterator[_T]:
    """Yield items, asking for each `count` items before it is needed."""
    source = iter(items)
    waiting = list(islice(source, count))
    while waiting:
        yield waiting.pop(0)
        waiting.extend(islice(source, 1))
