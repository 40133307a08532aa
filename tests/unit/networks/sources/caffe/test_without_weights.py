"""A prototxt without its caffemodel shows the same layers, shapes and field maps as with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netdissect.cli import main
from netdissect.errors import ModelNotFoundError
from netdissect.networks.load import load_without_weights, open_network
from netdissect.networks.sources.caffe.caffe_writer import write_caffe
from netdissect.networks.sources.caffe.prototxt import parse_prototxt
from netdissect.networks.sources.caffe.random_weights import make_random_weights

TEXT = """
input: "data" input_dim: 1 input_dim: 3 input_dim: 32 input_dim: 32
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param { num_output: 5 kernel_size: 5 } }
layer { name: "bn" type: "BatchNorm" bottom: "conv1" top: "conv1" batch_norm_param { use_global_stats: true } }
layer { name: "scale" type: "Scale" bottom: "conv1" top: "conv1" scale_param { bias_term: true } }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool1" top: "fc" inner_product_param { num_output: 4 } }
"""
ODD = """
layer { name: "lstm" type: "LSTM" bottom: "pool1" top: "lstm" }
layer { name: "relu9" type: "ReLU" bottom: "lstm" top: "relu9" }
layer { name: "roi" type: "ROIPooling" bottom: "pool1" top: "roi" }
"""


@pytest.fixture
def stem(tmp_path):
    spec = parse_prototxt(TEXT + ODD)
    write_caffe(tmp_path / "net", spec, make_random_weights(spec, 0))
    return tmp_path / "net"


def test_layers_shapes_and_field_maps_need_no_weights(stem):
    whole = open_network(str(stem)).layers((32, 32))
    stem.with_suffix(".caffemodel").unlink()
    for typed in (str(stem), f"{stem}.prototxt"):
        network = load_without_weights(typed)
        assert network.layers((32, 32)) == whole
        assert network.input_size == (32, 32)
        assert {layer.name for layer in whole} == {"data", "conv1", "pool1", "fc"}
        with pytest.raises(ModelNotFoundError, match="has no caffemodel"):
            network.probe(["conv1"], (32, 32), geometry="grid", device="cpu")
    assert replace(whole[1]).field.size == (5, 5)


def test_a_network_with_its_weights_or_of_another_kind_is_not_described_without_them(stem):
    assert load_without_weights(str(stem)) is None
    assert load_without_weights("torchvision:resnet18") is None
    assert load_without_weights(f"{stem}.prototxt,{stem}.caffemodel") is None


def test_the_command_shows_a_bare_prototxt_and_says_what_hangs_on_which_type(stem, capsys):
    for weights in (True, False):
        if not weights:
            stem.with_suffix(".caffemodel").unlink()
        with pytest.raises(SystemExit) as left:
            main(["layers", f"{stem}.prototxt"])
        said = capsys.readouterr().out
        assert left.value.code == 0
        assert "conv1  Convolution" in said.replace("* ", "")
        assert "2 blobs depend on a layer of type LSTM, which cannot be computed: lstm, relu9" in said
        assert "1 blob depends on a layer of type ROIPooling, which cannot be computed: roi" in said
        assert ("has no caffemodel: its layers can be listed, but not dissected" in said) != weights


def test_a_prototxt_that_asks_for_a_trillion_weights_is_looked_at_without_one(tmp_path):
    (tmp_path / "huge.prototxt").write_text(TEXT.replace("num_output: 4", "num_output: 2000000000"))
    found = {layer.name: layer for layer in load_without_weights(str(tmp_path / "huge.prototxt")).layers((32, 32))}
    assert found["fc"].units == 2_000_000_000
