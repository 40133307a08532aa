"""Architectures of timm: tokens, windows, channels last, preprocessing, sizes, and a dissection; nothing is fetched."""

from __future__ import annotations

import json
import os
import pathlib

import numpy as np
import pytest
import torch
from tests import nets, small_probe_set

import netdissect as nd
from netdissect.errors import ModelFileError, ModelNotFoundError
from netdissect.networks.load import LoadOptions, open_network, wrap_module
from netdissect.networks.sources.timm import read_timm_classes

timm = pytest.importorskip("timm")

CPU = torch.device("cpu")
RANDOM = LoadOptions(weights="random")
IMAGES = np.random.default_rng(0).integers(0, 256, size=(2, 160, 160, 3)).astype(np.uint8)


def activations(network, *layers, images=IMAGES):
    with network.probe(layers, images.shape[1:3], geometry="receptive-field", device=CPU) as source:
        return nets.move_channels_first(source.activations(images))


def listed(network, size=(160, 160)):
    return {layer.name: layer for layer in network.layers(size)}


def given(network, module, images=IMAGES):
    """What a module gives on a plain forward pass."""
    seen = []
    handle = network.module.get_submodule(module).register_forward_hook(lambda *call: seen.append(call[2]))
    with torch.no_grad():
        network.module.eval()(network.preprocess(torch.from_numpy(images)))
    handle.remove()
    return seen[-1]


@pytest.fixture(scope="module")
def vit():
    return open_network("timm:test_vit", RANDOM)


@pytest.fixture(scope="module")
def swin():
    torch.manual_seed(0)
    module = timm.models.SwinTransformer(
        img_size=64, patch_size=4, window_size=4, embed_dim=12, depths=(2, 2), num_heads=(2, 4), num_classes=5
    )
    return wrap_module(module.eval(), name="swin")


def test_preprocessing_is_timms_own(vit):
    config = timm.data.resolve_model_data_config(vit.module)
    np.testing.assert_allclose(vit.preprocess.mean, config["mean"])
    np.testing.assert_allclose(vit.preprocess.std, config["std"])
    assert vit.input_size == config["input_size"][1:] == (160, 160)
    assert vit.preprocess.note == "timm test_vit.r160_in1k"


def test_a_module_of_timm_carries_its_preprocessing_into_python():
    network = wrap_module(timm.create_model("test_vit", img_size=96))
    assert network.preprocess.note == "timm test_vit.r160_in1k"
    assert network.input_size == (96, 96)


def test_tokens_lie_on_their_patch_grid_without_the_class_token(vit):
    found = activations(vit, "blocks.2")["blocks.2"]
    tokens = given(vit, "blocks.2")
    torch.testing.assert_close(found, tokens[:, 1:].transpose(1, 2).reshape(2, 64, 10, 10), rtol=1e-4, atol=1e-5)
    layer = listed(vit)["blocks.2"]
    assert (layer.units, layer.grid, layer.shape) == (64, (10, 10), (101, 64))
    assert all(words in layer.note for words in ("class token left out", "depend on the whole"))
    assert layer.field == ((0, 0), (16, 16), (16, 16))


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({"class_token": False, "global_pool": "avg"}, ""),
        ({"reg_tokens": 4}, "5 tokens that are not patches (class, registers, distillation) left out"),
        ({"reg_tokens": 4, "no_embed_class": True}, "5 tokens that are not patches"),
    ],
)
def test_however_many_tokens_stand_before_the_patches_the_grid_is_the_patches(options, note):
    torch.manual_seed(0)
    module = timm.models.VisionTransformer(img_size=32, patch_size=8, embed_dim=16, depth=2, num_heads=2, **options)
    network = wrap_module(module.eval())
    images = IMAGES[:, :32, :32]
    found = activations(network, "blocks.0", images=images)["blocks.0"]
    patches = given(network, "blocks.0", images)[:, -16:]
    torch.testing.assert_close(found, patches.transpose(1, 2).reshape(2, 16, 4, 4), rtol=1e-4, atol=1e-5)
    assert listed(network, (32, 32))["pos_drop"].note.startswith(note)


def test_neurons_of_an_mlp_are_units(vit):
    found = activations(vit, "blocks.5.mlp.act")["blocks.5.mlp.act"]
    neurons = given(vit, "blocks.5.mlp.act")
    assert found.shape == (2, 192, 10, 10)
    torch.testing.assert_close(found[1, :, 3, 7], neurons[1, 1 + 37], rtol=1e-4, atol=1e-5)


