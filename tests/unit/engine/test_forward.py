"""Running out of memory is an error that names the batch and says what needs less."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from netdissect.engine.forward import _run_network
from netdissect.errors import RunError

IMAGES = np.zeros((3, 20, 30, 3), np.uint8)


def fail_with(message):
    def activations(_):
        raise RuntimeError(message)

    return SimpleNamespace(source=SimpleNamespace(activations=activations))


@pytest.mark.parametrize(
    ("message", "more"),
    [
        ("CUDA out of memory. Tried to allocate 20.50 MiB. GPU 0 has …", r" \(20\.50 MiB more were needed\)"),
        ("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8000 bytes", r" \(8000 bytes more"),
        ("DefaultCPUAllocator: not enough memory", ": use a smaller --batch-size"),
    ],
)  # fmt: skip
def test_running_out_of_memory_is_an_error_with_the_batch(message, more):
    with pytest.raises(RunError, match=rf"^memory ran out over a batch of 3 images of 30 x 20{more}"):
        _run_network(fail_with(message), IMAGES)


def test_any_other_error_is_raised_unchanged():
    with pytest.raises(RuntimeError, match="^mat1 and mat2"):
        _run_network(fail_with("mat1 and mat2 shapes cannot be multiplied"), IMAGES)
