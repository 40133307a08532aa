"""Networks that label pixels: transformers, any torch module, words; all tiny, with random weights, without a hub."""

from __future__ import annotations

import json
import sys
import types

import numpy as np
import pytest
import torch
from tests.unit.probe_sets import originals
from torch import nn

from netdissect.errors import MissingExtraError, ModelError, ModelNotFoundError, SettingsError
from netdissect.networks.labelers import open_vocabulary, segmenters
from netdissect.probe_sets import importers
from netdissect.probe_sets.broden.check import check_probe_set
from netdissect.probe_sets.broden.reader import Broden

transformers = pytest.importorskip("transformers")

SIZE = (24, 32)


@pytest.fixture(scope="module")
def segformer(tmp_path_factory):
    """A semantic segmentation model of transformers in a folder, with its class list."""
    config = transformers.SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16], patch_sizes=[3, 3], strides=[2, 2],
        num_attention_heads=[1, 2], mlp_ratios=[2, 2], decoder_hidden_size=16, num_labels=3,
        id2label={0: "background", 1: "cat", 2: "dog"}, label2id={"background": 0, "cat": 1, "dog": 2},
    )  # fmt: skip
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("segformer")
    transformers.SegformerForSemanticSegmentation(config).save_pretrained(folder)
    transformers.SegformerImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clipseg(tmp_path_factory):
    """An open-vocabulary model of transformers in a folder, with a tokenizer of single letters."""
    folder = tmp_path_factory.mktemp("clipseg")
    letters = [chr(code) for code in range(97, 123)]
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16, pad_token="<|endoftext|>"
    )
    images = transformers.ViTImageProcessor(size={"height": 32, "width": 32})
    transformers.CLIPSegProcessor(images, tokenizer).save_pretrained(folder)
    text = {
        "vocab_size": len(tokens), "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": 16, "bos_token_id": 0, "eos_token_id": 1,
        "pad_token_id": 1,
    }  # fmt: skip
    vision = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 32,
        "patch_size": 8,
    }  # fmt: skip
    config = transformers.CLIPSegConfig(
        text_config=text, vision_config=vision, projection_dim=16, reduce_dim=8, extract_layers=[0, 1],
        decoder_num_attention_heads=2, decoder_intermediate_size=16, conditional_layer=0,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.CLIPSegForImageSegmentation(config).save_pretrained(folder)
    return folder


@pytest.fixture
def photos(tmp_path):
    for number in range(3):
        originals.write_image(tmp_path / "photos" / f"{number}.jpg", SIZE, seed=number)
    return tmp_path / "photos"


IMAGE = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def test_a_model_of_transformers_labels_pixels_with_its_own_classes(segformer):
    network = segmenters.load_segmenter(f"hf:{segformer}")
    assert list(network.classes) == ["background", "cat", "dog"]
    labels = network(IMAGE)
    assert (labels.shape, labels.dtype) == (SIZE, np.uint16)
    assert set(np.unique(labels)) <= {1, 2, 3}
    model = transformers.SegformerForSemanticSegmentation.from_pretrained(segformer).eval()
    inputs = transformers.SegformerImageProcessor.from_pretrained(segformer)(images=IMAGE, return_tensors="pt")
    with torch.no_grad():
        scores = nn.functional.interpolate(model(**inputs).logits, SIZE, mode="bilinear", align_corners=False)
    assert (labels == scores[0].argmax(0).numpy() + 1).all()


def test_pixels_below_the_threshold_carry_no_label(segformer):
    network = segmenters.load_segmenter(f"hf:{segformer}", threshold=0.99)
    assert (network(IMAGE) == 0).all()
    assert "below a probability of 0.99" in network.about
    with pytest.raises(SettingsError, match="--threshold is a probability"):
        segmenters.load_segmenter(f"hf:{segformer}", threshold=2)


def test_it_makes_a_probe_set(segformer, photos, tmp_path):
    made = importers.from_segmenter(
        segmenters.load_segmenter(f"hf:{segformer}"), photos, tmp_path / "out", size=32, colors=False
    )
    assert check_probe_set(made.folder).problems == ()
    assert set(Broden(made.folder).vocabulary.names) <= {"cat", "dog"}
    assert f"the network {segformer}" in (made.folder / "README.txt").read_text()


def test_words_become_concepts_each_pixels_likeliest_first(clipseg):
    network = open_vocabulary.load_open_vocabulary(
        ["wheel", "zebra stripes", "sky"], model=f"hf:{clipseg}", threshold=0.0
    )
    planes = network(IMAGE)
    assert planes.shape == (3, *SIZE)
    assert (np.sort(planes, axis=0) == np.array([1, 2, 3])[:, None, None]).all()
    none = open_vocabulary.load_open_vocabulary(["wheel"], model=f"hf:{clipseg}", threshold=1.0)
    assert none(IMAGE).shape == (1, *SIZE)
    assert (none(IMAGE) == 0).all()


def test_words_make_a_probe_set_that_states_its_threshold(clipseg, photos, tmp_path):
    network = open_vocabulary.load_open_vocabulary(
        open_vocabulary.parse_concepts("wheel, sky"), model=f"hf:{clipseg}", threshold=0.4
    )
    made = importers.from_words(network, photos, tmp_path / "out", size=32, colors=False)
    assert check_probe_set(made.folder).problems == ()
    readme = (made.folder / "README.txt").read_text()
    assert "a pixel gets a concept if its probability is at least 0.4" in " ".join(readme.split())


def test_many_words_are_asked_in_portions(clipseg, monkeypatch):
    concepts = ["a", "b", "c", "d", "e"]
    whole = open_vocabulary.load_open_vocabulary(concepts, model=f"hf:{clipseg}", threshold=0.0)(IMAGE)
    monkeypatch.setattr(open_vocabulary, "_CONCEPTS_PER_BATCH", 2)
    assert (open_vocabulary.load_open_vocabulary(concepts, model=f"hf:{clipseg}", threshold=0.0)(IMAGE) == whole).all()


@pytest.mark.parametrize("concepts", [[], ["a", "a"], [""]])
def test_words_that_are_none_are_reported_before_anything_is_loaded(concepts):
    with pytest.raises(SettingsError, match="--concepts takes words"):
        open_vocabulary.load_open_vocabulary(concepts, model="hf:no/such-model")


def test_a_part_of_transformers_that_cannot_be_imported_is_one_sentence(monkeypatch):
    """It imports its parts when they are asked for, and they import torchvision, which may not fit torch."""

    class Lazy:
        logging = transformers.logging

        def __getattr__(self, kind):
            raise ModuleNotFoundError(f"Could not import module {kind!r}") from RuntimeError("no operator nms\nat all")

    monkeypatch.setattr(segmenters, "import_optional", lambda *_, **__: Lazy())
    told = (
        r"its CLIPSegForImageSegmentation cannot be imported \(no operator nms\): check that the versions of torch and"
    )
    with pytest.raises(MissingExtraError, match=told):
        open_vocabulary.load_open_vocabulary(["wheel"])


class Scores(nn.Module):
    """Gives the class of the strongest color channel; bare, or in a dictionary as torchvision does."""

    def __init__(self, key=None, channels=3):
        super().__init__()
        self.key, self.channels = key, channels
        self.scale = nn.Parameter(torch.tensor(9.0))

    def forward(self, x):
        scores = nn.functional.avg_pool2d(x, 2)[:, : self.channels] * self.scale
        return scores if self.key is None else {self.key: scores}


@pytest.mark.parametrize("key", [None, "out", "logits"])
def test_any_torch_module_labels_pixels(key):
    network = segmenters.TorchSegmenter(Scores(key), ["red", "green", "blue"], name="mine", mean=[0] * 3, std=[1] * 3)
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, :4, 0] = image[:, 4:, 2] = 255
    labels = network(image)
    assert (labels[:, 0] == 1).all()
    assert (labels[:, 7] == 3).all()