def test_outputs_of_attention_heads_are_what_goes_into_the_projection(vit):
    layer = listed(vit)["blocks.3.attn.proj:in"]
    assert layer.note.startswith("outputs of 2 attention heads, 32 units each; class token left out")
    found = activations(vit, "blocks.3.attn.proj:in", "blocks.3.attn.proj")
    projection = vit.module.blocks[3].attn.proj
    projected = torch.einsum("bchw,oc->bohw", found["blocks.3.attn.proj:in"], projection.weight)
    torch.testing.assert_close(
        projected + projection.bias[:, None, None], found["blocks.3.attn.proj"], rtol=1e-4, atol=1e-5
    )


def test_a_vision_transformer_gets_its_own_size_unless_another_is_asked_for(vit, tmp_path):
    data = small_probe_set.write_probe_set(tmp_path / "set", images=4, size=(48, 40), labels=(24, 20))
    before = vit.fingerprint()
    result = nd.dissect(vit, "blocks.5", data, quantile=0.1)
    assert result.network.input_size == (160, 160)
    assert result.journal["notes"][0].startswith("images of 40 x 48 are scaled to 160 x 160, the only size test_vit")
    result = nd.dissect(vit, "blocks.5", data, quantile=0.1, resolution=96)
    assert result["blocks.5"].layer.grid == (6, 6)
    assert result.journal["notes"][:2] == [
        "images of 40 x 48 are scaled to 96 x 96, as --resolution asks; labels stay as they are",
        "test_vit was made for 160 x 160 and sees 96 x 96",
    ]
    assert vit.module.patch_embed.img_size == (160, 160)  # only a copy was fitted
    assert vit.fingerprint() == before


def test_positions_are_resampled_for_images_that_are_not_square(vit):
    layer = listed(vit, (96, 128))["blocks.5"]
    assert (layer.grid, layer.field.step) == ((6, 8), (16, 16))


def test_windows_are_put_back_on_the_grid_shifted_or_not(swin):
    images = IMAGES[:, :64, :64]
    for block in (0, 1):  # the second one is shifted
        name = f"layers.0.blocks.{block}"
        module = swin.module.get_submodule(name)
        before = given(swin, f"{name}.norm1", images)
        with torch.no_grad():
            whole = module._attn(before).permute(0, 3, 1, 2)
        found = activations(swin, f"{name}.attn.proj", images=images)[f"{name}.attn.proj"]
        torch.testing.assert_close(found, whole, rtol=1e-4, atol=1e-5)
    layers = listed(swin, (64, 64))
    assert layers["layers.0.blocks.1.attn.proj:in"].note.startswith("outputs of 2 attention heads, 6 units each")
    assert (layers["layers.1"].grid, layers["layers.1"].shape) == ((8, 8), (8, 8, 24))


def test_channels_may_come_last():
    network = open_network("timm:test_convnext", RANDOM)
    found = activations(network, "stages.1.blocks.0.mlp.fc1")["stages.1.blocks.0.mlp.fc1"]
    last = given(network, "stages.1.blocks.0.mlp.fc1")
    assert last.shape == (2, 20, 20, 128)
    torch.testing.assert_close(found, last.permute(0, 3, 1, 2), rtol=1e-4, atol=1e-5)
    assert listed(network)["stages.1.blocks.0.mlp.fc1"].geometry == "receptive-field"


def test_attention_pooling_and_the_layers_behind_it_have_one_cell():
    torch.manual_seed(0)
    module = timm.models.VisionTransformer(
        img_size=32, patch_size=8, embed_dim=16, depth=1, num_heads=2, class_token=False, global_pool="map"
    )
    layers = listed(wrap_module(module.eval()), (32, 32))
    assert layers["attn_pool.proj"].grid == layers["attn_pool.mlp.act"].grid == (1, 1)


