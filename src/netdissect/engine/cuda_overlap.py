"""On a GPU: a batch is looked at while the network is already busy with the next one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Protocol

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    Batch = tuple[NDArray[np.int64], dict[str, torch.Tensor]]


class ScanStream(Protocol):
    """Somewhere beside the network where work may be done."""

    def mark(self) -> Any:
        """Return a mark of how far the network is."""
        ...

    def after(self, mark: Any, outputs: Mapping[str, torch.Tensor]) -> contextlib.AbstractContextManager[None]:
        """Return a context whose work waits for the network to have passed the mark, and for nothing later."""
        ...


class CudaScanStream:
    """A stream of its own on the network's GPU."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def mark(self) -> torch.cuda.Event:
        """Return an event behind what the network was told to do."""
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        return event

    @contextlib.contextmanager
    def after(self, mark: torch.cuda.Event, outputs: Mapping[str, torch.Tensor]) -> Iterator[None]:
        """Let the block's work run on the side stream, once the event has passed."""
        with torch.cuda.stream(self._stream):
            self._stream.wait_event(mark)
            for tensor in outputs.values():
                tensor.record_stream(self._stream)
            yield


def make_scan_stream(device: torch.device) -> ScanStream | None:
    """Return where batches are looked at while a network goes on; None where the same processors do both."""
    return CudaScanStream(device) if device.type == "cuda" else None


def overlap_batches(
    batches: Iterator[Batch], beside: Callable[[torch.device], ScanStream | None] = make_scan_stream
) -> Iterator[Batch]:
    """Yield every batch after the network was given the next one, to be looked at beside that; on a CPU as they come.

    Args:
        batches: what the network gives; asking for one tells the network to compute it.
        beside: tells where batches on a device are looked at.
    """
    waiting: tuple[Batch, ScanStream, Any] | None = None
    side: ScanStream | None = None
    for number, batch in enumerate(batches):
        if number == 0:
            side = beside(next(iter(batch[1].values())).device)
        if side is None:
            yield batch
            continue
        mark = side.mark()
        if waiting is not None:
            yield from _yield_on_stream(*waiting)
        waiting = batch, side, mark
    if waiting is not None:
        yield from _yield_on_stream(*waiting)


def _yield_on_stream(batch: Batch, side: ScanStream, mark: Any) -> Iterator[Batch]:
    with side.after(mark, batch[1]):
        yield batch


def copy_to_host(*tensors: torch.Tensor) -> list[NDArray[Any]]:
    """Return tensors as arrays; from a GPU all are copied before any is waited for, into page-locked memory."""
    on_gpu = [tensor.is_cuda for tensor in tensors]
    here = [tensor.to("cpu", non_blocking=gpu) for tensor, gpu in zip(tensors, on_gpu, strict=True)]
    if any(on_gpu):
        torch.cuda.current_stream(tensors[0].device).synchronize()
    return [tensor.numpy() for tensor in here]
