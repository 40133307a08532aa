"""The way of images to the network's device; to a GPU they are copied while the network runs on the batch before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ImageUpload:
    """Copies batches of images to a device.

    A copy to a GPU starts from page-locked memory, on a stream of its own, and the network's stream waits for it; the host
    waits for neither. torch keeps page-locked memory, and uses it again only when the copies from it have ended.

    Args:
        device: where the network runs.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream: torch.cuda.Stream | None = None

    def __call__(self, images: NDArray[np.generic]) -> torch.Tensor:
        """Return images on the device."""
        here = torch.from_numpy(images)
        if self._device.type != "cuda":
            return here.to(self._device)
        if self._stream is None:
            self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        with torch.cuda.stream(self._stream):
            there = here.pin_memory().to(self._device, non_blocking=True)
        network_stream = torch.cuda.current_stream(self._device)
        network_stream.wait_stream(self._stream)
        there.record_stream(network_stream)  # its memory is free once the network has read it
        return there
