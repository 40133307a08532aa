"""A network in an ONNX file is dissected like the module it was exported from."""

from __future__ import annotations

import logging
import pickle

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from tests import exports, nets, small_probe_set
from tests.unit.networks.sources.onnx import graphs

import netdissect as nd
from netdissect.errors import ActivationError, ModelError, SettingsError, UnknownLayerError
from netdissect.networks.load import LoadOptions, open_network, wrap_module
from netdissect.networks.preprocess import Preprocess
from netdissect.networks.sources.onnx.onnx_file import read_onnx
from netdissect.networks.sources.onnx.onnx_network import wrap_onnx

CPU = torch.device("cpu")
LAYERS = ["stem", "block", "gate", "attention", "mlp.1", "head"]
OPTIONS = {"quantile": 0.05, "batch_size": 4, "images_per_unit": 3, "pictures": False}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "small", images=10)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, size=(5, 32, 32, 3)).astype(np.uint8)


def activations(network, layers, images, **options):
    with network.probe(layers, images.shape[1:3], geometry="receptive-field", device=CPU, **options) as source:
        return nets.move_channels_first(source.activations(images))


def test_inner_tensors_are_what_torch_computes(exported, module, images):
    ours = activations(open_network(str(exported)), LAYERS, images)
    theirs = activations(wrap_module(module), LAYERS, images)
    for name in LAYERS:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)


def test_a_dissection_finds_what_one_in_torch_finds(exported, module, data):
    ours, theirs = (nd.dissect(model, LAYERS, data, **OPTIONS) for model in (str(exported), module))
    for name in LAYERS:
        np.testing.assert_array_equal(ours[name].counts.G, theirs[name].counts.G)
        np.testing.assert_allclose(ours[name].thresholds, theirs[name].thresholds, rtol=1e-4, atol=1e-5)
        # A pixel whose value meets the threshold to its last digits may fall on either side of it.
        np.testing.assert_allclose(ours[name].counts.I, theirs[name].counts.I, atol=3)
        np.testing.assert_allclose(ours[name].iou, theirs[name].iou, atol=5e-3)
    assert "ONNX file states none" in ours.network.preprocessing


def test_tensors_nodes_and_modules_name_the_same_layer(exported, images):
    found = activations(open_network(str(exported)), ["relu_2", "node_relu_2", "block"], images)
    assert torch.equal(found["relu_2"], found["node_relu_2"])
    assert torch.equal(found["relu_2"], found["block"])


def test_large_weights_behind_the_last_probed_layer_are_not_missed(tmp_path, images):
    nodes = [graphs.node("Conv", ["x", "w"], ["y"]), graphs.node("Conv", ["y", "v"], ["z"])]
    large = [graphs.weights("w", 64, 3, 5, 5), graphs.weights("v", 64, 64, 3, 3)]
    network = open_network(str(graphs.written(tmp_path, nodes, large)))
    together, alone = (activations(network, layers, images)["y"] for layers in (["y", "z"], ["y"]))
    torch.testing.assert_close(alone, together)


def test_a_name_that_means_a_tensor_and_another_module_says_so(tmp_path):
    made = graphs.model([graphs.node("Relu", ["x"], ["relu"]), graphs.node("Relu", ["relu"], ["z"])])
    for key, value in (("name_scopes", "['', 'relu', 'op']"), ("class_hierarchy", "['A', 'ReLU', 'op']")):
        made.graph.node[1].metadata_props.add(key=f"pkg.torch.onnx.{key}", value=value)
    onnx.save(made, tmp_path / "net.onnx")
    source = open_network(str(tmp_path / "net.onnx")).probe(["relu"], (8, 8), geometry="grid", device=CPU)
    assert "the torch module of this name is the tensor z" in source.layers[0].note


def test_a_number_of_images_that_the_file_fixes_is_kept_to(legacy, module, images):
    network = open_network(str(legacy))
    assert network.batch == 2
    found = activations(network, ["/block/relu_1/Relu", "/norm/LayerNormalization"], images)
    expected = activations(wrap_module(module), ["block", "norm"], images)
    torch.testing.assert_close(found["/block/relu_1/Relu"], expected["block"], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found["/norm/LayerNormalization"], expected["norm"], rtol=1e-4, atol=1e-5)


