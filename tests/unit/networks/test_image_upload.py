"""Images go to a GPU on a stream of their own: the network waits for them there, and the host never does."""

from __future__ import annotations

import contextlib

import numpy as np
import torch

from netdissect.networks.image_upload import ImageUpload

CUDA = torch.device("cuda")


class FakeGpu:
    """Stands in for torch's CUDA calls and notes their order."""

    def __init__(self, monkeypatch):
        self.notes = []
        self.stream = "network"
        monkeypatch.setattr(torch.cuda, "Stream", lambda _: self.make_stream())
        monkeypatch.setattr(torch.cuda, "stream", self.use_stream)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda _: FakeStream(self, self.stream))
        monkeypatch.setattr(torch.Tensor, "pin_memory", lambda array: self.note("pin", array.clone()))
        monkeypatch.setattr(torch.Tensor, "to", lambda tensor, *where, **how: self.copy(tensor, *where, **how))  # noqa: PLW0108 - a method of a tensor
        monkeypatch.setattr(torch.Tensor, "record_stream", lambda _, stream: self.note(f"keep for {stream.name}"))

    def note(self, what, value=None):
        self.notes.append(f"{self.stream}: {what}")
        return value

    def make_stream(self):
        return self.note("new stream", FakeStream(self, "upload"))

    @contextlib.contextmanager
    def use_stream(self, stream):
        before, self.stream = self.stream, stream.name
        yield
        self.stream = before

    def copy(self, tensor, device, *, non_blocking=False):
        return self.note(f"copy to {device}, {'without' if non_blocking else 'with'} waiting", tensor)


class FakeStream:
    """Notes what waits for what."""

    def __init__(self, gpu, name):
        self.gpu, self.name = gpu, name

    def wait_stream(self, other):
        self.gpu.note(f"{self.name} waits for {other.name}")


def test_the_network_waits_for_its_images_and_the_host_does_not(monkeypatch):
    images = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    gpu = FakeGpu(monkeypatch)
    upload = ImageUpload(CUDA)
    assert gpu.notes == []  # nothing is done before the first batch
    np.testing.assert_array_equal(upload(images).numpy(), images)
    copied = [
        "upload: pin", "upload: copy to cuda, without waiting", "network: network waits for upload",
        "network: keep for network",
    ]  # fmt: skip
    assert gpu.notes == ["network: new stream", *copied]
    gpu.notes.clear()
    upload(images)
    assert gpu.notes == copied  # the same stream


def test_images_for_a_cpu_are_not_copied():
    images = np.zeros((2, 4, 4, 3), np.uint8)
    found = ImageUpload(torch.device("cpu"))(images)
    images[1, 2, 3, 0] = 7
    assert found[1, 2, 3, 0] == 7
