"""Weights are found under any key and prefix of a training script, and nothing of a file is ever run."""

from __future__ import annotations

import argparse
import json
import pathlib
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from tests import nets

from netdissect.errors import ModelFileError, ModelNotFoundError
from netdissect.networks.checkpoints import Checkpoint, count_classes, load_checkpoint, read_checkpoint


@pytest.fixture(scope="module")
def module():
    return nets.make_small_net()


def loaded(path, **options):
    """A fresh network of the same architecture with what a file holds."""
    fresh = nets.make_small_net(seed=5)
    load_checkpoint(fresh, read_checkpoint(path), architecture="small", **options)
    return fresh.state_dict()


def same(found, module):
    wanted = module.state_dict()
    return found.keys() == wanted.keys() and all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "kept",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": state, "optimizer": {"state": {}, "param_groups": []}},
        lambda state: {"model_state_dict": state},
        lambda state: {"checkpoint": 1, "module": state},
        lambda state: {"student": {"fc": torch.zeros(1)}, "teacher": state},
        lambda state: {"model": {"state_dict": state}},
        lambda state: {"state_dict": {"x": torch.zeros(1)}, "state_dict_ema": state},
    ],
    ids=["bare", "state_dict", "model", "model_state_dict", "module", "teacher", "nested", "averaged"],
)
def test_a_state_dict_is_found_under_any_key(module, kept, legacy, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(kept(module.state_dict()), path, _use_new_zipfile_serialization=not legacy)
    assert same(loaded(path), module)


@pytest.mark.parametrize("prefix", ["module.", "model.", "module.model.", "backbone.", "encoder_q.", "_orig_mod."])
def test_any_prefix_before_the_names_is_taken_off(module, prefix, tmp_path):
    path = tmp_path / "lightning.ckpt"
    state = {prefix + name: tensor for name, tensor in module.state_dict().items()}
    extras = {"criterion.weight": torch.ones(3), "projector.0.weight": torch.ones(2, 2)}
    torch.save({"state_dict": state | extras, "hyper_parameters": {"lr": 0.1}, "epoch": 2}, path)
    fresh = nets.make_small_net(seed=5)
    assert not same(fresh.state_dict(), module)
    load_checkpoint(fresh, read_checkpoint(path), architecture="small")
    assert same(fresh.state_dict(), module)


def test_a_state_dict_is_found_three_keys_deep(module, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"model": {"module": {"state_dict": module.state_dict()}}}, path)
    assert same(loaded(path), module)


@pytest.mark.parametrize(
    "beside",
    [
        np.float64(0.7), np.arange(3), np.bool_(1), np.array(["cat", "dog"]), pathlib.Path("runs/1"),
        pathlib.PureWindowsPath("C:/runs"), argparse.Namespace(lr=0.1, epochs=np.int64(3)),
    ],
    ids=["number", "array", "truth", "words", "path", "path of Windows", "options"],
)  # fmt: skip
def test_plain_values_beside_the_weights_do_no_harm(module, beside, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": module.state_dict(), "args": beside}, path)
    assert same(loaded(path), module)


def test_safetensors_are_read_whole_and_in_pieces(module, tmp_path):
    state = module.state_dict()
    safetensors.torch.save_file(state, tmp_path / "model.safetensors")
    assert same(loaded(tmp_path / "model.safetensors"), module)
    names = list(state)
    parts = {"a-1.safetensors": names[:3], "a-2.safetensors": names[3:]}
    for file, some in parts.items():
        safetensors.torch.save_file({name: state[name] for name in some}, tmp_path / file)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {name: file for file, some in parts.items() for name in some}}))
    assert same(loaded(index), module)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "expected an index of weights files as JSON"),
        ("[]", "expected an index of weights files: an object with a weight_map"),
        ('{"weight_map": {"w": "../../secret.safetensors"}}', "expected weights files in its folder"),
        (
            '{"weight_map": {"w": "model.safetensors.index.json"}}',
            "expected weights files in its folder, got 'model.saf",
        ),
        ('{"weight_map": {"w": ' + "[" * 200 + "]" * 200 + "}}", "nested deeper than 100 times"),
        ('{"weight_map": {"w": "gone.safetensors"}}', "there is no weights file .*gone"),
    ],
)
def test_an_index_that_makes_no_sense_is_refused(text, sentence, tmp_path):
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(text)
    with pytest.raises((ModelFileError, ModelNotFoundError), match=sentence):
        read_checkpoint(path)


