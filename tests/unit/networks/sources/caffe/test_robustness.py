"""One network with every kind of layer, whole and damaged: only errors of this package are raised."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
import torch

from netdissect.errors import NetdissectError
from netdissect.networks.sources.caffe.caffe_loader import load_caffe
from netdissect.networks.sources.caffe.caffe_net import CaffeNet
from netdissect.networks.sources.caffe.caffe_writer import write_caffe
from netdissect.networks.sources.caffe.caffemodel import parse_caffemodel
from netdissect.networks.sources.caffe.layers import LAYER_TYPES
from netdissect.networks.sources.caffe.net_spec import NetSpec
from netdissect.networks.sources.caffe.prototxt import parse_prototxt
from netdissect.networks.sources.caffe.random_weights import make_random_weights

TEXT = """
name: "all" input: "data" input_dim: [2, 4, 12, 12]
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 6 kernel_size: 3 pad: 1 stride: 1 group: 2 dilation: 1 } }
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" batch_norm_param { eps: 0.001 } }
layer { name: "scale1" type: "Scale" bottom: "conv1" top: "conv1" scale_param { bias_term: true } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" relu_param { negative_slope: 0.5 } }
layer { name: "within" type: "LRN" bottom: "conv1" top: "within"
        lrn_param { local_size: 5 alpha: 0.1 norm_region: WITHIN_CHANNEL } }
layer { name: "across" type: "LRN" bottom: "conv1" top: "across" lrn_param { local_size: 3 alpha: 0.5 beta: 0.6 } }
layer { name: "ave" type: "Pooling" bottom: "within" top: "ave"
        pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "max" type: "Pooling" bottom: "across" top: "max"
        pooling_param { pool: MAX kernel_h: 3 kernel_w: 3 stride: 2 pad: 1 } }
layer { name: "cat" type: "Concat" bottom: "ave" bottom: "max" top: "cat" concat_param { axis: 1 } }
layer { name: "slice" type: "Slice" bottom: "cat" top: "s1" top: "s2" slice_param { slice_point: 6 } }
layer { name: "sum" type: "Eltwise" bottom: "s1" bottom: "s2" top: "sum" eltwise_param { coeff: 1 coeff: -1 } }
layer { name: "up" type: "Deconvolution" bottom: "sum" top: "up"
        convolution_param { num_output: 6 kernel_size: 4 stride: 2 group: 6 bias_term: false } }
layer { name: "crop" type: "Crop" bottom: "up" bottom: "conv1" top: "crop" crop_param { axis: 2 offset: 1 } }
layer { name: "permute" type: "Permute" bottom: "crop" top: "permute" permute_param { order: [0, 2, 3, 1] } }
layer { name: "reshape" type: "Reshape" bottom: "permute" top: "reshape" reshape_param { shape { dim: [0, -1, 6] } } }
layer { name: "flat" type: "Flatten" bottom: "reshape" top: "flat" flatten_param { axis: 1 } }
layer { name: "fc" type: "InnerProduct" bottom: "flat" top: "fc" inner_product_param { num_output: 5 axis: 1 } }
layer { name: "drop" type: "Dropout" bottom: "fc" top: "fc" }
layer { name: "prelu" type: "PReLU" bottom: "fc" top: "fc" }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" softmax_param { axis: 1 } }
layer { name: "best" type: "ArgMax" bottom: "prob" top: "best" argmax_param { top_k: 2 out_max_val: true } }
layer { name: "power" type: "Power" bottom: "sum" top: "power" power_param { power: 2 scale: 2 shift: 1 } }
layer { name: "exp" type: "Exp" bottom: "power" top: "exp" exp_param { base: 2 scale: 0.01 } }
layer { name: "log" type: "Log" bottom: "power" top: "log" log_param { base: 2 shift: 1 } }
layer { name: "bias" type: "Bias" bottom: "sum" top: "bias" bias_param { axis: 1 } }
layer { name: "split" type: "Split" bottom: "bias" top: "bias_a" top: "bias_b" }
layer { name: "elu" type: "ELU" bottom: "bias_a" top: "elu" elu_param { alpha: 2 } }
layer { name: "sigmoid" type: "Sigmoid" bottom: "bias_a" top: "sigmoid" }
layer { name: "tanh" type: "TanH" bottom: "bias_a" top: "tanh" }
layer { name: "abs" type: "AbsVal" bottom: "bias_a" top: "abs" }
layer { name: "bnll" type: "BNLL" bottom: "bias_a" top: "bnll" }
layer { name: "silence" type: "Silence" bottom: "bias_b" }
"""
SPEC = parse_prototxt(TEXT)
WEIGHTS = make_random_weights(SPEC, 1)
WORDS = [b"{", b"}", b"-1", b"0", b"99999", b"4294967295", b"2", b"7", b"-3", b"5", b"axis: 0", b"12"]
NAMES = ["conv1", "data", "ave", "fc", "sum", "flat", "best", "reshape", *LAYER_TYPES]


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    return write_caffe(tmp_path_factory.mktemp("all") / "all", SPEC, WEIGHTS)[1].read_bytes()


def test_the_network_has_every_kind_of_layer_and_runs(tmp_path):
    assert {layer.type for layer in SPEC.layers} == set(LAYER_TYPES)
    write_caffe(tmp_path / "all", SPEC, WEIGHTS)
    net = load_caffe(tmp_path / "all")
    x = torch.randn(3, 4, 12, 12, generator=torch.Generator().manual_seed(0)) * 50
    out = net(x, net.blob_names)
    assert all(torch.isfinite(value).all() for value in out.values())
    assert net.outputs == ["best", "exp", "log", "bias_b", "elu", "sigmoid", "tanh", "abs", "bnll"]


def test_opencv_agrees_with_every_kind_of_layer_it_has(tmp_path, opencv_blobs, relative_error):
    """OpenCV has no ArgMax, Bias or Silence, and its Log takes another base."""
    layers = [layer for layer in SPEC.layers if layer.type not in ("ArgMax", "Bias", "Log", "Silence")]
    text = NetSpec("most", SPEC.inputs, tuple(layers)).to_prototxt()
    spec = parse_prototxt(text.replace('bottom: "bias"', 'bottom: "sum"'))
    write_caffe(tmp_path / "most", spec, make_random_weights(spec, 1))
    net = load_caffe(tmp_path / "most")
    x = np.random.default_rng(0).standard_normal((2, 4, 12, 12)).astype(np.float32) * 50
    blobs = [blob for blob in net.blob_names if blob not in ("data", "s2", "bias_b")]
    ours, theirs = net(torch.from_numpy(x), blobs), opencv_blobs(tmp_path / "most", net, x, blobs)
    for blob in blobs:
        assert relative_error(ours[blob].numpy(), theirs[blob].reshape(ours[blob].shape)) < 1e-4, blob


def damaged_text(chance):
    text = TEXT
    for _ in range(chance.randrange(1, 5)):
        found = chance.choice(list(re.finditer(r'(?<=: )-?[\d.]+|"\w+"|(?<=: )[A-Z_]+', text)))
        word = f'"{chance.choice(NAMES)}"' if found[0].startswith('"') else chance.choice(WORDS).decode()
        text = text[: found.start()] + word + text[found.end() :]
    return text


def damaged_bytes(chance, data):
    data = bytearray(data)
    for _ in range(chance.randrange(1, 6)):
        data[chance.choice([chance.randrange(len(data)), chance.randrange(200)])] ^= 1 << chance.randrange(8)
    return bytes(data[: chance.randrange(len(data))] if chance.random() < 0.2 else data)


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_network_runs_or_says_why_not(seed, binary):
    chance = random.Random(seed)
    text, data = (damaged_text(chance), binary) if seed % 3 else (TEXT, damaged_bytes(chance, binary))
    try:
        net = CaffeNet(parse_prototxt(text), parse_caffemodel(data))
    except NetdissectError:
        return
    for blob in net.blob_names:
        try:
            net(torch.ones(1, net.input_channels or 4, 12, 12), [blob])
        except NetdissectError as error:
            said = str(error)
            assert said
            assert "\n" not in said
