from __future__ import annotations

import zlib

import numpy as np
import pytest

from netdissect.errors import ModelFileError
from netdissect.networks.sources.caffe.fillers import fill_blobs
from netdissect.networks.sources.caffe.net_spec import make_caffe_layer, make_net_spec
from netdissect.networks.sources.caffe.prototxt import parse_prototxt
from netdissect.networks.sources.caffe.random_weights import make_random_weights

SHAPE = (64, 32, 5, 5)


def fill(kind="Convolution", shapes=(SHAPE, (64,)), bottoms="data", **settings):
    name = {"Convolution": "convolution_param", "Deconvolution": "convolution_param", "InnerProduct": "inner_product_param",
            "Scale": "scale_param", "Bias": "bias_param", "PReLU": "prelu_param"}[kind]  # fmt: skip
    layer = make_caffe_layer("one", kind, bottoms, **{name: settings})
    return fill_blobs(layer, shapes, np.random.default_rng(0))


def test_without_a_filler_nothing_is_drawn():
    assert fill() == [None, None]
    assert (
        fill_blobs(make_caffe_layer("one", "BatchNorm", "data"), [(3,), (3,), (1,)], np.random.default_rng(0))
        == [None] * 3
    )


@pytest.mark.parametrize(
    ("filler", "mean", "spread"),
    [
        ({"type": "gaussian", "std": 0.01}, 0, 0.01),
        ({"type": "gaussian", "mean": 2, "std": 0.5}, 2, 0.5),
        ({"type": "xavier"}, 0, np.sqrt(1 / 800)),  # fan in: 32 · 5 · 5
        ({"type": "xavier", "variance_norm": "FAN_OUT"}, 0, np.sqrt(1 / 1600)),  # fan out: 64 · 5 · 5
        ({"type": "xavier", "variance_norm": "AVERAGE"}, 0, np.sqrt(1 / 1200)),
        ({"type": "msra"}, 0, np.sqrt(2 / 800)),
        ({"type": "msra", "variance_norm": "FAN_OUT"}, 0, np.sqrt(2 / 1600)),
        ({"type": "uniform", "min": -1, "max": 3}, 1, 4 / np.sqrt(12)),
        ({"type": "uniform"}, 0.5, 1 / np.sqrt(12)),
    ],
)  # fmt: skip
def test_weights_have_the_mean_and_spread_of_caffes_fillers(filler, mean, spread):
    weights, bias = fill(weight_filler=filler)
    assert weights.shape == SHAPE
    assert weights.dtype == np.float32
    assert weights.mean() == pytest.approx(mean, abs=4 * spread / np.sqrt(weights.size))
    assert weights.std() == pytest.approx(spread, rel=0.02)
    assert bias.tolist() == [0] * 64


def test_xavier_is_even_and_msra_is_normal():
    even, normal = (fill(weight_filler={"type": kind})[0] for kind in ("xavier", "msra"))
    assert np.abs(even).max() <= np.sqrt(3 / 800)
    assert np.abs(even).max() == pytest.approx(np.sqrt(3 / 800), rel=0.01)
    assert np.abs(normal).max() > 3.5 * np.sqrt(2 / 800)


def test_a_constant_and_the_default_filler():
    weights, bias = fill(weight_filler={}, bias_filler={"type": "constant", "value": 0.25})
    assert not weights.any()
    assert bias.tolist() == [0.25] * 64


def test_a_bias_filler_alone_leaves_the_weights_undrawn():
    weights, bias = fill(bias_filler={"value": 1})
    assert weights is None
    assert bias.tolist() == [1] * 64


def test_sparse_weights_have_as_many_inputs_as_the_filler_says():
    weights, _ = fill("InnerProduct", ((50, 4000), (50,)), weight_filler={"type": "gaussian", "sparse": 10})
    assert (weights != 0).mean() == pytest.approx(10 / 50, abs=0.01)


def test_a_unit_ball_sums_up_to_one_for_every_output():
    weights, _ = fill(weight_filler={"type": "positive_unitball"})
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=(1, 2, 3)), 1, rtol=1e-5)


def test_bilinear_kernels_interpolate():
    weights, _ = fill("Deconvolution", ((2, 1, 4, 4), (2,)), weight_filler={"type": "bilinear"})
    line = np.array([0.25, 0.75, 0.75, 0.25])
    np.testing.assert_allclose(weights[1, 0], line[:, None] * line)


def test_other_layers_have_fillers_of_their_own():
    factors, bias = fill("Scale", ((3,), (3,)), filler={"value": 2}, bias_filler={"value": 5}, bias_term=True)
    assert (factors.tolist(), bias.tolist()) == ([2] * 3, [5] * 3)
    assert fill("Scale", ((3,),), ["data", "other"], bias_filler={"value": 5}, bias_term=True)[0].tolist() == [5] * 3
    assert fill("Bias", ((3,),), filler={"value": 3})[0].tolist() == [3] * 3
    assert fill("PReLU", ((3,),), filler={"value": 0.25})[0].tolist() == [0.25] * 3


def test_a_filler_that_caffe_does_not_have_is_refused():
    with pytest.raises(
        ModelFileError, match=r'layer "one" \(Convolution\): expected a filler of Caffe \(constant, .*got \'magic\''
    ):
        fill(weight_filler={"type": "magic"})


def test_a_network_draws_what_its_prototxt_says_and_the_rest_as_before():
    text = """
    name: "net" input: "data" input_shape { dim: 1 dim: 3 dim: 16 dim: 16 }
    layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param { num_output: 40 kernel_size: 5
      weight_filler { type: "gaussian" std: 0.01 } bias_filler { type: "constant" value: 1 } } }
    layer { name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2" convolution_param { num_output: 4 kernel_size: 3 } }
    """
    spec = parse_prototxt(text)
    found, again, other = (make_random_weights(spec, seed) for seed in (1, 1, 2))
    assert found["conv1"][0].std() == pytest.approx(0.01, rel=0.05)
    assert found["conv1"][1].tolist() == [1] * 40
    np.testing.assert_array_equal(found["conv1"][0], again["conv1"][0])
    assert (found["conv1"][0] != other["conv1"][0]).any()
    halvings = np.log2(
        float(found["conv2"][0].std()) / np.sqrt(2 / 360)
    )  # a power of two, after the spread of He et al.
    assert halvings == pytest.approx(round(halvings), abs=0.1)
    assert parse_prototxt(spec.to_prototxt()).layers == spec.layers


def test_weights_without_fillers_are_those_of_earlier_versions():
    layer = make_caffe_layer("fc", "InnerProduct", "data", inner_product_param={"num_output": 2})
    spec = make_net_spec("net", {"data": (1, 3, 1, 1)}, [layer])
    normal = np.random.default_rng([0, zlib.crc32(b"fc")]).standard_normal((2, 3), dtype=np.float32)
    weights = make_random_weights(spec)["fc"][0]
    ratio = weights / (normal * np.float32(np.sqrt(2 / 3)))
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-5)
    assert np.log2(ratio[0, 0]) == pytest.approx(round(float(np.log2(ratio[0, 0]))), abs=1e-5)
