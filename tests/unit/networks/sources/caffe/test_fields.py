from __future__ import annotations

import json

import pytest

from netdissect.layers import FieldMap
from netdissect.networks.sources.caffe.net_spec import make_caffe_layer, make_net_spec
from netdissect.networks.sources.caffe.prototxt import read_prototxt
from netdissect.networks.sources.caffe.prototxt_fields import field_maps


def fields_of(*layers):
    return field_maps(make_net_spec("test", {"data": (1, 3, 64, 64)}, layers))


def conv(name, bottom, **settings):
    return make_caffe_layer(name, "Convolution", bottom, convolution_param={"num_output": 1, **settings})


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


def test_a_crop_begins_later():
    crop = make_caffe_layer("crop", "Crop", ["data", "data"], crop_param={"offset": [3, 5]})
    assert fields_of(crop)["crop"] == FieldMap((3, 5), (1, 1), (1, 1))
    crop = make_caffe_layer("crop", "Crop", ["data", "data"], crop_param={"axis": 1, "offset": [0, 2, 4]})
    assert fields_of(crop)["crop"].offset == (2, 4)
    crop = make_caffe_layer("crop", "Crop", ["data", "data"], crop_param={"axis": 3, "offset": 4})
    assert fields_of(crop)["crop"].offset == (0, 4)


def test_factors_from_elsewhere_do_not_move_the_cells():
    gate = make_caffe_layer("gate", "Pooling", "conv", pooling_param={"global_pooling": True})
    fields = fields_of(CONV, gate, make_caffe_layer("gated", "Scale", ["conv", "gate"], scale_param={"axis": 0}))
    assert fields["gate"] is None
    assert fields["gated"] == fields["conv"]


@pytest.mark.parametrize(
    "blind",
    [
        make_caffe_layer("it", "InnerProduct", "conv", inner_product_param={"num_output": 3}),
        make_caffe_layer("it", "Pooling", "conv", pooling_param={"global_pooling": True}),
        make_caffe_layer("it", "Flatten", "conv"),
        make_caffe_layer("it", "Reshape", "conv"),
        make_caffe_layer("it", "Permute", "conv", permute_param={"order": [0, 2, 3, 1]}),
        make_caffe_layer("it", "Concat", ["conv", "conv"], concat_param={"axis": 2}),
        make_caffe_layer("it", "Slice", "conv", slice_param={"axis": -1}),
        make_caffe_layer("it", "ArgMax", "conv"),
        make_caffe_layer("it", "Upsample", "conv"),
        make_caffe_layer("it", "Convolution", "conv"),
        make_caffe_layer("it", "ReLU", "nothing"),
    ],
    ids=lambda one: one.type,
)
def test_behind_some_layers_no_cell_can_be_told(blind):
    fields = fields_of(CONV, blind, make_caffe_layer("after", "ReLU", "it"))
    assert fields["it"] is None
    assert fields["after"] is None


@pytest.mark.shared
def test_field_maps_are_those_of_the_released_code(shared):
    reference = json.loads((shared / "reference/fieldmaps.json").read_text())
    for name, entry in reference.items():
        path = shared / f"models/prototxt/{name}.prototxt"
        if "squeezenet" in name:
            path = shared / "models/squeezenet_v1.0.prototxt"
        fields = field_maps(read_prototxt(path))
        ours = {blob: [list(pair) for pair in fields[blob]] for blob in entry["fieldmap"]}
        assert ours == entry["fieldmap"], name
        assert all(fields[blob] is None for blob in entry["raises"])
