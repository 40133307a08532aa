"""The field maps traced in a Caffe network are those that its prototxt gives, blob by blob."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.oracle.prototxt_fields import field_maps

from netdissect.networks.preprocess import make_caffe_preprocess
from netdissect.networks.sources.caffe.caffe_network import WeightlessCaffeNetwork
from netdissect.networks.sources.caffe.net_spec import make_caffe_layer, make_net_spec
from netdissect.networks.sources.caffe.prototxt import read_prototxt
from netdissect.networks.sources.caffe.without_weights import make_weightless_net
from netdissect.networks.unit_axes import UNFIT_GRID

SIDE = 96


def trace(spec):
    """Return the layers of a prototxt's network, by name."""
    shape = spec.inputs[0].shape
    network = WeightlessCaffeNetwork(
        module=make_weightless_net(spec, shape),
        preprocess=make_caffe_preprocess(grayscale=shape[1] == 1),
        name="test",
        source="test",
    )
    return {layer.name: layer for layer in network.layers(shape[2:])}


def compare(spec):
    """Compare every blob that the prototxt gives a field map for; return how many there are.

    A field map that does not fit the input, as after some deconvolutions of a deconvolution, is replaced with a note.
    """
    layers = trace(spec)
    given = {blob: field for blob, field in field_maps(spec).items() if field is not None and blob in layers}
    expected = {blob: field for blob, field in given.items() if UNFIT_GRID not in layers[blob].note}
    assert {blob: layers[blob].field for blob in expected} == expected
    assert {layers[blob].geometry for blob in expected} <= {"receptive-field"}
    # What the prototxt cannot place lies after the classifier, where all cells have become one.
    assert all(layer.grid == (1, 1) for name, layer in layers.items() if name not in given)
    return len(expected)


@pytest.mark.shared
def test_every_blob_of_every_prototxt(shared):
    paths = [path for path in sorted((shared / "models").rglob("*.prototxt")) if path.stem != "det4"]  # not on images
    counts = {path.stem: compare(read_prototxt(path)) for path in paths}
    assert len(counts) == 15
    assert sum(counts.values()) == 498


LAYER = st.tuples(
    st.sampled_from(
        ["Convolution", "Deconvolution", "Pooling", "LRN", "ReLU", "Softmax", "Eltwise", "Slice", "ArgMax"]
    ),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(1, 2),
)


@given(st.lists(LAYER, min_size=1, max_size=5))
def test_every_blob_of_small_networks(kinds):
    layers, bottom = [], "data"
    for number, (kind, kernel, stride, pad, dilation) in enumerate(kinds):
        name = f"{kind}{number}"
        window = {"kernel_size": kernel, "stride": stride, "pad": min(pad, kernel - 1)}
        settings = {
            "Convolution": {"convolution_param": window | {"num_output": 4, "dilation": dilation}},
            "Deconvolution": {"convolution_param": window | {"num_output": 4}},
            "Pooling": {"pooling_param": window},
            "ArgMax": {"argmax_param": {"axis": 1}},
        }
        if kind == "Eltwise":
            side = {"kernel_size": 2 * kernel - 1, "pad": kernel - 1, "num_output": 4}
            sides = [f"{name}a", f"{name}b"]
            layers += [make_caffe_layer(one, "Convolution", bottom, convolution_param=side) for one in sides]
            layers.append(make_caffe_layer(name, "Eltwise", sides))
        elif kind == "Slice":
            four = {"num_output": 4, "kernel_size": 1}
            layers += [
                make_caffe_layer(f"{name}in", "Convolution", bottom, convolution_param=four),
                make_caffe_layer(name, "Slice", f"{name}in", [name, f"{name}rest"]),
            ]
        else:
            layers.append(make_caffe_layer(name, kind, bottom, **settings.get(kind, {})))
        bottom = name
    compare(make_net_spec("test", {"data": (1, 3, SIDE, SIDE)}, layers))
