import random

import numpy as np
import pytest
import torch
from tests import small_training

from netdissect.callbacks.undisturbed import leave_undisturbed


def read_state(module):
    return (
        random.random(), float(np.random.random()), torch.rand(3).tolist(), [part.training for part in module.modules()],
        [p.requires_grad for p in module.parameters()], torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"),
        torch.get_autocast_dtype("cpu"), torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled(),
        torch.get_num_threads(), torch.is_inference_mode_enabled(), module.__dict__.get("forward"),
    )  # fmt: skip


def disturb(module):
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)
    module.eval()
    for parameter in module.parameters():
        parameter.requires_grad = not parameter.requires_grad
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(torch.get_num_threads() + 1)
    torch.set_grad_enabled(False)


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_all_is_as_it_was_whatever_happens_inside(autocast, strict, fails):
    module = small_training.make_learner()
    small_training.seed_all()
    expected = read_state(module)
    small_training.seed_all()
    torch.use_deterministic_algorithms(strict)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            before = read_state(module)
            small_training.seed_all()
            try:
                with leave_undisturbed(module):
                    assert not torch.is_autocast_enabled("cpu")
                    assert not torch.are_deterministic_algorithms_enabled()
                    disturb(module)
                    if fails:
                        raise KeyError
            except KeyError:
                assert fails
            assert read_state(module) == before
            assert before[:3] == expected[:3]
    finally:
        torch.use_deterministic_algorithms(False)


def test_inside_inference_mode_the_block_is_outside_of_it():
    module = small_training.make_learner()
    with torch.inference_mode():
        with leave_undisturbed(module):
            assert not torch.is_inference_mode_enabled()
        assert torch.is_inference_mode_enabled()


def test_a_forward_pass_that_accelerate_wrapped_is_the_networks_own():
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)  # that of a Trainer in this process

    module = small_training.make_learner()
    prepared = Accelerator(cpu=True, mixed_precision="bf16").prepare(module)
    wrapped, images = prepared.forward, torch.randn(2, 3, 32, 32)
    module.eval()
    exact = small_training.make_learner().eval()(images)
    with leave_undisturbed(prepared):
        assert torch.equal(prepared(images), exact)
    assert prepared.forward is wrapped or prepared.forward == wrapped
    assert not torch.equal(prepared(images), exact)
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.parametrize("device", ["cpu", "cuda", "xpu", "mps"])
def test_autocast_is_off_for_every_kind_of_device(device):
    if not torch.amp.is_autocast_available(device):
        pytest.skip(f"this torch has no autocast for {device}")
    torch.set_autocast_enabled(device, True)
    try:
        with leave_undisturbed(small_training.make_learner()):
            assert not torch.is_autocast_enabled(device)
        assert torch.is_autocast_enabled(device)
    finally:
        torch.set_autocast_enabled(device, False)
