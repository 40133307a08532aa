"""What an ONNX file takes, and what its inner tensors are called."""

from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto
from tests.unit.networks.sources.onnx import graphs

from netdissect.errors import ModelFileError
from netdissect.networks.sources.onnx.onnx_file import read_onnx
from netdissect.networks.sources.onnx.onnx_graph import OnnxGraph


def graph(path):
    return OnnxGraph(read_onnx(path))


def test_a_tensor_is_found_by_its_own_name_and_by_the_node_that_gives_it(tmp_path):
    found = graph(graphs.convolution(tmp_path))
    assert [found.find_tensor(name) for name in ("y", "first", "z", "second")] == ["y", "y", "z", "z"]
    assert [found.find_tensor(name) for name in ("x", "w", "third")] == [None, None, None]


def test_files_of_torchs_exporter_know_the_modules(exported):
    found = graph(exported)
    assert found.find_tensor("stem") == found.find_tensor("node_conv2d") == "conv2d"
    # A module that ran twice gave its last output; a block is what leaves it.
    assert found.find_tensor("block.relu") == found.find_tensor("block") == "relu_2"
    # A batch norm that was folded into the convolution before it gives what that gives now.
    assert found.find_tensor("block.bn") == "getitem"
    assert found.find_tensor("block.conv") is None
    # What goes into a module can be meant too, such as the heads of an attention.
    assert found.find_tensor("attention.proj:in") == "matmul_1"
    assert found.find_tensor("block:in") == "relu"
    assert found.modules["relu_2"] == [("block", "DilatedBlock"), ("block.relu", "ReLU")]


def test_files_of_the_exporter_before_are_known_by_nodes(legacy):
    found = graph(legacy)
    assert found.find_tensor("/block/Add") == "/block/Add_output_0"
    assert found.modules == {}


def test_notes_that_are_no_list_are_passed_over(tmp_path):
    made = graphs.model([graphs.node("Relu", ["x"], ["y"], "first")])
    for text in ("import os", "['a'", "('a', 'b')"):
        del made.graph.node[0].metadata_props[:]
        made.graph.node[0].metadata_props.add(key="pkg.torch.onnx.name_scopes", value=text)
        onnx.save(made, tmp_path / "net.onnx")
        assert graph(tmp_path / "net.onnx").modules == {}


def test_only_what_a_tensor_needs_is_run(tmp_path):
    nodes = [
        graphs.node("Relu", ["x"], ["a"]),
        graphs.node("Abs", ["x"], ["b"]),
        graphs.node("Conv", ["a", "w"], ["c"]),
        graphs.node("Add", ["b", "b"], ["d"]),
    ]
    found = graph(graphs.written(tmp_path, nodes, [graphs.weights("w", 2, 3, 3, 3)]))
    part = onnx.ModelProto.FromString(found.extract(["b"]).model)
    assert [node.op_type for node in part.graph.node] == ["Abs"]
    assert not part.graph.initializer
    part = onnx.ModelProto.FromString(found.extract(["c"]).model)
    assert [node.op_type for node in part.graph.node] == ["Relu", "Conv"]
    assert [tensor.name for tensor in part.graph.initializer] == ["w"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("ncyx", None, 3, (None, None))),
        ({"shape": (4, 3, 32, 48)}, ("ncyx", 4, 3, (32, 48))),
        ({"shape": (1, 32, 32, 3), "channels": 32}, ("nyxc", 1, 3, (32, 32))),
        ({"shape": ("n", 1, 28, 28), "channels": 1}, ("ncyx", None, 1, (28, 28))),
    ],
)
def test_what_it_takes_is_read_off_its_input(tmp_path, options, expected):
    given = graph(graphs.convolution(tmp_path, **options)).input
    fixed = given.fixed
    assert (given.meanings, fixed.batch, fixed.channels, (fixed.height, fixed.width)) == expected


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"shape": ("n", 4, 8, 8), "channels": 4}, "with 4 channels"),
        ({"shape": (1, 768), "channels": 3}, "with 2 dimensions"),
        ({"dtype": TensorProto.INT64}, "type number 7"),
        ({"inputs": ("x", "text")}, r"got 2 \(x, text\)"),
    ],
)
def test_an_input_that_is_no_image_is_reported(tmp_path, options, sentence):
    with pytest.raises(ModelFileError, match=sentence):
        _ = graph(graphs.convolution(tmp_path, **options)).input