def test_a_file_for_a_single_image_is_given_one_at_a_time(tmp_path, module, images):
    path = exports.write_onnx(tmp_path / "one.onnx", module, legacy=True, fixed=True, x=exports.make_input(1))
    network = open_network(str(path))
    assert network.batch == 1
    (layer,) = network.probe(["/mlp/mlp.1/Gelu"], (32, 32), geometry="receptive-field", device=CPU).layers
    assert (layer.units, layer.grid) == (20, (4, 4))
    found, expected = (
        activations(network, ["/mlp/mlp.1/Gelu"], images),
        activations(wrap_module(module), ["mlp.1"], images),
    )
    torch.testing.assert_close(found["/mlp/mlp.1/Gelu"], expected["mlp.1"], rtol=1e-4, atol=1e-5)


def test_images_of_another_size_than_the_file_takes_are_told(exported):
    with pytest.raises(ModelError, match=r"was exported for images of 32 x 32 and does not accept 64 x 48: "
                                         r"give --resolution 32"):  # fmt: skip
        open_network(str(exported)).layers((48, 64))


def test_a_image_too_small_for_it_is_told(tmp_path):
    nodes = [graphs.node("Conv", ["x", "w"], ["y"])]
    path = graphs.written(tmp_path, nodes, [graphs.weights("w", 2, 3, 7, 7)])
    with pytest.raises(ModelError, match="does not run on a 4 x 4 image"):
        open_network(str(path)).layers((4, 4))


def test_a_misspelt_layer_gets_the_nearest_names(exported):
    with pytest.raises(UnknownLayerError, match=r"varied has no layer 'blok': did you mean block"):
        open_network(str(exported)).probe(["blok"], (32, 32), geometry="grid", device=CPU)


def test_a_tensor_of_whole_numbers_is_no_layer(tmp_path):
    nodes = [graphs.node("ArgMax", ["x"], ["y"], axis=1), graphs.node("Cast", ["y"], ["z"], to=TensorProto.FLOAT)]
    network = open_network(str(graphs.written(tmp_path, nodes)))
    assert [layer.name for layer in network.layers((8, 8))] == ["z"]
    with pytest.raises(ActivationError, match="layer y of graph returns no tensor"):
        network.probe(["y"], (8, 8), geometry="grid", device=CPU)


def test_channels_last_images_are_fed_as_the_file_wants_them(tmp_path, images):
    nodes = [graphs.node("Transpose", ["x"], ["a"], perm=[0, 3, 1, 2]), graphs.node("Conv", ["a", "w"], ["y"])]
    last = graphs.written(tmp_path, nodes, [graphs.weights("w", 4, 3, 3, 3)], shape=("n", 32, 32, 3))
    found = open_network(str(last))
    ours = activations(found, ["y", "a"], images)
    assert ours["a"].shape == (5, 3, 32, 32)
    assert {layer.geometry for layer in found.layers((32, 32))} == {"receptive-field"}
    first = graphs.written(tmp_path, [graphs.node("Conv", ["x", "w"], ["y"])], [graphs.weights("w", 4, 3, 3, 3)])
    assert torch.equal(ours["y"], activations(open_network(str(first)), ["y"], images)["y"])


def test_half_precision_is_fed_and_read(tmp_path, images):
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 40, 3), torch.nn.ReLU()).eval()
    x = exports.make_input(dtype=torch.float16)
    path = exports.write_onnx(tmp_path / "net.onnx", module.half(), legacy=True, x=x)
    found = activations(open_network(str(path)), ["/1/Relu"], images)["/1/Relu"]
    assert found.dtype == torch.float32
    expected = activations(wrap_module(module.float()), ["1"], images)["1"]
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-2)


def test_double_precision_is_fed_and_read(tmp_path, images):
    network = open_network(str(graphs.written(tmp_path, [graphs.node("Relu", ["x"], ["y"])], dtype=TensorProto.DOUBLE)))
    found = activations(network, ["y"], images)["y"]
    torch.testing.assert_close(found, network.preprocess(torch.from_numpy(images)).relu())


