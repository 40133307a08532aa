"""Vision models of transformers from folders: tiny, with random weights, without a hub."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tests import nets, small_probe_set

import netdissect as nd
from netdissect.errors import ModelFileError, ModelNotFoundError
from netdissect.networks.load import LoadOptions, open_network, wrap_module
from netdissect.networks.sources.transformers import read_transformers_classes

transformers = pytest.importorskip("transformers")

CPU = torch.device("cpu")
TINY = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
IMAGES = np.random.default_rng(0).integers(0, 256, size=(2, 32, 32, 3)).astype(np.uint8)


def saved(folder, model, **processor):
    model.save_pretrained(folder)
    if processor:
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return f"hf:{folder}"


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    torch.manual_seed(0)
    config = transformers.ViTConfig(**TINY, num_labels=5)
    return saved(
        tmp_path_factory.mktemp("models") / "tiny-vit", transformers.ViTForImageClassification(config),
        image_processor_type="ViTImageProcessor", do_rescale=True, rescale_factor=1 / 255, do_normalize=True,
        image_mean=[0.5, 0.4, 0.3], image_std=[0.2, 0.2, 0.1], size={"height": 32, "width": 32},
    )  # fmt: skip


def activations(network, *layers, images=IMAGES):
    with network.probe(layers, images.shape[1:3], geometry="receptive-field", device=CPU) as source:
        return nets.move_channels_first(source.activations(images))


def listed(network, size=(32, 32)):
    return {layer.name: layer for layer in network.layers(size)}


def called(network, images=IMAGES, **options):
    with torch.no_grad():
        return network.module(network.preprocess(torch.from_numpy(images)), **options)


def test_a_folder_is_a_model_with_its_head_and_its_processors_numbers(vit):
    network = open_network(vit)
    assert type(network.module).__name__ == "ViTForImageClassification"
    assert (network.name, network.input_size) == ("tiny-vit", (32, 32))
    np.testing.assert_allclose(network.preprocess.mean, [0.5, 0.4, 0.3])
    np.testing.assert_allclose(network.preprocess.std, [0.2, 0.2, 0.1])
    assert network.preprocess.note == "transformers ViTImageProcessor"
    assert not network.module.training
    classifier = listed(network)["classifier"]
    assert (classifier.units, classifier.grid) == (5, (1, 1))


@pytest.mark.parametrize(
    ("processor", "channels", "unit", "mean", "std"),
    [
        ({"do_rescale": True, "do_normalize": False}, "rgb", 1 / 255, 0, 1),
        ({"do_rescale": False, "image_mean": [127.5] * 3, "image_std": [127.5] * 3}, "rgb", 1, 127.5, 127.5),
        ({"do_flip_channel_order": True, "do_normalize": False}, "bgr", 1 / 255, 0, 1),
        ({"image_processor": {"image_mean": 0.5, "image_std": 0.5}}, "rgb", 1 / 255, 0.5, 0.5),
    ],
)
def test_processors_are_read_in_every_form(tmp_path, processor, channels, unit, mean, std):
    model = transformers.ViTModel(transformers.ViTConfig(**TINY))
    found = open_network(saved(tmp_path / "m", model, **processor)).preprocess
    assert (found.channels, found.mean.tolist(), found.std.tolist()) == (channels, [mean] * 3, [std] * 3)
    assert found.rescale_factor == pytest.approx(unit)


def test_a_model_without_a_processor_says_what_is_assumed(tmp_path):
    network = open_network(saved(tmp_path / "m", transformers.ViTModel(transformers.ViTConfig(**TINY))))
    assert "assumed: ImageNet statistics" in network.preprocess.describe()


def test_a_module_of_transformers_carries_its_processors_numbers_into_python(vit):
    module = transformers.ViTModel.from_pretrained(vit.removeprefix("hf:"))
    network = wrap_module(module)
    np.testing.assert_allclose(network.preprocess.mean, [0.5, 0.4, 0.3])
    assert network.input_size == (32, 32)


def test_tokens_neurons_and_heads_are_read_like_those_of_any_library(vit):
    network = open_network(vit)
    layers = listed(network)
    blocks = [n for n, layer in layers.items() if layer.kind == "ViTLayer"]
    tokens = called(network, output_hidden_states=True).hidden_states[1]
    found = activations(network, blocks[0])[blocks[0]]
    torch.testing.assert_close(found, tokens[:, 1:].transpose(1, 2).reshape(2, 16, 4, 4), rtol=1e-4, atol=1e-5)
    (heads, *_) = (n for n, layer in layers.items() if "4 attention heads, 4 units each" in layer.note)
    projection = network.module.get_submodule(heads.removesuffix(":in"))
    both = activations(network, heads, heads.removesuffix(":in"))
    projected = torch.einsum("bchw,oc->bohw", both[heads], projection.weight) + projection.bias[:, None, None]
    torch.testing.assert_close(projected, both[heads.removesuffix(":in")], rtol=1e-4, atol=1e-5)
    assert any(layer.units == 24 and layer.grid == (4, 4) for layer in layers.values())


@pytest.mark.parametrize("registers", [0, 3])
def test_the_feature_maps_of_a_backbone_are_layers(tmp_path, registers):
    torch.manual_seed(0)
    options = {**TINY, "out_features": ["stage1", "stage2"], "mlp_ratio": 2}
    options.pop("intermediate_size")
    if registers:
        config = transformers.Dinov2WithRegistersConfig(**options, num_register_tokens=registers)
        model = transformers.Dinov2WithRegistersBackbone(config)
    else:
        model = transformers.Dinov2Backbone(transformers.Dinov2Config(**options))
    network = open_network(saved(tmp_path / "dino", model))
    assert type(network.module).__name__.endswith("Backbone")
    found = activations(network, "output.feature_maps[1]")["output.feature_maps[1]"]
    torch.testing.assert_close(found, called(network).feature_maps[1], rtol=1e-4, atol=1e-5)
    data = small_probe_set.write_probe_set(tmp_path / "set", images=4, size=(32, 32), labels=(16, 16))
    result = nd.dissect(
        network, ["output.feature_maps[0]", "output.feature_maps[1]"], data, quantile=0.1, out=tmp_path / "r"
    )
    assert 0 < result["output.feature_maps[1]"].iou.max() <= 1
    notes = {layer.note for layer in listed(network).values()}
    assert any(f"{1 + registers} tokens" in note if registers else "class token" in note for note in notes)


def test_the_layout_of_swin_is_found_by_watching(tmp_path):
    config = transformers.SwinConfig(
        image_size=32, patch_size=2, embed_dim=8, depths=[2, 1], num_heads=[2, 2], window_size=4
    )
    torch.manual_seed(0)
    network = open_network(saved(tmp_path / "swin", transformers.SwinModel(config)))
    found = activations(network, "encoder.layers.0.blocks.1")["encoder.layers.0.blocks.1"]
    hidden = called(network, output_hidden_states=True)
    assert found.shape == (2, 8, 16, 16)
    torch.testing.assert_close(
        activations(network, "layernorm")["layernorm"],
        hidden.last_hidden_state.transpose(1, 2).reshape(2, 16, 8, 8), rtol=1e-4, atol=1e-5,
    )  # fmt: skip


def test_of_a_model_of_images_and_words_the_images_part_is_taken(tmp_path):
    torch.manual_seed(0)
    vision = {**TINY, "projection_dim": 8}
    text = {
        "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 12,
        "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1,
    }  # fmt: skip
    clip = transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8))
    network = open_network(saved(tmp_path / "clip", clip))
    assert type(network.module).__name__ == "CLIPVisionModel"
    wanted = {name.removeprefix("vision_model."): t for name, t in clip.vision_model.state_dict().items()}
    found = {name.removeprefix("vision_model."): t for name, t in network.module.state_dict().items()}
    assert wanted.keys() == found.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_half_precision_weights_are_run_in_full_precision(tmp_path):
    model = transformers.ViTModel(transformers.ViTConfig(**TINY)).half()
    assert {p.dtype for p in open_network(saved(tmp_path / "m", model)).module.parameters()} == {torch.float32}


def test_a_checkpoint_fills_a_type_of_model_or_a_folders(vit, tmp_path):
    own = transformers.ViTModel(transformers.ViTConfig(**TINY))
    torch.save({"model": {f"module.vit.{name}": t for name, t in own.state_dict().items()}}, tmp_path / "a.pth")
    folder = saved(tmp_path / "bare", transformers.ViTModel(transformers.ViTConfig(**TINY)))
    network = open_network(str(tmp_path / "a.pth"), LoadOptions(arch=folder))
    assert all(torch.equal(t, network.module.state_dict()[name]) for name, t in own.state_dict().items())
    with pytest.raises(ModelFileError, match="does not hold the weights of transformers' vit"):
        open_network(str(tmp_path / "a.pth"), LoadOptions(arch="hf:vit"))


def test_random_weights_need_nothing_but_a_type_of_model(vit):
    network = open_network(vit, LoadOptions(weights="random"))
    assert network.fingerprint() == open_network(vit, LoadOptions(weights="random")).fingerprint()
    assert network.fingerprint() != open_network(vit, LoadOptions(weights="random", seed=1)).fingerprint()
    assert open_network("hf:poolformer", LoadOptions(weights="random")).input_size is None


def test_what_is_wrong_with_a_folder_is_reported(vit, tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"expected a folder with config\.json"):
        open_network(f"hf:{tmp_path}")
    (tmp_path / "config.json").write_text('{"model_type": "nothing_known"}')
    with pytest.raises(ModelNotFoundError, match="transformers cannot find or read"):
        open_network(f"hf:{tmp_path}")
    (tmp_path / "config.json").write_text((Path(vit.removeprefix("hf:")) / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelFileError, match="model.safetensors: expected a safetensors file"):
        open_network(f"hf:{tmp_path}")
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(ModelFileError, match="preprocessor_config.json: expected settings as JSON"):
        open_network(f"hf:{tmp_path}")


class Trap:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def test_pickled_weights_in_a_folder_are_read_by_our_own_reader(vit, tmp_path, monkeypatch):
    folder, trace = tmp_path / "old", tmp_path / "it ran"
    model = transformers.ViTForImageClassification.from_pretrained(vit.removeprefix("hf:"))
    folder.mkdir()
    (folder / "config.json").write_text((Path(vit.removeprefix("hf:")) / "config.json").read_text())
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    found = open_network(f"hf:{folder}").module
    assert torch.equal(found.classifier.weight, model.classifier.weight)
    torch.save(model.state_dict() | {"x": Trap(trace)}, folder / "pytorch_model.bin")
    with pytest.raises(ModelFileError, match=r"pytorch_model\.bin holds more than weights .*would run code"):
        open_network(f"hf:{folder}")
    assert not trace.exists()


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("model.safetensors.index.json", '{"weight_map": {"w": "model.safetensors.index.json"}}', "expected weights files in its folder"),
        ("model.safetensors.index.json", '{"weight_map": {"w": "../secret.safetensors"}}', "expected weights files in its folder"),
        ("config.json", '{"model_type": ' + "[" * 5000 + "]" * 5000 + "}", "nested deeper than 100 times"),
        ("config.json", '{"model_type": "vit", "num_hidden_layers": 1000000}', "num_hidden_layers is 1,000,000, and networks have"),
        ("preprocessor_config.json", '{"image_mean": [NaN]}', "NaN is not a number that can be used"),
    ],
)  # fmt: skip
def test_settings_in_a_folder_are_read_before_the_library_reads_them(vit, tmp_path, name, text, sentence):
    (tmp_path / "config.json").write_text((Path(vit.removeprefix("hf:")) / "config.json").read_text())
    (tmp_path / name).write_text(text)
    with pytest.raises(ModelFileError, match=rf"{name}.*{sentence}"):
        open_network(f"hf:{tmp_path}")


def test_code_from_the_hub_is_not_run(tmp_path):
    trace = tmp_path / "trace"
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModel": "own.Own"}})
    )
    (tmp_path / "own.py").write_text(f"open({str(trace)!r}, 'w')")
    with pytest.raises(ModelNotFoundError, match="needs Python code of its own from the hub, which is not run"):
        open_network(f"hf:{tmp_path}")
    assert not trace.exists()


def test_the_cache_is_asked_before_the_hub_and_no_connection_is_reported(monkeypatch):
    asked = []

    def unreachable(name, **options):
        asked.append(options.get("local_files_only", False))
        raise OSError("no route to host")

    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", unreachable)
    with pytest.raises(ModelNotFoundError, match=r"cannot find or read somebody/model \(no route to host\)"):
        open_network("hf:somebody/model")
    assert asked == [True, False]


def test_a_model_of_transformers_is_dissected_at_its_own_size_and_at_another(vit, tmp_path):
    data = small_probe_set.write_probe_set(tmp_path / "set", images=5, size=(48, 40), labels=(24, 20))
    network = open_network(vit)
    (block, *_) = (name for name, layer in listed(network).items() if layer.kind == "ViTLayer")
    result = nd.dissect(network, block, data, quantile=0.1, out=tmp_path / "r")
    assert (result.network.input_size, result[block].layer.grid) == ((32, 32), (4, 4))
    assert result.network.source == vit
    resized = nd.dissect(network, block, data, quantile=0.1, resolution=48)
    assert resized[block].layer.grid == (6, 6)


def test_settings_that_ask_for_more_weights_than_there_is_memory_are_refused_before_one_is_made(tmp_path):
    config = {"model_type": "vit", "hidden_size": 120_000, "num_attention_heads": 12, "intermediate_size": 120_000}
    (tmp_path / "config.json").write_text(json.dumps(config))
    for options in (LoadOptions(), LoadOptions(weights="random")):
        with pytest.raises(
            ModelFileError, match=r"its settings ask for [\d,]{15,} bytes of weights, and at most 8,589,934,592"
        ):
            open_network(f"hf:{tmp_path}", options)


def test_class_names_are_those_of_the_configuration(tmp_path):
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8
    )
    config.id2label = {0: "cat", 1: "dog", 2: "bird"}
    module = transformers.ViTForImageClassification(config)
    assert read_transformers_classes(module) == ("cat", "dog", "bird")
    assert wrap_module(module).classes == ("cat", "dog", "bird")
    config.id2label = {0: "LABEL_0", 1: "LABEL_1"}
    assert read_transformers_classes(transformers.ViTForImageClassification(config)) is None
    assert read_transformers_classes(transformers.ViTModel(config)) is None
