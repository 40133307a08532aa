"""ONNX files are read without trusting them: what is damaged, outside its folder or of another kind is one sentence."""

from __future__ import annotations

import os
import pickle
import sys

import numpy as np
import onnx
import pytest
from tests.unit.networks.sources.onnx import graphs

from netdissect.errors import MissingExtraError, ModelFileError, ModelNotFoundError
from netdissect.networks.load import open_network
from netdissect.networks.sources.onnx.onnx_file import read_onnx


def outside(path, location):
    """Write the same network with its weights in a file of that name; returns its path."""
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        onnx.external_data_helper.set_external_data(tensor, location)
        tensor.ClearField("raw_data")
    path.write_bytes(model.SerializeToString())
    return path


def activations(path, layer="z"):
    import torch

    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    with open_network(str(path)).probe([layer], (8, 8), geometry="grid", device=torch.device("cpu")) as source:
        return source.activations(images)[layer]


def test_weights_beside_the_file_are_read(tmp_path):
    path = graphs.convolution(tmp_path)
    inside, digest = activations(path), read_onnx(path).digest
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (activations(path) == inside).all()
    beside = read_onnx(path).digest
    data = (tmp_path / "weights.bin").read_bytes()
    (tmp_path / "weights.bin").write_bytes(bytes([data[0] ^ 1]) + data[1:])
    assert len({digest, beside, read_onnx(path).digest}) == 3


def test_large_weights_beside_the_file_are_read(tmp_path):
    nodes = [graphs.node("Conv", ["x", "w"], ["y"]), graphs.node("Relu", ["y"], ["z"])]
    path = graphs.written(tmp_path, nodes, [graphs.weights("w", 64, 3, 5, 5)])
    expected = activations(path)
    assert read_onnx(path).arrays["w"].shape == (64, 3, 5, 5)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (activations(path) == expected).all()
    assert pickle.loads(pickle.dumps(read_onnx(path))).digest == read_onnx(path).digest


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "folder/../../secret", "link", ""])
def test_weights_outside_the_folder_are_refused(tmp_path, location):
    (tmp_path / "secret").write_bytes(bytes(1000))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    path = outside(graphs.convolution(folder), location)
    with pytest.raises(ModelFileError, match=r"outside its folder: refused"):
        read_onnx(path)


def test_weights_that_are_missing_or_cut_off_are_reported(tmp_path):
    path = outside(graphs.convolution(tmp_path), "weights.bin")
    with pytest.raises(ModelFileError, match=r"expected the weights 'w' .* there is no file 'weights.bin'"):
        read_onnx(path)
    (tmp_path / "weights.bin").write_bytes(bytes(100))
    with pytest.raises(ModelFileError, match=r"onnxruntime cannot run it"):
        activations(path)
    path = graphs.convolution(tmp_path)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="more.bin", size_threshold=0)
    (tmp_path / "more.bin").write_bytes((tmp_path / "more.bin").read_bytes()[:-1])
    with pytest.raises(ModelFileError, match=r"'more.bin' is too short for them: truncated"):
        read_onnx(path)


def test_a_place_that_is_no_number_is_reported(tmp_path):
    path = outside(graphs.convolution(tmp_path), "weights.bin")
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer[0].external_data.add(key="offset", value="first")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match=r"got an offset or length that is not a number"):
        read_onnx(path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "got one without a graph"),
        (b"hello", "damaged or of another kind"),
        (bytes(range(256)) * 40, "damaged or of another kind"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "got a pointer of Git LFS"),
    ],
)
def test_a_file_that_is_no_onnx_file_is_reported(tmp_path, content, sentence):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=sentence):
        read_onnx(path)


def test_no_file_and_a_folder_are_reported(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"expected an ONNX file, got none"):
        open_network(str(tmp_path / "net.onnx"))
    (tmp_path / "net.onnx").mkdir()
    with pytest.raises(ModelNotFoundError, match=r"expected an ONNX file, got a folder"):
        open_network(str(tmp_path / "net.onnx"))


def test_a_file_cut_off_or_changed_anywhere_is_one_sentence_or_still_a_network(exported, tmp_path):
    data = exported.read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.onnx"
    refused = 0
    for _ in range(60):
        damaged = bytearray(data[: rng.integers(len(data))] if rng.random() < 0.5 else data)
        for _ in range(rng.integers(1, 6) if damaged else 0):
            damaged[rng.integers(len(damaged))] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            open_network(str(path)).layers((32, 32))
        except ModelFileError:
            refused += 1
    assert refused > 20