class Trap:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return pathlib.Path.touch, (self.trace,)


@pytest.mark.parametrize("legacy", [False, True])
def test_nothing_of_a_file_is_run(module, legacy, tmp_path):
    path, trace = tmp_path / "model.pth", tmp_path / "trace"
    torch.save({"state_dict": module.state_dict(), "x": Trap(trace)}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ModelFileError, match="would run code from the file"):
        read_checkpoint(path)
    assert not trace.exists()


def test_a_pickled_model_is_refused_and_it_is_said_what_to_do(module, tmp_path):
    path = tmp_path / "model.pt"
    torch.save(module, path)
    with pytest.raises(ModelFileError, match=r"more than weights \(torch.nn.modules.*save the weights alone"):
        read_checkpoint(path)


def test_a_damaged_file_is_reported_whatever_is_wrong_with_it(module, tmp_path):
    whole = tmp_path / "whole.pth"
    torch.save(module.state_dict(), whole)
    data = whole.read_bytes()
    path = tmp_path / "damaged.pth"
    for spoilt in (b"", b"PK", data[:100], data[: len(data) // 2], b"{}" + data, bytes(len(data)), b"\x80\x02."):
        path.write_bytes(spoilt)
        with pytest.raises(ModelFileError, match=r"damaged\.pth"):
            read_checkpoint(path)
    (tmp_path / "damaged.safetensors").write_bytes(data)
    with pytest.raises(ModelFileError, match="expected a safetensors file"):
        read_checkpoint(tmp_path / "damaged.safetensors")


def test_a_file_without_tensors_is_reported(tmp_path):
    path = tmp_path / "log.pth"
    torch.save({"epoch": 3, "history": [1, 2]}, path)
    with pytest.raises(ModelFileError, match=r"expected a state dict of named tensors, .* its keys are epoch, history"):
        read_checkpoint(path)


def checkpoint(state):
    return Checkpoint(Path("f.pth"), dict(state), keys=tuple(state), folders=("",))


def test_weights_of_another_architecture_are_reported_with_the_first_name_that_is_missing(module):
    state = module.state_dict()
    del state["conv2.weight"]
    with pytest.raises(ModelFileError, match=r"f\.pth does not hold the weights of small: 'conv2.weight' is missing"):
        load_checkpoint(nets.make_small_net(), checkpoint(state), architecture="small")
    state = module.state_dict() | {"conv2.extra": torch.zeros(1)}
    with pytest.raises(ModelFileError, match=r"'conv2.extra' is not known to it"):
        load_checkpoint(nets.make_small_net(), checkpoint(state), architecture="small")
    state = module.state_dict() | {"conv2.weight": torch.zeros(8, 5, 1, 1)}
    with pytest.raises(ModelFileError, match=r"conv2.weight .* \(8, 5, 1, 1\), small .* \(8, 5, 3, 3\)"):
        load_checkpoint(nets.make_small_net(), checkpoint(state), architecture="small")


def test_the_number_of_classes_is_read_off_the_last_bias(module):
    state = module.state_dict()
    assert count_classes(checkpoint(state), nets.make_small_net()) is None
    state |= {"fc.weight": torch.zeros(11, 8), "fc.bias": torch.zeros(11)}
    prefixed = {f"module.{name}": tensor for name, tensor in state.items()}
    assert count_classes(checkpoint(prefixed), nets.make_small_net()) == 11


def test_half_precision_weights_fill_a_full_precision_network(module):
    fresh = nets.make_small_net(seed=3)
    load_checkpoint(
        fresh, checkpoint({name: tensor.half() for name, tensor in module.state_dict().items()}), architecture="small"
    )
    assert fresh.conv1.weight.dtype == torch.float32
    torch.testing.assert_close(fresh.conv1.weight, module.conv1.weight, rtol=1e-3, atol=1e-4)
