"""On a GPU, scan a batch on a second stream while the network runs on the next one; copies to the device and from it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.engine.calibrate import Bounds

    Batch = tuple[NDArray[np.int64], dict[str, torch.Tensor]]

#: Bounds and tied units by device, for as long as the bounds are in use.
_ON_DEVICE: WeakKeyDictionary[Bounds, dict[torch.device, tuple[torch.Tensor, torch.Tensor]]] = WeakKeyDictionary()


class ScanStream(Protocol):
    """A stream on which batches are scanned."""

    def record_event(self) -> Any:
        """Record an event after all the network's work queued so far, and return it."""
        ...

    def wait_for(self, event: Any, outputs: Mapping[str, torch.Tensor]) -> contextlib.AbstractContextManager[None]:
        """Return a context manager; GPU work inside it waits for the recorded event only."""
        ...


class CudaScanStream:
    """A second stream on the network's GPU."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def record_event(self) -> torch.cuda.Event:
        """Record an event after all the network's work queued so far, and return it."""
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        return event

    @contextlib.contextmanager
    def wait_for(self, event: torch.cuda.Event, outputs: Mapping[str, torch.Tensor]) -> Iterator[None]:
        """Run the block's GPU work on the second stream, after the event."""
        with torch.cuda.stream(self._stream):
            self._stream.wait_event(event)
            for tensor in outputs.values():
                tensor.record_stream(self._stream)
            yield


def make_scan_stream(device: torch.device) -> ScanStream | None:
    """Return the stream for batches on a device; None on a CPU, where network and scan share the cores."""
    return CudaScanStream(device) if device.type == "cuda" else None


def overlap_batches(
    batches: Iterator[Batch], make_stream: Callable[[torch.device], ScanStream | None] = make_scan_stream
) -> Iterator[Batch]:
    """Yield every batch on the scan stream, after the next one was queued for the network; on a CPU, at once.

    Args:
        batches: outputs of the network; asking for one makes the network compute it.
        make_stream: returns the scan stream of a device.
    """
    waiting: tuple[Batch, ScanStream, Any] | None = None
    stream: ScanStream | None = None
    for number, batch in enumerate(batches):
        if number == 0:
            stream = make_stream(next(iter(batch[1].values())).device)
        if stream is None:
            yield batch
            continue
        event = stream.record_event()
        if waiting is not None:
            yield from _yield_on_stream(*waiting)
        waiting = batch, stream, event
    if waiting is not None:
        yield from _yield_on_stream(*waiting)


def _yield_on_stream(batch: Batch, stream: ScanStream, event: Any) -> Iterator[Batch]:
    with stream.wait_for(event, batch[1]):
        yield batch


def copy_to_host(*tensors: torch.Tensor) -> list[NDArray[Any]]:
    """Return tensors as arrays; from a GPU all copies start before the first is waited for."""
    on_gpu = [tensor.is_cuda for tensor in tensors]
    copies = [tensor.to("cpu", non_blocking=gpu) for tensor, gpu in zip(tensors, on_gpu, strict=True)]
    if any(on_gpu):
        torch.cuda.current_stream(tensors[0].device).synchronize()
    return [tensor.numpy() for tensor in copies]


def move_bounds(bounds: Bounds, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the bounds and the tied units of a layer on a device; they are copied there once."""
    on_device = _ON_DEVICE.setdefault(bounds, {})
    if device not in on_device:
        on_device[device] = torch.from_numpy(bounds.bound).to(device), torch.from_numpy(bounds.tied).to(device)
    return on_device[device]