def test_a_checkpoint_brings_its_number_of_classes_and_may_lack_a_classifier(tmp_path):
    trained = timm.create_model("test_resnet", num_classes=3)
    torch.save({"state_dict": {f"module.{n}": t for n, t in trained.state_dict().items()}}, tmp_path / "a.pth")
    network = open_network(str(tmp_path / "a.pth"), LoadOptions(arch="timm:test_resnet"))
    assert network.module.num_classes == 3
    assert torch.equal(network.module.fc.weight, trained.fc.weight)
    bare = timm.create_model("test_resnet", num_classes=0)
    torch.save(bare.state_dict(), tmp_path / "b.pth")
    network = open_network("timm:test_resnet", LoadOptions(weights=str(tmp_path / "b.pth")))
    assert all(torch.equal(network.module.state_dict()[name], tensor) for name, tensor in bare.state_dict().items())
    assert network.remarks() == [f"{tmp_path / 'b.pth'} holds no weights for fc: layers before are probed"]
    assert "fc" not in listed(network)
    with pytest.raises(ModelFileError, match="does not hold the weights of timm's test_vit"):
        open_network("timm:test_vit", LoadOptions(weights=str(tmp_path / "a.pth")))


class Trap:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return pathlib.Path.touch, (self.trace,)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pth", "anything.pth"])
def test_weights_in_a_folder_are_read_by_our_own_reader_whatever_timm_would_allow(name, monkeypatch, tmp_path):
    module = timm.create_model("test_resnet", num_classes=3)
    folder, trace = tmp_path / "folder", tmp_path / "it ran"
    folder.mkdir()
    (folder / "config.json").write_text(
        json.dumps({"architecture": "test_resnet", "num_classes": 3, "pretrained_cfg": {"num_classes": 3}})
    )
    torch.save(module.state_dict(), folder / name)
    assert torch.equal(open_network(f"timm:local-dir:{folder}").module.fc.weight, module.fc.weight)

    def careless(path, *_, **__):  # as timm's did before 1.0.26
        return torch.load(path, map_location="cpu", weights_only=False)

    monkeypatch.setattr(timm.models._hub, "load_state_dict", careless)
    assert torch.equal(open_network(f"timm:local-dir:{folder}").module.fc.weight, module.fc.weight)
    torch.save({"state_dict": module.state_dict(), "x": Trap(trace)}, folder / name)
    with pytest.raises(ModelFileError, match=rf"{name} holds more than weights .*would run code from the file"):
        open_network(f"timm:local-dir:{folder}")
    assert not trace.exists()
    (folder / "config.json").write_text(
        json.dumps(
            {"architecture": "test_vit", "pretrained_cfg": {"num_classes": 3}, "model_args": {"embed_dim": 300_000}}
        )
    )
    with pytest.raises(ModelFileError, match=r"its settings ask for [\d,]{15,} bytes of weights"):
        open_network(f"timm:local-dir:{folder}")
    with pytest.raises(ModelNotFoundError, match="there is no folder .*nowhere: expected one with config.json"):
        open_network(f"timm:local-dir:{tmp_path / 'nowhere'}")
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(ModelFileError, match=r"cannot be read as weights file: expected a regular file, got a named"):
        open_network(f"timm:local-dir:{folder}")


def test_grey_networks_are_made_for_one_channel():
    network = open_network("timm:test_resnet", LoadOptions(weights="random", colordepth=1))
    assert network.preprocess.depth == 1
    assert listed(network, (64, 64))["layer4"].grid == (2, 2)


def test_a_misspelt_architecture_gets_the_nearest_and_no_connection_is_reported(monkeypatch):
    with pytest.raises(ModelNotFoundError, match="timm has no model 'test_vitt': did you mean test_vit"):
        open_network("timm:test_vitt")

    def unreachable(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(timm.models._builder, "load_pretrained", unreachable)
    with pytest.raises(
        ModelNotFoundError, match=r"could not be downloaded \(no route to host\): give a checkpoint with"
    ):
        open_network("timm:test_resnet")


@pytest.mark.parametrize(("name", "layer"), [("test_resnet", "layer3"), ("test_vit", "blocks.5.mlp.act")])
def test_networks_of_timm_are_dissected(name, layer, tmp_path):
    data = small_probe_set.write_probe_set(tmp_path / "set", images=5, size=(160, 160), labels=(80, 80))
    network = open_network(f"timm:{name}", RANDOM)
    result = nd.dissect(network, layer, data, quantile=0.05, limit=5)
    assert result[layer].layer.grid == (10, 10)
    assert 0 < result[layer].iou.max() <= 1


def test_class_names_are_known_where_timm_lists_them():
    classes = read_timm_classes(timm.create_model("resnet18", pretrained=False))
    assert classes is not None
    assert classes[1] == "n01443537 goldfish, Carassius auratus"
    assert len(classes) == 1000
    assert read_timm_classes(timm.create_model("resnet18", num_classes=10)) is None
    assert read_timm_classes(timm.create_model("resnet18", num_classes=0)) is None