def test_a_fingerprint_is_of_weights_classes_and_threshold():
    first = segmenters.TorchSegmenter(Scores(), ["a", "b", "c"], name="mine")
    assert first.fingerprint() == segmenters.TorchSegmenter(Scores(), ["a", "b", "c"], name="other").fingerprint()
    other = Scores()
    other.scale.data += 1
    for changed in (
        segmenters.TorchSegmenter(other, ["a", "b", "c"], name="mine"),
        segmenters.TorchSegmenter(Scores(), ["a", "b", "d"], name="mine"),
        segmenters.TorchSegmenter(Scores(), ["a", "b", "c"], name="mine", threshold=0.5),
    ):
        assert changed.fingerprint() != first.fingerprint()


@pytest.mark.parametrize(
    ("device", "told"), [("gpu", "must be auto, cpu, cuda"), ("cuda", "torch sees no CUDA device")]
)
def test_a_device_that_is_not_here_is_reported_before_anything_is_loaded(monkeypatch, device, told):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingsError, match=told):
        segmenters.load_segmenter("hf:no/such-model", device=device)
    with pytest.raises(SettingsError, match=told):
        open_vocabulary.load_open_vocabulary(["wheel"], model="hf:no/such-model", device=device)
    assert segmenters.parse_device("auto") == segmenters.parse_device("cpu") == torch.device("cpu")


