"""Whatever bytes a network's files hold, only the project's own errors come out, in bounded memory."""

from __future__ import annotations

import shutil

import pytest
import torch
from hypothesis import given, settings
from safetensors.torch import save_file
from tests import nets
from tests.confined import confined
from tests.fuzz.damage import damages, one_sentence, spoilt

from netdissect.errors import ModelFileError, NetdissectError
from netdissect.models.caffe.load import load_caffe
from netdissect.models.caffe.prototxt import parse_prototxt
from netdissect.models.caffe.randomly import random_weights
from netdissect.models.caffe.writer import write_caffe
from netdissect.models.weightfiles import read_checkpoint

TEXT = """
name: "small" input: "data" input_shape { dim: 1 dim: 3 dim: 32 dim: 32 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param { num_output: 5 kernel_size: 5 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool1" top: "fc" inner_product_param { num_output: 4 } }
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    stem = tmp_path_factory.mktemp("caffe") / "small"
    net = parse_prototxt(TEXT)
    write_caffe(stem, net, random_weights(net, seed=0))
    return stem


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    state = nets.small().state_dict()
    torch.save({"epoch": 3, "state_dict": state}, folder / "new.pth")
    torch.save(state, folder / "old.pth", _use_new_zipfile_serialization=False)
    save_file(state, folder / "small.safetensors")
    return folder


@pytest.mark.parametrize("ending", [".prototxt", ".caffemodel"])
@settings(max_examples=100)
@given(changes=damages)
def test_a_damaged_caffe_network_is_read_or_says_why_not(pair, ending, changes):
    with spoilt(pair.with_suffix(ending), changes):
        try:
            net = load_caffe(str(pair))
            net(torch.zeros(1, net.input_channels or 3, 32, 32), ["conv1"])
        except NetdissectError as error:
            one_sentence(error)


@pytest.mark.parametrize("name", ["new.pth", "old.pth", "small.safetensors"])
@settings(max_examples=80)
@given(changes=damages)
def test_a_damaged_checkpoint_is_read_or_says_why_not(checkpoints, name, changes):
    with spoilt(checkpoints / name, changes):
        try:
            read_checkpoint(checkpoints / name)
        except NetdissectError as error:
            one_sentence(error)


def load(stem):
    load_caffe(stem)


def message(number, *fields):
    """A message of protobuf: field `number` with these bytes."""
    body = b"".join(fields)
    return bytes([number << 3 | 2]) + varint(len(body)) + body


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def test_a_caffemodel_that_claims_a_trillion_numbers_is_refused_without_room_for_them(pair, tmp_path):
    stem = tmp_path / "huge"
    shutil.copy(pair.with_suffix(".prototxt"), stem.with_suffix(".prototxt"))
    shape = message(7, message(1, varint(10**6), varint(10**6)))
    blob = message(7, shape, message(5, bytes(40)))
    layer = message(1, b"conv1") + blob
    stem.with_suffix(".caffemodel").write_bytes(varint(100 << 3 | 2) + varint(len(layer)) + layer)
    kind, said = confined(load, str(stem))
    assert kind == ModelFileError.__name__
    assert "the weights of layer 'conv1' should be 1000000 x 1000000 numbers and are 10" in said


def random_network(path):
    from netdissect.models.load import LoadOptions
    from netdissect.models.load import load as load_model

    load_model(path, LoadOptions(weights="random"))


@pytest.mark.parametrize("setting", ["num_output: 2000000000", "num_output: 100000 kernel_size: 1000"])
def test_a_prototxt_that_asks_for_a_trillion_weights_is_told_so(tmp_path, setting):
    (tmp_path / "huge.prototxt").write_text(TEXT.replace("num_output: 5 kernel_size: 5", f"kernel_size: 5 {setting}"))
    kind, said = confined(random_network, str(tmp_path / "huge.prototxt"))
    assert not kind.startswith("not ours"), (kind, said)
    assert kind


def read(path):
    read_checkpoint(path)


def test_a_safetensors_file_that_claims_a_trillion_numbers_is_refused_without_room_for_them(tmp_path):
    header = b'{"w":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4000000000000]}}'
    (tmp_path / "huge.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(64))
    kind, said = confined(read, tmp_path / "huge.safetensors")
    assert kind == ModelFileError.__name__, said
    (tmp_path / "huge.safetensors").write_bytes((10**15).to_bytes(8, "little") + header)
    kind, said = confined(read, tmp_path / "huge.safetensors")
    assert kind == ModelFileError.__name__, said
