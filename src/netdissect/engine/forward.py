"""The forward pass: images in, activations out, with reading ahead of the network."""

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
    bench: WorkerContext, batches: Sequence[NDArray[np.int64]], skipped: dict[int, str] | None = None
) -> Iterator[tuple[NDArray[np.int64], dict[str, torch.Tensor]]]:
    """Run the network once over batches of images.

    Args:
        bench: network and probe set.
        batches: positions of the images in the probe set.
        skipped: takes the reason for every image that cannot be read and is left out; None ends the run instead.

    Yields:
        the images' positions and, per layer, their activations, float32, shape (B, h, w, U), contiguous.

    Raises:
        DataError: if an image cannot be read and may not be skipped.
        RunError: if a batch does not fit into memory.
    """
    with ThreadPoolExecutor(bench.threads.count, thread_name_prefix="pictures") as readers:

        def ask(image: int) -> Future[NDArray[np.generic]]:
            return readers.submit(_read_input, bench, image, check_labels=skipped is not None)

        asked = ((batch, [ask(int(image)) for image in batch]) for batch in batches)
        try:
            for batch, reading in _prefetch(asked, _PREFETCHED_BATCHES):
                images, pictures = _collect_inputs(batch, reading, skipped)
                if pictures:
                    outputs = _run_network(bench, np.stack(pictures))
                    yield images, {name: output.contiguous() for name, output in outputs.items()}
        finally:
            readers.shutdown(wait=True, cancel_futures=True)


def _run_network(bench: WorkerContext, pictures: NDArray[np.uint8]) -> Mapping[str, torch.Tensor]:
    try:
        return bench.source.activations(pictures)
    except RuntimeError as error:  # torch has no one error for this: OutOfMemoryError of a GPU is one of these too
        if not any(words in str(error) for words in ("out of memory", "allocate memory", "not enough memory")):
            raise
        count, height, width = pictures.shape[:3]
        wanted = re.search(r"tried to allocate ([\d.,]+ \w+)", str(error), re.IGNORECASE)
        raise RunError(
            f"memory ran out over a batch of {count} pictures of {width} x {height}"
            f"{f' ({wanted[1]} more were asked for)' if wanted else ''}: use a smaller --batch-size, fewer --workers, fewer "
            f"layers at once, or a smaller --resolution"
        ) from error


def _read_input(bench: WorkerContext, image: int, *, check_labels: bool) -> NDArray[np.generic]:
    if check_labels:  # they are needed later, when leaving the image out would no longer be possible
        bench.concepts.read_labels(image)
    return bench.source.model_input(bench.concepts, image)


def _collect_inputs(
    batch: NDArray[np.int64], reading: Sequence[Future[NDArray[np.generic]]], skipped: dict[int, str] | None
) -> tuple[NDArray[np.int64], list[NDArray[np.generic]]]:
    images, pictures = [], []
    for image, waiting in zip(batch, reading, strict=True):
        try:
            pictures.append(waiting.result())
            images.append(image)
        except DataError as error:
            if skipped is None:
                raise
            skipped[int(image)] = str(error)
    return np.array(images, dtype=np.int64), pictures


def _prefetch(items: Iterable[_T], count: int) -> Iterator[_T]:
    """Yield items, asking for each `count` items before it is needed."""
    source = iter(items)
    waiting = list(islice(source, count))
    while waiting:
        yield waiting.pop(0)
        waiting.extend(islice(source, 1))
