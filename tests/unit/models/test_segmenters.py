"""Networks that label pixels: transformers, any torch module, words; all tiny, with random weights, without a hub."""

from __future__ import annotations

import json
import sys
import types

import numpy as np
import pytest
import torch
from tests.unit.data import originals
from torch import nn

from netdissect.data import own
from netdissect.data.broden import Broden
from netdissect.data.check import check
from netdissect.errors import MissingExtraError, ModelError, ModelNotFoundError, SettingsError
from netdissect.models import segmenters, words

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
        originals.picture(tmp_path / "photos" / f"{number}.jpg", SIZE, seed=number)
    return tmp_path / "photos"


PICTURE = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def test_a_model_of_transformers_labels_pixels_with_its_own_classes(segformer):
    network = segmenters.segmenter(f"hf:{segformer}")
    assert list(network.classes) == ["background", "cat", "dog"]
    labels = network(PICTURE)
    assert (labels.shape, labels.dtype) == (SIZE, np.uint16)
    assert set(np.unique(labels)) <= {1, 2, 3}
    model = transformers.SegformerForSemanticSegmentation.from_pretrained(segformer).eval()
    inputs = transformers.SegformerImageProcessor.from_pretrained(segformer)(images=PICTURE, return_tensors="pt")
    with torch.no_grad():
        scores = nn.functional.interpolate(model(**inputs).logits, SIZE, mode="bilinear", align_corners=False)
    assert (labels == scores[0].argmax(0).numpy() + 1).all()


def test_pixels_below_the_threshold_carry_no_label(segformer):
    network = segmenters.segmenter(f"hf:{segformer}", threshold=0.99)
    assert (network(PICTURE) == 0).all()
    assert "below a probability of 0.99" in network.about
    with pytest.raises(SettingsError, match="--threshold is a probability"):
        segmenters.segmenter(f"hf:{segformer}", threshold=2)


def test_it_makes_a_probe_set(segformer, photos, tmp_path):
    made = own.from_segmenter(segmenters.segmenter(f"hf:{segformer}"), photos, tmp_path / "out", size=32, colors=False)
    assert check(made.folder).problems == ()
    assert set(Broden(made.folder).vocabulary.names) <= {"cat", "dog"}
    assert f"the network {segformer}" in (made.folder / "README.txt").read_text()


def test_words_become_concepts_each_pixels_likeliest_first(clipseg):
    network = words.words(["wheel", "zebra stripes", "sky"], model=f"hf:{clipseg}", threshold=0.0)
    planes = network(PICTURE)
    assert planes.shape == (3, *SIZE)
    assert (np.sort(planes, axis=0) == np.array([1, 2, 3])[:, None, None]).all()
    none = words.words(["wheel"], model=f"hf:{clipseg}", threshold=1.0)
    assert none(PICTURE).shape == (1, *SIZE)
    assert (none(PICTURE) == 0).all()


def test_words_make_a_probe_set_that_states_its_threshold(clipseg, photos, tmp_path):
    network = words.words(words.concepts_of("wheel, sky"), model=f"hf:{clipseg}", threshold=0.4)
    made = own.from_words(network, photos, tmp_path / "out", size=32, colors=False)
    assert check(made.folder).problems == ()
    readme = (made.folder / "README.txt").read_text()
    assert "a pixel carries a word from a probability of 0.4 on" in " ".join(readme.split())


def test_many_words_are_asked_in_portions(clipseg, monkeypatch):
    concepts = ["a", "b", "c", "d", "e"]
    whole = words.words(concepts, model=f"hf:{clipseg}", threshold=0.0)(PICTURE)
    monkeypatch.setattr(words, "_WORDS_AT_ONCE", 2)
    assert (words.words(concepts, model=f"hf:{clipseg}", threshold=0.0)(PICTURE) == whole).all()


@pytest.mark.parametrize("concepts", [[], ["a", "a"], [""]])
def test_words_that_are_none_are_told_before_anything_is_loaded(concepts):
    with pytest.raises(SettingsError, match="--concepts wants words"):
        words.words(concepts, model="hf:no/such-model")