def test_names_that_are_no_text_are_reported(tmp_path):
    path = graphs.convolution(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"second", b"secon\xff"))
    with pytest.raises(ModelFileError, match="damaged names"):
        read_onnx(path)


def test_functions_of_the_file_are_put_in_place(tmp_path):
    made = graphs.model([graphs.node("Twice", ["x"], ["z"], domain="own")])
    body = [graphs.node("Add", ["a", "a"], ["b"])]
    made.functions.append(
        onnx.helper.make_function("own", "Twice", ["a"], ["b"], body, [onnx.helper.make_opsetid("", 20)])
    )
    made.opset_import.append(onnx.helper.make_opsetid("own", 1))
    path = tmp_path / "net.onnx"
    onnx.save(made, path)
    assert [layer.kind for layer in open_network(str(path)).layers((8, 8))] == ["Add"]


@pytest.mark.parametrize("library", ["onnx", "onnxruntime"])
def test_a_missing_library_is_one_sentence(tmp_path, monkeypatch, library):
    path = graphs.convolution(tmp_path)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"{library} is needed .* pip install 'netdissect\[onnx\]'"):
        open_network(str(path)).layers((8, 8))


def test_one_file_beside_it_is_not_the_weights_of_a_thousand_tensors(tmp_path):
    path = outside(graphs.convolution(tmp_path), "weights.bin")
    (tmp_path / "weights.bin").write_bytes(bytes(4 * 4 * 3 * 3 * 3))
    model = onnx.load(path, load_external_data=False)
    for number in range(1000):
        twin = model.graph.initializer.add()
        twin.CopyFrom(model.graph.initializer[0])
        twin.name = f"twin {number}"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(
        ModelFileError, match=r"its weights take more than 4 times the bytes that its external files hold, 432"
    ):
        read_onnx(path)


def test_sparse_weights_are_not_written_out_at_any_size(tmp_path):
    path = graphs.convolution(tmp_path)
    model = onnx.load(path)
    sparse = model.graph.sparse_initializer.add(dims=[10**6, 10**6])
    sparse.values.CopyFrom(onnx.numpy_helper.from_array(np.ones(1, np.float32), "few"))
    sparse.indices.CopyFrom(onnx.numpy_helper.from_array(np.zeros(1, np.int64), "few places"))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match=r"its sparse weights 'few' would have 1,000,000,000,000 values"):
        read_onnx(path)


def function(name, calls):
    nodes = [onnx.helper.make_node(call, ["a"], ["b"], domain="mine" if call.startswith("f") else "") for call in calls]
    return onnx.helper.make_function("mine", name, ["a"], ["b"], nodes, [onnx.helper.make_opsetid("", 20)])


@pytest.mark.parametrize(
    ("functions", "said"),
    [
        (
            [("f0", ["Relu"] * 10), *((f"f{n}", [f"f{n - 1}"] * 10) for n in range(1, 9))],
            "would become 1,000,000,000 nodes",
        ),
        ([("f0", ["f8"]), ("f8", ["f0"])], "its function 'f.' calls itself"),
    ],
)
def test_functions_that_call_one_another_without_end_are_not_written_out(tmp_path, functions, said):
    path = graphs.convolution(tmp_path)
    model = onnx.load(path)
    model.functions.extend(function(name, calls) for name, calls in functions)
    model.graph.node.append(onnx.helper.make_node("f8", ["z"], ["end"], domain="mine"))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match=said):
        read_onnx(path)


def test_a_file_or_weights_that_are_no_regular_files_are_reported(tmp_path):
    os.mkfifo(tmp_path / "net.onnx")
    with pytest.raises(ModelFileError, match=r"net\.onnx cannot be read .* expected a regular file, got a named pipe"):
        open_network(str(tmp_path / "net.onnx"))
    (tmp_path / "model").mkdir()
    path = outside(graphs.convolution(tmp_path / "model"), "weights.bin")
    os.mkfifo(tmp_path / "model" / "weights.bin")
    with pytest.raises(ModelFileError, match="there is no file 'weights.bin'"):
        read_onnx(path)
