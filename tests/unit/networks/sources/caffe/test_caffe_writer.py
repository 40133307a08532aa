from __future__ import annotations

import numpy as np
import pytest
import torch

from netdissect.errors import ModelFileError
from netdissect.networks.sources.caffe.caffe_loader import load_caffe
from netdissect.networks.sources.caffe.caffe_writer import write_caffe
from netdissect.networks.sources.caffe.caffemodel import read_caffemodel
from netdissect.networks.sources.caffe.messages import make_message
from netdissect.networks.sources.caffe.net_spec import make_caffe_layer, make_net_spec
from netdissect.networks.sources.caffe.prototxt import read_prototxt
from netdissect.networks.sources.caffe.random_weights import make_random_weights

SPEC = make_net_spec(
    "tiny",
    {"data": (2, 3, 17, 19)},
    [
        make_caffe_layer(
            "conv/1", "Convolution", "data", convolution_param={"num_output": 8, "kernel_size": [3, 5], "pad": 1}
        ),
        make_caffe_layer("bn1", "BatchNorm", "conv/1", "conv/1"),
        make_caffe_layer("scale1", "Scale", "conv/1", "conv/1", scale_param={"bias_term": True}),
        make_caffe_layer("relu1", "PReLU", "conv/1", "conv/1"),
        make_caffe_layer("pool1", "Pooling", "conv/1", pooling_param={"pool": "AVE", "kernel_size": 3, "stride": 2}),
        make_caffe_layer("fc", "InnerProduct", "pool1", inner_product_param={"num_output": 5}),
        make_caffe_layer("prob", "Softmax", "fc"),
    ],
)


def test_what_is_written_is_read_again(tmp_path):
    weights = make_random_weights(SPEC, 1)
    text, binary = write_caffe(tmp_path / "v1.0", SPEC, weights)
    assert (text.name, binary.name) == ("v1.0.prototxt", "v1.0.caffemodel")
    spec, found = read_prototxt(text), read_caffemodel(binary)
    assert (spec.name, spec.inputs) == (SPEC.name, SPEC.inputs)
    assert [str(one) for one in spec.layers] == [str(one) for one in SPEC.layers]
    assert found.keys() == weights.keys()
    for name, blobs in weights.items():
        for ours, theirs in zip(found[name], blobs, strict=True):
            assert ours.shape == theirs.shape
            assert np.array_equal(ours, theirs)


def test_opencv_reads_what_is_written(tmp_path, opencv_blobs, relative_error):
    write_caffe(tmp_path / "tiny", SPEC, make_random_weights(SPEC, 2))
    net = load_caffe(tmp_path / "tiny")
    x = np.random.default_rng(0).standard_normal((2, 3, 17, 19)).astype(np.float32)
    blobs = [blob for blob in net.blob_names if blob != "data"]
    ours, theirs = net(torch.from_numpy(x), blobs), opencv_blobs(tmp_path / "tiny", net, x, blobs)
    assert max(relative_error(ours[blob].numpy(), theirs[blob]) for blob in blobs) < 1e-5


def test_protobuf_reads_what_is_written(tmp_path):
    weights = make_random_weights(SPEC, 1)
    _, binary = write_caffe(tmp_path / "tiny", SPEC, weights)
    net = make_message("NetParameter")
    net.ParseFromString(binary.read_bytes())
    assert [one.name for one in net.layer] == [one.name for one in SPEC.layers]
    assert list(net.layer[0].blobs[0].shape.dim) == [8, 3, 3, 5]
    assert np.array_equal(net.layer[0].blobs[0].data, weights["conv/1"][0].ravel())


def test_a_network_from_a_file_is_written_too(tmp_path):
    write_caffe(tmp_path / "one", SPEC, make_random_weights(SPEC))
    write_caffe(
        tmp_path / "two", read_prototxt(tmp_path / "one.prototxt"), read_caffemodel(tmp_path / "one.caffemodel")
    )
    for suffix in ("prototxt", "caffemodel"):
        assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()


def test_numbers_of_any_kind_and_order_are_written(tmp_path):
    spec = make_net_spec(
        "t",
        {"x": (1, 2, 3, 3)},
        [
            make_caffe_layer("p", "PReLU", "x", prelu_param={"channel_shared": True}),
            make_caffe_layer("s", "Scale", "p"),
        ],
    )
    columns = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    write_caffe(tmp_path / "t", spec, {"p": [0.25], "s": [columns, np.zeros((0, 2))]})
    found = read_caffemodel(tmp_path / "t.caffemodel")
    assert found["p"][0].shape == ()
    assert np.array_equal(found["s"][0], columns)
    assert found["s"][1].shape == (0, 2)


def test_weights_for_a_layer_that_is_not_there_are_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ModelFileError, match="layer 'conv1', which the network lacks; did you mean conv/1"):
        write_caffe(tmp_path / "tiny", SPEC, {"conv1": [np.zeros(1)]})
    assert not list(tmp_path.iterdir())


def test_a_network_ends_where_it_is_reported_to():
    assert [one.name for one in SPEC.until("scale1").layers] == ["conv/1", "bn1", "scale1"]
    assert SPEC.with_input(1, 3, 9, 9).inputs[0].shape == (1, 3, 9, 9)


def test_random_weights_depend_on_seed_and_name_alone():
    one, two, other = (
        make_random_weights(SPEC, 1),
        make_random_weights(SPEC.until("relu1"), 1),
        make_random_weights(SPEC, 2),
    )
    assert list(two) == ["conv/1", "bn1", "scale1", "relu1"]
    for name, blobs in two.items():
        assert all(np.array_equal(a, b) for a, b in zip(one[name], blobs, strict=True))
    assert not np.array_equal(one["conv/1"][0], other["conv/1"][0])


def test_random_weights_neither_explode_nor_vanish(make_net):
    layers, blob = [], "data"
    for place in range(40):
        settings = {"num_output": 16, "kernel_size": 3, "pad": 1}
        layers.append(make_caffe_layer(f"c{place}", "Convolution", blob, convolution_param=settings))
        layers.append(make_caffe_layer(f"r{place}", "ReLU", f"c{place}", f"c{place}"))
        blob = f"c{place}"
        if place % 2:
            layers.append(make_caffe_layer(f"s{place}", "Eltwise", [f"c{place}", f"c{place - 1}"]))
            blob = f"s{place}"
    spec = make_net_spec("deep", {"data": (1, 3, 16, 16)}, layers)
    net = make_net({"data": (1, 3, 16, 16)}, layers, make_random_weights(spec, 3))
    x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 64
    for name, value in net(x, [blob for blob in net.blob_names if blob != "data"]).items():
        assert 0.05 < float(value.std()) < 5, name


def test_random_weights_leave_out_what_is_not_implemented():
    layers = [
        *SPEC.layers[:4],
        make_caffe_layer("odd", "Warp", "conv/1"),
        make_caffe_layer("fc2", "InnerProduct", "odd"),
        SPEC.layers[4],
    ]
    assert "fc2" not in make_random_weights(make_net_spec("t", {"data": (1, 3, 9, 9)}, layers))


def test_random_weights_need_the_shape_of_the_input():
    with pytest.raises(ModelFileError, match="says no shape of its input"):
        make_random_weights(make_net_spec("t", {"data": None}, SPEC.layers))


def test_random_weights_say_which_layer_makes_no_sense():
    bad = make_caffe_layer("bad", "Convolution", "data", convolution_param={"num_output": 2})
    with pytest.raises(ModelFileError, match="no kernel_size"):
        make_random_weights(make_net_spec("t", {"data": (1, 3, 9, 9)}, [bad]))