def test_a_part_of_transformers_that_cannot_be_imported_is_one_sentence(monkeypatch):
    """It imports its parts when they are asked for, and they import torchvision, which may not fit torch."""

    class Lazy:
        logging = transformers.logging

        def __getattr__(self, kind):
            raise ModuleNotFoundError(f"Could not import module {kind!r}") from RuntimeError("no operator nms\nat all")

    monkeypatch.setattr(segmenters, "require", lambda *_, **__: Lazy())
    told = (
        r"its CLIPSegForImageSegmentation cannot be imported \(no operator nms\): check that the versions of torch and"
    )
    with pytest.raises(MissingExtraError, match=told):
        words.words(["wheel"])


class Scores(nn.Module):
    """Gives the class of the strongest colour channel; bare, or in a dictionary as torchvision does."""

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
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:, :4, 0] = picture[:, 4:, 2] = 255
    labels = network(picture)
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
def test_a_device_that_is_not_here_is_told_before_anything_is_loaded(monkeypatch, device, told):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingsError, match=told):
        segmenters.segmenter("hf:no/such-model", device=device)
    with pytest.raises(SettingsError, match=told):
        words.words(["wheel"], model="hf:no/such-model", device=device)
    assert segmenters.placed("auto") == segmenters.placed("cpu") == torch.device("cpu")


def test_a_class_list_of_another_length_is_told():
    with pytest.raises(SettingsError, match="scores 3 classes, and the class list has 2"):
        segmenters.TorchSegmenter(Scores(), ["a", "b"], name="mine")(PICTURE)


def test_a_module_that_gives_no_scores_is_told():
    with pytest.raises(ModelError, match="no scores of shape"):
        segmenters.TorchSegmenter(nn.Flatten(), ["a"], name="mine")(PICTURE)


def test_a_function_of_yours_is_found_by_its_name(monkeypatch):
    module = types.ModuleType("my_networks")
    module.build, module.wrong = Scores, lambda: 3
    monkeypatch.setitem(sys.modules, "my_networks", module)
    network = segmenters.segmenter("python:my_networks:build", classes=["a", "b", "c"])
    assert network(PICTURE).shape == SIZE
    with pytest.raises(SettingsError, match="give one with --classes"):
        segmenters.segmenter("python:my_networks:build")
    with pytest.raises(ModelError, match=r"expected a torch.nn.Module"):
        segmenters.segmenter("python:my_networks:wrong", classes=["a"])
    with pytest.raises(ModelNotFoundError, match="my_networks has no 'gone'"):
        segmenters.segmenter("python:my_networks:gone", classes=["a"])


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("resnet", "known are hf:NAME"),
        ("hf:/nowhere/at/all", "transformers cannot load"),
        ("torchvision:resnet18", "has no segmentation model 'resnet18'"),
    ],
)
def test_a_model_that_is_not_there_is_one_sentence(model, told):
    with pytest.raises(ModelNotFoundError, match=told) as raised:
        segmenters.segmenter(model)
    assert "\n" not in str(raised.value)


def test_large_pictures_are_labelled_on_a_smaller_grid(monkeypatch, clipseg):
    monkeypatch.setattr(segmenters, "LONGEST", 16)
    network = segmenters.TorchSegmenter(Scores(), ["red", "green", "blue"], name="mine")
    assert network(PICTURE).shape == (12, 16)
    assert words.words(["a"], model=f"hf:{clipseg}")(PICTURE).shape == (1, 12, 16)


def test_planes_hold_the_likeliest_first_and_no_more_than_needed():
    chances = np.array([[[0.6, 0.9, 0.1]], [[0.8, 0.2, 0.1]]])
    assert words.ranked(chances, 0.5).tolist() == [[[2, 1, 0]], [[1, 0, 0]]]
    assert words.ranked(chances, 0.85).tolist() == [[[0, 1, 0]]]
    assert words.ranked(chances, 0.95).tolist() == [[[0, 0, 0]]]