def test_quantised_networks_are_read(tmp_path, images):
    def scaled(name, zero, dtype):
        return [graphs.constant(f"{name} scale", 0.05, np.float32), graphs.constant(f"{name} zero", zero, dtype)]

    weights = np.random.default_rng(0).integers(-90, 90, (4, 3, 3, 3))
    nodes = [
        graphs.node("QuantizeLinear", ["x", "x scale", "x zero"], ["q"]),
        graphs.node("QLinearConv", ["q", "x scale", "x zero", "w", "w scale", "w zero", "y scale", "y zero"], ["y"],
                    strides=[2, 2], pads=[1, 1, 1, 1]),
        graphs.node("DequantizeLinear", ["y", "y scale", "y zero"], ["z"]),
    ]  # fmt: skip
    steering = [*scaled("x", 128, np.uint8), *scaled("w", 0, np.int8), *scaled("y", 128, np.uint8)]
    network = open_network(str(graphs.written(tmp_path, nodes, [*steering, graphs.constant("w", weights, np.int8)])))
    assert [layer.name for layer in network.layers((32, 32))] == ["q", "y", "z"]
    (layer,) = network.probe(["z"], (32, 32), geometry="receptive-field", device=CPU).layers
    assert layer.field == ((-1, -1), (3, 3), (2, 2))
    found = activations(network, ["y", "z"], images)
    torch.testing.assert_close(found["z"], (found["y"] - 128) * 0.05)
    x = network.preprocess(torch.from_numpy(images))
    plain = torch.nn.functional.conv2d(x, torch.from_numpy(weights).float() * 0.05, stride=2, padding=1).clamp(
        -6.4, 6.35
    )
    assert (found["z"] - plain).abs().mean() < 0.3


def test_8_bit_images_go_in_as_they_are(tmp_path, images):
    nodes = [graphs.node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)]
    network = open_network(str(graphs.written(tmp_path, nodes, dtype=TensorProto.UINT8)))
    found = activations(network, ["y"], images)["y"]
    assert torch.equal(found, torch.from_numpy(images).permute(0, 3, 1, 2).float())
    assert "its input is 8-bit" in network.preprocess.describe()


def test_grey_images_go_into_a_file_of_one_channel(tmp_path, images):
    network = open_network(str(graphs.convolution(tmp_path, shape=("n", 1, 32, 32), channels=1)))
    assert activations(network, ["y"], images)["y"].shape == (5, 4, 32, 32)
    with pytest.raises(ModelError, match="of 1 channels, .* gives 3: give --colordepth 1"):
        wrap_onnx(read_onnx(tmp_path / "graph.onnx"), Preprocess()).layers((32, 32))


@pytest.mark.parametrize(
    ("stated", "darkest", "brightest"),
    [("NominalRange_0_255", 0, 255), ("Normalized_0_1", 0, 1), ("Normalized_1_1", -1, 1)],
)
def test_a_range_that_the_file_states_is_kept(tmp_path, stated, darkest, brightest):
    path = graphs.convolution(tmp_path)
    model = onnx.load(path)
    model.metadata_props.add(key="Image.NominalPixelRange", value=stated)
    model.metadata_props.add(key="Image.BitmapPixelFormat", value="Bgr8")
    onnx.save(model, path)
    preprocess = open_network(str(path)).preprocess
    ends = torch.tensor([[[[0, 0, 0], [255, 255, 255], [255, 0, 0]]]], dtype=torch.uint8)
    given = preprocess(ends)
    torch.testing.assert_close(given[0, :, 0, 0], torch.full((3,), float(darkest)))
    torch.testing.assert_close(given[0, :, 0, 1], torch.full((3,), float(brightest)))
    torch.testing.assert_close(given[0, :, 0, 2], torch.tensor([darkest, darkest, brightest]).float())
    assert "as the ONNX file states" in preprocess.describe()


def test_preprocessing_that_was_said_takes_the_place_of_the_assumed(exported):
    network = open_network(str(exported), LoadOptions(mean=["0.5"], std=["0.25"], channels="bgr"))
    assert network.preprocess.describe().startswith("BGR, 0 to 1, mean 0.5 0.5 0.5, std 0.25 0.25 0.25")


