"""Units of Caffe networks with branches: the graph says where the forward pass can be cut."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from netdissect.errors import ModelError
from netdissect.networks.load import wrap_module
from netdissect.networks.sources.caffe.caffe_cuts import find_class_blob
from netdissect.networks.sources.caffe.caffe_net import CaffeNet
from netdissect.networks.sources.caffe.net_spec import make_caffe_layer, make_net_spec
from netdissect.networks.sources.caffe.random_weights import make_random_weights

CPU = torch.device("cpu")
SIZE = (16, 16)


def convolve(name, bottom, units):
    shape = {"num_output": units, "kernel_size": 3, "pad": 1}
    return [
        make_caffe_layer(name, "Convolution", bottom, convolution_param=shape),
        make_caffe_layer(f"relu_{name}", "ReLU", name, name),
    ]


@pytest.fixture(scope="module")
def network():
    """An inception block, a block with a shortcut, a classifier of an early layer and one of the last."""
    layers = [
        *convolve("stem", "data", 6),
        *convolve("narrow", "stem", 4),
        *convolve("wide", "stem", 5),
        make_caffe_layer("concat", "Concat", ["narrow", "wide"]),
        make_caffe_layer("early", "InnerProduct", "concat", inner_product_param={"num_output": 7}),
        *convolve("branch", "concat", 9),
        make_caffe_layer("sum", "Eltwise", ["concat", "branch"]),
        make_caffe_layer("pool", "Pooling", "sum", pooling_param={"pool": "AVE", "global_pooling": True}),
        make_caffe_layer("fc", "InnerProduct", "pool", inner_product_param={"num_output": 5}),
        make_caffe_layer("prob", "Softmax", "fc"),
    ]
    spec = make_net_spec("branches", {"data": (1, 3, *SIZE)}, layers)
    return wrap_module(CaffeNet(spec, make_random_weights(spec, 0)))


@pytest.mark.parametrize(
    ("layer", "restart", "is_pooled"),
    [
        ("stem", "", False),
        ("narrow", "blob stem", False),
        ("wide", "blob stem", False),
        ("concat", "", False),
        ("branch", "", True),
        ("sum", "", True),
    ],
)
def test_sets_of_units_are_removed_from_the_nearest_blob_that_nothing_by_passes(network, layer, restart, is_pooled):
    images = np.random.default_rng(0).integers(0, 256, (4, *SIZE, 3), np.uint8)
    x = network.preprocess(torch.from_numpy(images))
    with network.open_ablation(layer, SIZE, device=CPU) as source:
        removed = np.random.default_rng(1).random((6, source.layer.units)) < 0.4
        found = source.remove(images, removed, np.zeros(source.layer.units, np.float32))
        assert source.note.endswith(restart)
        assert bool(source.note) == bool(restart)
        assert source._sets.is_pooled == is_pooled
    for one, outputs in zip(removed, found, strict=True):
        net = network.module
        if layer not in ("concat", "sum"):  # its units are those of a convolution
            net = copy.deepcopy(net)
            for values in net.layers[layer].parameters():
                values[torch.from_numpy(one)] = 0
            expected = net(x, blobs=["fc"])["fc"]
        else:
            with network.without(layer, np.flatnonzero(one) + 1):
                expected = net(x, blobs=["fc"])["fc"]
        np.testing.assert_allclose(outputs, expected.detach(), rtol=1e-4, atol=1e-3 * float(expected.abs().max()))


def test_the_last_classifier_counts_and_not_its_softmax(network):
    graph = network.module.graph
    assert graph.blobs[find_class_blob(network.module)] == "fc"


def test_an_early_classifier_is_no_class_output(network):
    source = network.open_ablation("early", SIZE, device=CPU)
    with pytest.raises(ModelError, match="do not depend on layer early"), source:
        pass


def test_a_prototxt_without_weights_is_one_sentence(network, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'name: "n" layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }\n'
        'layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 4 kernel_size: 3 } }'
    )
    from netdissect.networks.load import load_without_weights

    with pytest.raises(ModelError, match="no caffemodel"):
        load_without_weights(str(path)).open_ablation("c", (8, 8), device=CPU)
