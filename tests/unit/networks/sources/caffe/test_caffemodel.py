from __future__ import annotations

import random
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netdissect.errors import ModelFileError, ModelNotFoundError, NetdissectError
from netdissect.networks.sources.caffe import wire_format
from netdissect.networks.sources.caffe.caffemodel import parse_caffemodel, read_caffemodel
from netdissect.networks.sources.caffe.messages import make_message

WEIGHTS = np.arange(2 * 3 * 5 * 5, dtype=np.float32).reshape(2, 3, 5, 5) / 7
BIAS = np.array([0.5, -2], dtype=np.float32)


def blob(array):
    made = make_message("BlobProto", data=array.ravel())
    made.shape.dim.extend(array.shape)
    return made


def legacy_blob(array):
    num, channels, height, width = (1,) * (4 - array.ndim) + array.shape
    return make_message("BlobProto", num=num, channels=channels, height=height, width=width, data=array.ravel())


def in_todays_format():
    net = make_message("NetParameter", name="tiny")
    net.layer.add(name="data", type="Data", top=["data"])
    net.layer.add(name="conv", type="Convolution", blobs=[blob(WEIGHTS), blob(BIAS)])
    return net.SerializeToString()


def in_v1_format():
    net = make_message("NetParameter", name="tiny")
    net.layers.add(name="conv", blobs=[legacy_blob(WEIGHTS), legacy_blob(BIAS)])
    return net.SerializeToString()


def in_v0_format():
    net = make_message("NetParameter", name="tiny")
    inner = make_message("V0LayerParameter", name="conv", type="conv", blobs=[legacy_blob(WEIGHTS), legacy_blob(BIAS)])
    net.layers.add(layer=inner, bottom=["data"], top=["conv"])
    return net.SerializeToString()


@pytest.mark.parametrize("data", [in_todays_format(), in_v1_format(), in_v0_format()], ids=["today", "V1", "V0"])
def test_all_three_formats_are_read(data):
    found = parse_caffemodel(data)
    assert list(found) == ["conv"]
    weights, bias = found["conv"]
    assert weights.dtype == bias.dtype == np.float32
    assert np.array_equal(weights, WEIGHTS)
    assert np.array_equal(bias.ravel(), BIAS)


def test_old_files_keep_their_four_axes():
    assert parse_caffemodel(in_v1_format())["conv"][1].shape == (1, 1, 1, 2)


def test_a_shape_without_axes_is_a_single_number():
    net = make_message("NetParameter")
    made = make_message("BlobProto", data=[0.25])
    made.shape.SetInParent()
    net.layer.add(name="prelu", blobs=[made])
    (slope,) = parse_caffemodel(net.SerializeToString())["prelu"]
    assert slope.shape == ()
    assert slope == 0.25


def test_numbers_without_any_shape_are_a_row():
    net = make_message("NetParameter")
    net.layer.add(name="it", blobs=[make_message("BlobProto", data=BIAS)])
    assert parse_caffemodel(net.SerializeToString())["it"][0].shape == (2,)


def test_double_precision_is_read_as_single():
    net = make_message("NetParameter")
    made = make_message("BlobProto", double_data=BIAS)
    made.shape.dim.append(2)
    net.layer.add(name="it", blobs=[made])
    found = parse_caffemodel(net.SerializeToString())["it"][0]
    assert found.dtype == np.float32
    assert np.array_equal(found, BIAS)


def in_a_net(blob_bytes):
    layer = wire_format.encode_bytes(1, b"it") + wire_format.encode_bytes(7, blob_bytes)
    return wire_format.encode_bytes(100, layer)


def test_numbers_that_are_not_packed_are_read():
    unpacked = b"".join(
        wire_format.encode_varint(5 << 3 | wire_format.FIXED32) + struct.pack("<f", value) for value in BIAS
    )
    shape = wire_format.encode_bytes(7, wire_format.encode_varint(1 << 3) + b"\x02")
    assert np.array_equal(parse_caffemodel(in_a_net(shape + unpacked))["it"][0], BIAS)


def test_numbers_in_several_packed_pieces_are_joined():
    pieces = b"".join(wire_format.encode_bytes(5, struct.pack("<f", value)) for value in BIAS)
    assert np.array_equal(parse_caffemodel(in_a_net(pieces))["it"][0], BIAS)


