"""A forward pass that runs out of memory is told with what would use less of it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from netdissect.engine.forward import _run_network
from netdissect.errors import RunError

PICTURES = np.zeros((3, 20, 30, 3), np.uint8)


def failing(said):
    def activations(_):
        raise RuntimeError(said)

    return SimpleNamespace(source=SimpleNamespace(activations=activations))


@pytest.mark.parametrize(
    ("said", "more"),
    [
        ("CUDA out of memory. Tried to allocate 20.50 MiB. GPU 0 has …", r" \(20\.50 MiB more were asked for\)"),
        ("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8000 bytes", r" \(8000 bytes more"),
        ("DefaultCPUAllocator: not enough memory", ": use a smaller --batch-size"),
    ],
)  # fmt: skip
def test_memory_that_runs_out_is_reported_with_the_batch(said, more):
    with pytest.raises(RunError, match=rf"^memory ran out over a batch of 3 pictures of 30 x 20{more}"):
        _run_network(failing(said), PICTURES)


def test_any_other_error_stays_what_it_is():
    with pytest.raises(RuntimeError, match="^mat1 and mat2"):
        _run_network(failing("mat1 and mat2 shapes cannot be multiplied"), PICTURES)