def test_a_class_list_of_another_length_is_reported():
    with pytest.raises(SettingsError, match="scores 3 classes, and the class list has 2"):
        segmenters.TorchSegmenter(Scores(), ["a", "b"], name="mine")(IMAGE)


def test_a_module_that_gives_no_scores_is_reported():
    with pytest.raises(ModelError, match="no scores of shape"):
        segmenters.TorchSegmenter(nn.Flatten(), ["a"], name="mine")(IMAGE)


def test_a_function_of_yours_is_found_by_its_name(monkeypatch):
    module = types.ModuleType("my_networks")
    module.build, module.wrong = Scores, lambda: 3
    monkeypatch.setitem(sys.modules, "my_networks", module)
    network = segmenters.load_segmenter("python:my_networks:build", classes=["a", "b", "c"])
    assert network(IMAGE).shape == SIZE
    with pytest.raises(SettingsError, match="give one with --classes"):
        segmenters.load_segmenter("python:my_networks:build")
    with pytest.raises(ModelError, match=r"expected a torch.nn.Module"):
        segmenters.load_segmenter("python:my_networks:wrong", classes=["a"])
    with pytest.raises(ModelNotFoundError, match="my_networks has no 'gone'"):
        segmenters.load_segmenter("python:my_networks:gone", classes=["a"])


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("resnet", "expected hf:NAME"),
        ("hf:/nowhere/at/all", "transformers cannot load"),
        ("torchvision:resnet18", "has no segmentation model 'resnet18'"),
    ],
)
def test_a_model_that_is_not_there_is_one_sentence(model, told):
    with pytest.raises(ModelNotFoundError, match=told) as raised:
        segmenters.load_segmenter(model)
    assert "\n" not in str(raised.value)


def test_large_images_are_labelled_on_a_smaller_grid(monkeypatch, clipseg):
    monkeypatch.setattr(segmenters, "MAX_LABEL_SIDE", 16)
    network = segmenters.TorchSegmenter(Scores(), ["red", "green", "blue"], name="mine")
    assert network(IMAGE).shape == (12, 16)
    assert open_vocabulary.load_open_vocabulary(["a"], model=f"hf:{clipseg}")(IMAGE).shape == (1, 12, 16)


def test_planes_hold_the_likeliest_first_and_no_more_than_needed():
    chances = np.array([[[0.6, 0.9, 0.1]], [[0.8, 0.2, 0.1]]])
    assert open_vocabulary.rank_labels(chances, 0.5).tolist() == [[[2, 1, 0]], [[1, 0, 0]]]
    assert open_vocabulary.rank_labels(chances, 0.85).tolist() == [[[0, 1, 0]]]
    assert open_vocabulary.rank_labels(chances, 0.95).tolist() == [[[0, 0, 0]]]