@pytest.mark.parametrize(("code", "kind"), [(0, "<f8"), (1, "<f4"), (2, "<f2")])
def test_raw_numbers_of_nvidias_branch_are_read(code, kind):
    raw = wire_format.encode_varint(10 << 3) + bytes([code]) + wire_format.encode_bytes(12, BIAS.astype(kind).tobytes())
    assert np.array_equal(parse_caffemodel(in_a_net(raw))["it"][0], BIAS)


def test_raw_whole_numbers_are_refused():
    with pytest.raises(ModelFileError, match="whole numbers"):
        parse_caffemodel(
            in_a_net(wire_format.encode_varint(10 << 3) + b"\x03" + wire_format.encode_bytes(12, b"\0\0\0\0"))
        )


def test_gradients_are_left_out():
    net = make_message("NetParameter")
    net.layer.add(name="it", blobs=[blob(BIAS)])
    diff = wire_format.encode_bytes(6, b"\0" * 8)
    grown = net.layer[0].blobs[0].SerializeToString() + diff
    assert np.array_equal(parse_caffemodel(in_a_net(grown))["it"][0], BIAS)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "an empty file"),
        (b"<html><body>404", "a web page"),
        (b'name: "LeNet"\nlayer {\n  name: "data"\n', "are prototxt and caffemodel the wrong way round"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
        (b"\x1f\x8b\x08", "archive"),
        (b"\0" * 100, "truncated or damaged"),
        (b"\xff" * 100, "truncated or damaged"),
        (wire_format.encode_bytes(1, b"only a name\x00"), "without a single layer"),
        (in_todays_format()[:-1], "truncated or damaged"),
        (in_todays_format()[:60], "truncated or damaged"),
    ],
)
def test_what_is_no_caffemodel_is_refused_in_one_sentence(data, words):
    with pytest.raises(ModelFileError) as refused:
        parse_caffemodel(data, where="net.caffemodel")
    assert words in str(refused.value)
    assert str(refused.value).startswith("net.caffemodel: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("dims", [[10**6, 10**6], [2**62, 4], [-1, -2], [0], [3], [1] * 2000], ids=str)
def test_a_shape_that_its_numbers_do_not_fill_is_refused_without_room_for_it(dims):
    net = make_message("NetParameter")
    made = make_message("BlobProto", data=BIAS)
    made.shape.dim.extend(dims)
    net.layer.add(name="fc6", blobs=[made])
    data = net.SerializeToString()
    tracemalloc.start()
    with pytest.raises(ModelFileError, match="layer 'fc6'"):
        parse_caffemodel(data)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"nothing\.caffemodel: no such caffemodel"):
        read_caffemodel(tmp_path / "nothing.caffemodel")
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_caffemodel(tmp_path)


@pytest.mark.parametrize("seed", range(400))
def test_damaged_bytes_give_weights_or_one_of_our_errors(seed):
    chance = random.Random(seed)
    data = bytearray(chance.choice([in_todays_format(), in_v1_format(), in_v0_format()]))
    for _ in range(chance.randrange(1, 8)):
        place = chance.randrange(min(len(data), 120))
        match chance.randrange(3):
            case 0:
                data[place] ^= 1 << chance.randrange(8)
            case 1:
                data[place] = chance.randrange(256)
            case _:
                del data[chance.randrange(len(data)) :]
                data = data or bytearray(b"\0")
    try:
        found = parse_caffemodel(bytes(data))
    except NetdissectError:
        return
    assert all(one.dtype == np.float32 for blobs in found.values() for one in blobs)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_weights_or_one_of_our_errors(data):
    try:
        found = parse_caffemodel(data, where="net.caffemodel")
    except NetdissectError as error:
        assert str(error).startswith("net.caffemodel: ")
        return
    assert found
    assert all(one.dtype == np.float32 for blobs in found.values() for one in blobs)


@settings(deadline=None)
@given(st.integers(0, 2**64 - 1))
def test_varints_are_written_as_they_are_read(value):
    data = wire_format.encode_varint(value)
    assert wire_format.read_varint(data, 0, len(data)) == (value, len(data))


def test_numbers_of_both_signs_are_read():
    assert wire_format.to_signed_int(2**64 - 1) == -1
    assert wire_format.to_signed_int(5) == 5