def test_two_workers_find_the_same_bytes(exported, data, tmp_path):
    for workers in (1, 2):
        nd.dissect(str(exported), ["block"], data, out=tmp_path / str(workers), workers=workers, threads=1, **OPTIONS)
    name = "block.parquet"
    assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_it_is_sent_to_workers_without_its_file(tmp_path, images):
    path = graphs.convolution(tmp_path)
    network = open_network(str(path))
    sent = pickle.loads(pickle.dumps(network))
    path.unlink()
    assert torch.equal(activations(sent, ["z"], images)["z"], activations(network, ["z"], images)["z"])


def test_the_fingerprint_changes_with_weights_and_preprocessing(tmp_path):
    path = graphs.convolution(tmp_path)
    before = open_network(str(path)).fingerprint()
    assert open_network(str(path)).fingerprint() == before
    assert open_network(str(path), LoadOptions(mean=["0"])).fingerprint() != before
    model = onnx.load(path)
    data = bytearray(model.graph.initializer[0].raw_data)
    data[-1] ^= 1
    model.graph.initializer[0].raw_data = bytes(data)
    onnx.save(model, path)
    assert open_network(str(path)).fingerprint() != before


def test_a_device_that_onnxruntime_has_not_is_told(tmp_path, images):
    source = open_network(str(graphs.convolution(tmp_path))).probe(
        ["z"], (32, 32), geometry="grid", device=torch.device("meta")
    )
    with pytest.raises(SettingsError, match="this onnxruntime cannot run on meta: use --device cpu"), source:
        pass


def test_a_network_that_fails_half_way_is_listed_as_far_as_it_ran(tmp_path, caplog):
    nodes = [
        graphs.node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1]),
        graphs.node("Relu", ["y"], ["z"]),
        graphs.node("Reshape", ["z", "shape"], ["flat"]),
        graphs.node("MatMul", ["flat", "fc"], ["out"]),
    ]
    weights = [graphs.weights("w", 4, 3, 3, 3), graphs.constant("shape", [-1, 4096]), graphs.weights("fc", 4096, 5)]
    network = open_network(str(graphs.written(tmp_path, nodes, weights)))
    assert [layer.name for layer in network.layers((32, 32))] == ["y", "z", "flat", "out"]
    with caplog.at_level(logging.WARNING, "netdissect"):
        layers = network.layers((20, 24))
    assert [(layer.name, layer.grid, layer.field.size) for layer in layers] == [
        ("y", (20, 24), (3, 3)),
        ("z", (20, 24), (3, 3)),
    ]
    assert all("the network fails after it, at the tensor flat (" in layer.note for layer in layers)
    assert "fails on a blank 24 x 20 image, at the tensor flat (" in caplog.text
    with pytest.raises(ModelError, match=r"does not run on a 24 x 20 image .*Reshape"):
        activations(network, ["out"], np.zeros((2, 20, 24, 3), np.uint8))
    assert activations(network, ["z"], np.zeros((2, 20, 24, 3), np.uint8))["z"].shape == (2, 4, 20, 24)


def test_another_resolution_is_advised_only_if_the_network_runs_there(tmp_path):
    nodes = [graphs.node("Reshape", ["x", "shape"], ["y"]), graphs.node("Conv", ["y", "w"], ["z"])]
    weights = [graphs.weights("w", 4, 3, 3, 3)]
    fixed = graphs.written(tmp_path, nodes, [*weights, graphs.constant("shape", [-1, 3, 256, 256])])
    with pytest.raises(
        ModelError, match=r"does not run on a 30 x 30 image .*; it runs on 256 x 256: try --resolution 256$"
    ):
        open_network(str(fixed)).layers((30, 30))
    broken = graphs.written(tmp_path, nodes, [*weights, graphs.constant("shape", [-1, 3, 257, 257])])
    with pytest.raises(ModelError, match=r"does not run on a 30 x 30 image [^;]*$"):
        open_network(str(broken)).layers((30, 30))
