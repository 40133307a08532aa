"""Damaged and malicious network files raise only the project's errors, in bounded memory."""

from __future__ import annotations

import shutil
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from safetensors.torch import save_file
from tests import nets
from tests.fuzz.damage import changes_of_bytes, check_one_sentence, count_changed_bytes, damage_file, keeps_length
from tests.limited_process import call_with_limits

from netdissect.errors import ModelFileError, NetdissectError
from netdissect.networks.checkpoints import read_checkpoint
from netdissect.networks.sources.caffe.caffe_loader import load_caffe
from netdissect.networks.sources.caffe.caffe_writer import write_caffe
from netdissect.networks.sources.caffe.caffemodel import read_blob
from netdissect.networks.sources.caffe.prototxt import parse_prototxt
from netdissect.networks.sources.caffe.random_weights import make_random_weights

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
    write_caffe(stem, net, make_random_weights(net, seed=0))
    return stem


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    state = nets.make_small_net().state_dict()
    torch.save({"epoch": 3, "state_dict": state}, folder / "new.pth")
    torch.save(state, folder / "old.pth", _use_new_zipfile_serialization=False)
    save_file(state, folder / "small.safetensors")
    return folder


@pytest.mark.parametrize("ending", [".prototxt", ".caffemodel"])
@settings(max_examples=100)
@given(changes=changes_of_bytes)
def test_a_damaged_caffe_network_is_read_or_is_refused(pair, ending, changes):
    with damage_file(pair.with_suffix(ending), changes):
        try:
            net = load_caffe(str(pair))
            found = net(torch.zeros(1, net.input_channels or 3, 32, 32), ["conv1"])["conv1"]
        except NetdissectError as error:
            check_one_sentence(error, "small", "conv1", "pool1", "fc", "relu1", "layer")
            return
    assert (found.shape[0], found.ndim) == (1, 4)
    if ending == ".caffemodel":  # the layers are in the other file
        assert found.shape == (1, 5, 28, 28)
        if keeps_length(changes):
            true = load_caffe(str(pair)).layers["conv1"].weight
            assert (net.layers["conv1"].weight != true).sum() <= count_changed_bytes(changes)


@pytest.mark.parametrize("name", ["new.pth", "old.pth", "small.safetensors"])
@settings(max_examples=80)
@given(changes=changes_of_bytes)
def test_a_damaged_checkpoint_is_read_or_is_refused(checkpoints, name, changes):
    true = read_checkpoint(checkpoints / name).tensors
    with damage_file(checkpoints / name, changes):
        try:
            found = read_checkpoint(checkpoints / name).tensors
        except NetdissectError as error:
            check_one_sentence(error, name)
            return
    if keeps_length(changes):  # a change alters one tensor, or two adjacent ones, or a name
        same = [
            one
            for one in true.values()
            if any(torch.equal(one, other) for other in found.values() if one.dtype == other.dtype)
        ]
        assert len(same) >= len(true) - 2 * len(changes)


def load(stem):
    load_caffe(stem)


def message(number, *fields):
    """Encode a protobuf message: field `number` with these bytes."""
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
    kind, text = call_with_limits(load, str(stem))
    assert kind == ModelFileError.__name__
    assert "the weights of layer 'conv1' should be 1000000 x 1000000 numbers and are 10" in text


def random_network(text):
    make_random_weights(parse_prototxt(text))


@pytest.mark.parametrize(
    ("settings", "weights"),
    [
        ("num_output: 2000000000 kernel_size: 5", "152,000,000,000"),
        ("num_output: 500000 kernel_size: 32", "1,536,500,000"),
    ],
)
def test_a_prototxt_that_asks_for_a_trillion_weights_is_reported_so_before_one_is_made(settings, weights):
    kind, text = call_with_limits(random_network, TEXT.replace("num_output: 5 kernel_size: 5", settings))
    assert kind == ModelFileError.__name__, text
    assert f'layer "conv1" (Convolution) asks for {weights} weights, and at most 536,870,912 are allowed' in text


def read(path):
    read_checkpoint(path)


