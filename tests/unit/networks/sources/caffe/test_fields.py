"""Where the cells of a Caffe network's blobs look, traced like any network's."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from netdissect.layers import FieldMap
from netdissect.networks.load import load_without_weights, open_network
from netdissect.networks.preprocess import make_caffe_preprocess
from netdissect.networks.sources.caffe.caffe_network import WeightlessCaffeNetwork
from netdissect.networks.sources.caffe.net_spec import make_caffe_layer, make_net_spec
from netdissect.networks.sources.caffe.without_weights import make_weightless_net


def layers_of(*layers):
    spec = make_net_spec("test", {"data": (1, 3, 64, 64)}, layers)
    module = make_weightless_net(spec, (1, 3, 64, 64))
    network = WeightlessCaffeNetwork(module=module, preprocess=make_caffe_preprocess(), name="test", source="test")
    return {layer.name: layer for layer in network.layers((64, 64))}


def fields_of(*layers):
    return {
        name: layer.field if layer.geometry == "receptive-field" else None for name, layer in layers_of(*layers).items()
    }


def conv(name, bottom, **settings):
    return make_caffe_layer(name, "Convolution", bottom, convolution_param={"num_output": 2, **settings})


CONV = conv("conv", "data", kernel_h=5, kernel_w=3, stride=2, pad_h=1, pad_w=0)


def test_a_convolution_looks_through_its_window():
    fields = fields_of(CONV)
    assert fields["data"] == ((0, 0), (1, 1), (1, 1))
    assert fields["conv"] == FieldMap((-1, 0), (5, 3), (2, 2))


def test_windows_are_composed():
    pool = make_caffe_layer("pool", "Pooling", "conv", pooling_param={"kernel_size": 3, "stride": 2, "pad": 1})
    assert fields_of(CONV, pool)["pool"] == FieldMap((-3, -2), (9, 7), (4, 4))


def test_dilation_widens_a_kernel():
    assert fields_of(conv("conv", "data", kernel_size=3, dilation=4))["conv"].size == (9, 9)


def test_in_place_layers_and_channel_wise_layers_leave_the_cells_where_they_are():
    rest = [make_caffe_layer("relu", "ReLU", "conv", "conv"), make_caffe_layer("bn", "BatchNorm", "conv"), make_caffe_layer("scale", "Scale", "bn", "bn"),
            make_caffe_layer("lrn", "LRN", "bn"), make_caffe_layer("slice", "Slice", "lrn", ["a", "b"]), make_caffe_layer("softmax", "Softmax", "a"),
            make_caffe_layer("best", "ArgMax", "b", argmax_param={"axis": 1})]  # fmt: skip
    fields = fields_of(CONV, *rest)
    assert {fields[name] for name in ("conv", "bn", "lrn", "a", "b", "softmax", "best")} == {fields["conv"]}


def test_where_paths_join_the_widest_counts():
    wide = conv("wide", "data", kernel_size=7, pad=3)
    narrow = conv("narrow", "data", kernel_size=3, pad=1)
    fields = fields_of(
        wide,
        narrow,
        make_caffe_layer("sum", "Eltwise", ["narrow", "wide"]),
        make_caffe_layer("cat", "Concat", ["wide", "narrow"]),
    )
    assert fields["sum"] == fields["cat"] == fields["wide"]


def test_a_deconvolution_steps_by_parts_of_a_cell():
    settings = {"num_output": 1, "kernel_size": 4, "stride": 2, "pad": 1}
    up = make_caffe_layer("up", "Deconvolution", "conv", convolution_param=settings)
    fields = fields_of(conv("conv", "data", kernel_size=8, stride=8), up)
    assert fields["up"].step == (4, 4)


@pytest.mark.parametrize(
    ("crop", "offset"),
    [
        ({"offset": [3, 5]}, (3, 5)),
        ({"axis": 1, "offset": [0, 2, 4]}, (2, 4)),
        ({"axis": 3, "offset": 4}, (0, 4)),
    ],
)
def test_a_crop_begins_later(crop, offset):
    rows = 64 if crop.get("axis") == 3 else 48
    small = conv("small", "data", kernel_h=65 - rows, kernel_w=17, num_output=3)
    cropped = make_caffe_layer("crop", "Crop", ["data", "small"], crop_param=crop)
    assert fields_of(small, cropped)["crop"] == FieldMap(offset, (1, 1), (1, 1))


def test_factors_from_elsewhere_do_not_move_the_cells():
    gate = make_caffe_layer("gate", "InnerProduct", "conv", inner_product_param={"num_output": 2})
    fields = fields_of(CONV, gate, make_caffe_layer("gated", "Scale", ["conv", "gate"], scale_param={"axis": 0}))
    assert fields["gated"] == fields["conv"]


@pytest.mark.parametrize(
    ("kind", "settings", "shape"),
    [
        ("Flatten", {}, (2 * 31 * 31,)),
        ("Permute", {"permute_param": {"order": [0, 2, 3, 1]}}, (31, 31, 2)),
        ("ArgMax", {"argmax_param": {"axis": 1, "top_k": 2}}, (2, 31, 31)),
    ],
)
def test_units_are_found_however_a_layer_arranges_them(kind, settings, shape):
    layers = layers_of(CONV, make_caffe_layer("it", kind, "conv", **settings))
    it, below = layers["it"], layers["conv"]
    assert it.shape == shape
    assert (it.units, it.grid, it.field, it.geometry) == (below.units, below.grid, below.field, "receptive-field")


def test_a_cell_of_lrn_within_a_channel_sees_its_neighbors_too():
    lrn = make_caffe_layer("lrn", "LRN", "data", lrn_param={"norm_region": 1, "local_size": 5})
    assert fields_of(lrn)["lrn"] == FieldMap((-2, -2), (5, 5), (1, 1))


def test_a_pooling_over_the_whole_image_is_one_cell_that_sees_it():
    pool = make_caffe_layer("pool", "Pooling", "data", pooling_param={"global_pooling": True})
    assert fields_of(pool)["pool"] == FieldMap((0, 0), (64, 64), (64, 64))


def test_after_a_classifier_there_is_no_place():
    layer = make_caffe_layer("fc", "InnerProduct", "conv", inner_product_param={"num_output": 3})
    fc = layers_of(CONV, layer)["fc"]
    assert (fc.units, fc.grid, fc.geometry) == (3, (1, 1), "grid")


@pytest.mark.parametrize(
    "blind",
    [
        make_caffe_layer("it", "Concat", ["conv", "conv"], concat_param={"axis": 2}),
        make_caffe_layer("it", "Upsample", "conv"),
        make_caffe_layer("it", "Convolution", "conv"),
        make_caffe_layer("it", "ReLU", "nothing"),
    ],
    ids=lambda one: one.type,
)
def test_what_mixes_places_or_cannot_be_computed_is_not_listed(blind):
    assert set(layers_of(CONV, blind, make_caffe_layer("after", "ReLU", "it"))) == {"data", "conv"}


@pytest.mark.shared
def test_field_maps_are_those_of_the_released_code(shared):
    reference = json.loads((shared / "reference/fieldmaps.json").read_text())
    for name, entry in reference.items():
        path = shared / f"models/prototxt/{name}.prototxt"
        if "squeezenet" in name:
            path = shared / "models/squeezenet_v1.0.prototxt"
        network = load_without_weights(str(path)) or open_network(str(path))
        layers = {layer.name: layer for layer in network.layers(network.input_size)}
        assert {blob: [list(pair) for pair in layers[blob].field] for blob in entry["fieldmap"]} == entry["fieldmap"], (
            name
        )
        assert all(layers[blob].grid == (1, 1) for blob in entry["raises"] if blob in layers)


@pytest.mark.shared
def test_requested_blobs_are_computed_and_traced_like_all_blobs_without_values(shared):
    network = open_network(str(shared / "models/squeezenet_v1.0"))
    blobs = ["conv1", "fire2/concat", "fire9/concat", "pool_final"]

    def inspect(names):  # how long blobs live differs
        found = network.inspect(names, (67, 67))
        return {name: replace(info, memory=None) for name, info in found.items() if name in blobs}

    assert inspect(blobs) == inspect(None)


@pytest.mark.shared
def test_probing_a_network_does_not_import_torchs_compiler(shared):
    code = f"""
import sys
from netdissect.networks.load import open_network
open_network({str(shared / "models/squeezenet_v1.0")!r}).inspect(["fire9/concat"], (67, 67))
assert not {{"torch._dynamo", "sympy"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
