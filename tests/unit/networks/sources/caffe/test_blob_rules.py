"""What Caffe refuses is refused, with the names of both writers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from netdissect.errors import ModelFileError
from netdissect.networks.sources.caffe.caffe_net import CaffeNet
from netdissect.networks.sources.caffe.prototxt import parse_prototxt
from netdissect.networks.sources.caffe.random_weights import make_random_weights

INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 12 dim: 12 } } }\n'


def conv(name, bottom, top, outputs=3):
    return (
        f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{top}" '
        f"convolution_param {{ num_output: {outputs} kernel_size: 3 pad: 1 }} }}\n"
    )


def layer(kind, bottoms, tops, name="x", more=""):
    blobs = " ".join([*(f'bottom: "{one}"' for one in bottoms), *(f'top: "{one}"' for one in tops)])
    return f'layer {{ name: "{name}" type: "{kind}" {blobs} {more} }}\n'


BASE = INPUT + conv("conv1", "data", "conv1") + layer("ReLU", ["conv1"], ["conv1"], "relu1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BASE + conv("conv2", "conv1", "conv2") + layer("ReLU", ["data"], ["conv1"]),
         r'the blob \'conv1\' is written by layer "conv1" \(Convolution\) and by layer "x" \(ReLU\)'),
        (BASE + layer("ReLU", ["conv1"], ["data"]), r"'data' is written by the network's input and by layer \"x\""),
        (BASE + layer("Eltwise", ["data", "conv1"], ["conv1"]), r"'conv1' is written by .* and by layer \"x\" \(Eltwise\)"),
        (BASE + layer("Slice", ["conv1"], ["a", "a"]), r"'a' is written twice by layer \"x\" \(Slice\)"),
        (BASE + layer("LSTM", ["conv1"], ["conv1", "conv1"]), r"'conv1' is written by .* and by layer \"x\" \(LSTM\)"),
        (INPUT + BASE, r"'data' is written twice by the network's input"),
        ('input: "data" input_dim: 1 input_dim: 3 input_dim: 12 input_dim: 12\n' + BASE, "'data' is written twice by the"),
        (BASE + layer("Data", [], ["data", "label"]), r"'data' is written twice by the network's input"),
        (BASE + layer("Flatten", ["conv1"], ["conv1"]), r'layer "x" \(Flatten\) overwrites its bottom \'conv1\''),
        (BASE + layer("Reshape", ["conv1"], ["conv1"]), r'layer "x" \(Reshape\) overwrites its bottom \'conv1\''),
    ],
)  # fmt: skip
def test_a_blob_with_two_writers_is_refused_and_both_are_named(text, said):
    with pytest.raises(ModelFileError, match=f"net.prototxt: .*{said}"):
        CaffeNet(parse_prototxt(text, where="net.prototxt"), {})


def test_a_network_created_in_python_follows_the_same_rules():
    from netdissect.networks.sources.caffe.net_spec import make_caffe_layer as made
    from netdissect.networks.sources.caffe.net_spec import make_net_spec

    spec = make_net_spec("t", {"data": (1, 3, 8, 8)}, [made("a", "ReLU", "data", "b"), made("c", "ReLU", "data", "b")])
    with pytest.raises(ModelFileError, match=r"'b' is written by layer \"a\" \(ReLU\) and by layer \"c\" \(ReLU\)"):
        CaffeNet(spec, {})


def test_layers_in_place_and_data_layers_of_two_phases_stay_what_they_are():
    phases = "".join(
        layer(
            "Data", [], ["data", "label"], "data", f"include {{ phase: {phase} }} transform_param {{ crop_size: 12 }}"
        )
        for phase in ("TRAIN", "TEST")
    )
    text = phases + BASE.removeprefix(INPUT) + layer("Dropout", ["conv1"], ["conv1"], "drop")
    spec = parse_prototxt(text)
    net = CaffeNet(spec, make_random_weights(spec, 0))
    out = net(torch.randn(1, 3, 12, 12), ["conv1"])["conv1"]
    assert out.min() == 0
    assert out.max() > 0


def test_two_layers_of_one_name_share_no_weights_by_accident():
    spec = parse_prototxt(BASE + conv("conv1", "conv1", "conv2"))
    blobs = [np.zeros((3, 3, 3, 3), np.float32), np.zeros(3, np.float32)]
    with pytest.raises(
        ModelFileError, match=r'two layers with weights are called "conv1" \(Convolution, Convolution\)'
    ):
        CaffeNet(spec, {"conv1": blobs})
    harmless = parse_prototxt(BASE + layer("ReLU", ["conv1"], ["conv1"], "relu1"))
    CaffeNet(harmless, {"conv1": blobs})