def test_a_safetensors_file_that_claims_a_trillion_numbers_is_refused_without_room_for_them(tmp_path):
    header = b'{"w":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4000000000000]}}'
    (tmp_path / "huge.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(64))
    kind, text = call_with_limits(read, tmp_path / "huge.safetensors")
    assert kind == ModelFileError.__name__, text
    assert "huge.safetensors: expected a safetensors file, got" in text
    (tmp_path / "huge.safetensors").write_bytes((10**15).to_bytes(8, "little") + header)
    kind, text = call_with_limits(read, tmp_path / "huge.safetensors")
    assert kind == ModelFileError.__name__, text
    assert "whose header claims 1,000,000,000,000,000: truncated?" in text
    (tmp_path / "huge.safetensors").write_bytes((10**9).to_bytes(8, "little") + b" " * 2**10)
    with (tmp_path / "huge.safetensors").open("r+b") as file:
        file.truncate(2 * 10**9)  # a header of a gigabyte, in a sparse file
    kind, text = call_with_limits(read, tmp_path / "huge.safetensors")
    assert kind == ModelFileError.__name__, text
    assert "whose header claims 1,000,000,000: truncated?" in text


def bomb(path, size, entries=1):
    """Write a checkpoint of zeros whose records are compressed a thousandfold."""
    state = {f"w{number}": torch.zeros(size) for number in range(entries)}
    torch.save(state, path)
    with zipfile.ZipFile(path) as plain:
        records = {entry.filename: plain.read(entry) for entry in plain.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in records.items():
            packed.writestr(name, data)


def test_a_checkpoint_whose_records_unpack_to_a_thousand_times_its_size_is_refused_before(tmp_path):
    bomb(tmp_path / "bomb.pth", 2**24)
    size = (tmp_path / "bomb.pth").stat().st_size
    assert size < 2**19
    kind, text = call_with_limits(read, tmp_path / "bomb.pth")
    assert kind == ModelFileError.__name__, text
    assert f"bomb.pth: its {size:,} bytes would unpack to 67,1" in text
    assert f"at most {16 * size + 2**25:,} are allowed" in text
    bomb(tmp_path / "small.pth", 2**10)  # a repacked checkpoint is fine
    assert read_checkpoint(tmp_path / "small.pth").tensors["w0"].shape == (2**10,)


def test_records_that_lie_over_one_another_count_each_for_itself(tmp_path):
    torch.save({"w": torch.zeros(2**21)}, tmp_path / "w.pth")
    data = (tmp_path / "w.pth").read_bytes()
    with zipfile.ZipFile(tmp_path / "w.pth") as plain:
        entry = next(one for one in plain.infolist() if one.filename.endswith("data/0"))
        start = plain.start_dir
    with zipfile.ZipFile(tmp_path / "w.pth", "a") as archive:
        for number in range(400):
            twin = zipfile.ZipInfo(f"w/data/{number + 1}")
            twin.header_offset, twin.CRC = entry.header_offset, entry.CRC
            twin.compress_size = twin.file_size = entry.file_size
            archive.filelist.append(twin)
            archive.NameToInfo[twin.filename] = twin
        archive._didModify = True
    assert (tmp_path / "w.pth").stat().st_size < len(data) + 2**16
    assert start
    kind, text = call_with_limits(read, tmp_path / "w.pth")
    assert kind == ModelFileError.__name__, text
    assert "would unpack to 3,3" in text


def test_a_directory_that_readers_may_find_at_two_places_is_damaged(tmp_path):
    torch.save({"w": torch.zeros(4)}, tmp_path / "w.pth")
    data = (tmp_path / "w.pth").read_bytes()
    for changed in (data + b"PK\x05\x06" + bytes(18), data[:4] + b"front" + data[4:], data + b"behind"):
        (tmp_path / "w.pth").write_bytes(changed)
        with pytest.raises(ModelFileError, match="whose directory is damaged: truncated"):
            read_checkpoint(tmp_path / "w.pth")


def test_a_caffemodel_whose_shape_has_a_million_sizes_is_reported_at_once(pair, tmp_path):
    stem = tmp_path / "long"
    shutil.copy(pair.with_suffix(".prototxt"), stem.with_suffix(".prototxt"))
    shape = message(7, message(1, *[varint(2**40)] * 200_000))
    layer = message(1, b"conv1") + message(7, shape, message(5, bytes(40)))
    stem.with_suffix(".caffemodel").write_bytes(varint(100 << 3 | 2) + varint(len(layer)) + layer)
    kind, text = call_with_limits(load, str(stem))
    assert kind == ModelFileError.__name__
    assert "should be 1099511627776 x" in text


def test_numbers_that_an_old_caffemodel_writes_one_by_one_take_no_more_room_than_they_have():
    numbers = np.arange(2**15, dtype="<f4")
    fields = np.empty(len(numbers), dtype=[("key", "u1"), ("number", "<f4")])
    fields["key"], fields["number"] = 5 << 3 | 5, numbers
    tracemalloc.start()
    found = read_blob(fields.tobytes())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(found, numbers)
    assert peak < 6 * numbers.nbytes
