"""Every network is listed as far as it runs, or one sentence says what it needs."""

from __future__ import annotations

import dataclasses
import logging
import re

import numpy as np
import pytest
import torch
from tests import nets, small_probe_set
from torch import nn

import netdissect as nd
from netdissect.errors import ActivationError, ModelError, UnknownLayerError
from netdissect.networks.load import wrap_module
from netdissect.networks.preprocess import Preprocess

CPU = torch.device("cpu")
SIZE = (32, 32)


class Two(nn.Module):
    """Two convolutions; the subclasses differ in how they are called and in what they return."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.last = nn.Conv2d(4, 5, 3, padding=1)

    def forward(self, x):
        return self.last(self.conv(x))


def list_names(module, size=SIZE):
    return [layer.name for layer in wrap_module(module).layers(size)]


def activations(module, names, images=None):
    images = np.random.default_rng(0).integers(0, 256, (3, *SIZE, 3)).astype(np.uint8) if images is None else images
    with wrap_module(module).probe(names, SIZE, geometry="receptive-field", device=CPU) as source:
        return nets.move_channels_first(source.activations(images))


def compute_input(module):
    images = np.random.default_rng(0).integers(0, 256, (3, *SIZE, 3)).astype(np.uint8)
    return wrap_module(module).preprocess(torch.from_numpy(images))


# What a module returns


class Pyramid(Two):
    """Returns maps as torchvision's pyramids do, and under keys of every kind."""

    def forward(self, x):
        x = self.conv(x)
        y = self.last(x)
        return {"0": x, "1": y, "pool": y * 2, "feat-a": x + 1, "p.5": y * 3, 0: y * 4, (1, 2): x * 5, "conv": y * 6}


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = Pyramid()

    def forward(self, x):
        return [self.backbone(x)["1"].mean((1, 2, 3))]


def test_maps_in_dicts_with_any_keys_are_listed_under_names_that_can_be_probed():
    module = Detector().eval()
    names = list_names(module)
    assert names == [
        "backbone.conv", "backbone.last", "backbone", "backbone.1", "backbone.pool", "backbone.feat-a", "backbone.p.5",
        "backbone[5]", "backbone[6]", "backbone[7]",
    ]  # fmt: skip
    found = activations(module, names)
    with torch.no_grad():
        expected = list(module.backbone(compute_input(module)).values())
    for name, tensor in zip(names[2:], expected, strict=True):
        torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=1e-5)


def test_receptive_fields_of_maps_in_dicts_are_those_of_the_tensors():
    layers = {layer.name: layer for layer in wrap_module(Detector()).layers(SIZE)}
    assert layers["backbone.p.5"].field == layers["backbone.last"].field
    assert layers["backbone.feat-a"].field == layers["backbone.conv"].field
    assert layers["backbone.pool"].geometry == "receptive-field"


@dataclasses.dataclass
class Maps:
    coarse: object
    fine: object


class Holding(Two):
    def forward(self, x):
        x = self.conv(x)
        return Maps([{"a": self.last(x)}], {"z": x * 2, "y": [None, "text", x * 3]})


def test_maps_inside_dataclasses_lists_and_dicts_are_listed():
    module = Holding().eval()
    assert list_names(module) == ["conv", "last", "output.coarse[0].a", "output.fine.z", "output.fine.y[2]"]
    found = activations(module, ["output.fine.y[2]", "conv"])
    torch.testing.assert_close(found["output.fine.y[2]"], found["conv"] * 3)


class EmptyParts(Two):
    def forward(self, x):
        x = self.conv(x)
        nothing, flat = x[:, :0], x.flatten()[:0]
        return {
            "all": torch.cat([nothing, nothing], 1),
            "legacy": torch.cat([flat, x.mean((2, 3)).flatten()]),
            "same": self.last(torch.cat([torch.zeros(0), x, nothing], 1)),
            "flat": torch.cat([flat, flat]),
        }


def test_tensors_without_elements_may_be_concatenated_and_are_not_listed():
    layers = {layer.name: layer for layer in wrap_module(EmptyParts()).layers(SIZE)}
    assert {"conv", "last"} <= layers.keys()
    assert not {"output", "output.all", "output.flat"} & layers.keys()
    assert layers["last"].geometry == "receptive-field"


class NoBoxes(Two):
    def forward(self, x):
        x = self.last(self.conv(x))
        keep = x.mean((1, 2, 3)) > 1e9
        return [{"boxes": x.flatten(1)[keep], "scores": x.flatten(1)[keep].sum(1)}]


def test_a_detector_that_finds_no_boxes_is_listed_without_them():
    assert list_names(NoBoxes()) == ["conv", "last"]
    with pytest.raises(ActivationError, match=r"output\[0\].boxes .* \(0, 1280\), .*it is empty for a blank image"):
        wrap_module(NoBoxes()).probe(["output[0].boxes"], SIZE, geometry="grid", device=CPU)


class Keypoints(Two):
    """Returns as many values as it finds."""

    def forward(self, x):
        x = self.last(self.conv(x))
        return {"map": x, "found": x[:, :, : 1 + int(x.std() > 0.2), :1].flatten(1)}


def test_a_layer_whose_shape_depends_on_the_images_is_told_when_it_is_probed():
    images = np.zeros((3, *SIZE, 3), np.uint8)
    images[:, ::2] = 255
    module = Keypoints()
    with torch.no_grad():
        module.last.weight *= 100
        module.conv.bias.zero_()
    module.preprocess = Preprocess(mean=np.zeros(3, np.float32), std=np.ones(3, np.float32))
    assert activations(module, ["last"], images)["last"].shape == (3, 5, 16, 16)
    with pytest.raises(
        ActivationError, match=r"gives an output of shape \(3, 10\) for 3 images, and of shape \(2, 5\)"
    ):
        activations(module, ["output.found"], images)


class Sparse(Two):
    def forward(self, x):
        y = self.conv(x)
        return torch.nested.nested_tensor([y[0], y[1]], layout=torch.jagged), y.to_sparse(), self.last(y)


@pytest.mark.filterwarnings("ignore")
def test_nested_and_sparse_tensors_are_left_out():
    assert list_names(Sparse()) == ["conv", "last"]


# How modules are called


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.conv = nn.Conv2d(4, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)

    def forward(self, *, image):
        return self.norm(input=self.conv(image))


class ByKeyword(Two):
    def __init__(self):
        super().__init__()
        self.inner = Inner()

    def forward(self, x):
        return self.inner(image=self.conv(input=x))


def test_modules_called_with_keywords_only_are_listed_and_probed():
    module = ByKeyword().eval()
    names = list_names(module)
    assert names == ["conv", "inner.conv", "inner.norm", "inner"]
    found = activations(module, names)
    with torch.no_grad():
        torch.testing.assert_close(found["inner"], module(compute_input(module)), rtol=1e-4, atol=1e-5)


class KeywordOnly(Two):
    def forward(self, *, image, scale=1.0):
        return super().forward(image) * scale


class Frozen(Two):
    """Runs a part in inference mode, whose tensors count no in-place operations."""

    def forward(self, x):
        with torch.inference_mode():
            y = self.conv(x)
        y = self.last(y.clone())
        with torch.inference_mode():
            return y.relu_() if y.is_inference() else y.clone().relu_()


@pytest.mark.parametrize("kind", [KeywordOnly, Frozen])
def test_a_network_called_by_keyword_or_in_inference_mode_is_listed_and_probed(kind):
    module = kind().eval()
    assert list_names(module)[:2] == ["conv", "last"]
    with torch.no_grad():
        expected = Two.forward(module, compute_input(module))
    torch.testing.assert_close(activations(module, ["last"])["last"], expected, rtol=1e-4, atol=1e-5)


class Same(nn.Module):
    def forward(self, x):
        return x


class Nothing(nn.Module):
    def forward(self, x):
        return None


class Odd(Two):
    """Modules that return None or their very input, that run many times, and that appear in the forward pass only."""

    def __init__(self):
        super().__init__()
        self.nothing, self.same, self.again = Nothing(), Same(), nn.Conv2d(4, 4, 1)
        self.conv.register_forward_hook(lambda _module, _inputs, _output: None)
        self.last.register_forward_hook(lambda _module, _inputs, output: {"a b": output, 3: output * 2})

    def forward(self, x):
        x = self.same(self.conv(x))
        self.nothing(x)
        for _ in range(5):
            x = self.again(x)
        if not hasattr(self, "late"):
            self.late = nn.Conv2d(4, 4, 1)
        return self.last(self.late(x))


def test_modules_that_return_none_or_their_input_or_run_often_are_no_obstacle():
    module = Odd()
    assert list_names(module) == ["conv", "again", "last", "last.3", "output[0]", "output.3"]
    assert not hasattr(module, "late")
    assert set(activations(module, ["again", "last.3"])) == {"again", "last.3"}


class Scripted(Two):
    def __init__(self):
        super().__init__()
        self.script = torch.jit.script(nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()))
        self.traced = torch.jit.trace(nn.Conv2d(4, 4, 3, padding=1), torch.zeros(1, 4, 8, 8))

    def forward(self, x):
        return self.last(self.traced(self.script(self.conv(x))))


@pytest.mark.filterwarnings("ignore")
def test_parts_in_torchscript_run_and_are_left_out_of_the_list():
    module = Scripted().eval()
    assert list_names(module) == ["conv", "last"]
    with torch.no_grad():
        expected = module(compute_input(module))
    torch.testing.assert_close(activations(module, ["last"])["last"], expected, rtol=1e-4, atol=1e-5)


def test_lazy_layers_that_never_ran_are_told_and_stay_as_they_were():
    module = nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU())
    with pytest.raises(
        ModelError, match=r"Sequential has no weights yet \(0.weight\): run it once on a batch of images"
    ):
        wrap_module(module)
    assert isinstance(module[0], nn.LazyConv2d)


class Uncopied(Two):
    def __deepcopy__(self, memo):
        raise RuntimeError("no copies")

    def set_input_size(self, img_size):
        raise AssertionError("the network itself must not be changed")


def test_a_network_that_cannot_be_copied_is_listed_with_a_note_and_not_adapted():
    layers = wrap_module(Uncopied()).layers(SIZE)
    assert [layer.name for layer in layers] == ["conv", "last"]
    assert all("cannot be copied (no copies), so the network itself was run" in layer.note for layer in layers)


class Untrained(Two):
    def train(self, mode=True):
        for part in self.children():
            part.train(mode)  # returns None


class PerImage(Two):
    """Takes a list of images, and in training also targets, as torchvision's detectors do."""

    def forward(self, images, targets=None):
        assert not self.training or targets is not None, "targets are needed in training"
        return self.last(self.conv(torch.stack(list(images))))


@pytest.mark.parametrize("kind", [Untrained, PerImage])
def test_networks_with_modes_of_their_own_are_run_in_evaluation_mode(kind):
    module = kind()
    assert list_names(module) == ["conv", "last"]
    assert set(activations(module, ["last"])) == {"last"}
    assert module.training


class Computing(Two):
    """Returns no tensor."""

    def forward(self, x):
        yield self.conv(x)


def test_a_network_without_layers_is_told(caplog):
    with caplog.at_level(logging.WARNING, "netdissect"):
        assert list_names(Computing()) == []
    assert caplog.messages == [
        "Computing has no layer to dissect: no output has dimensions for images, rows and columns"
    ]


# Attributes of strange types


def make_strange(**attributes):
    module = Two()
    for name, value in attributes.items():
        object.__setattr__(module, name, value)
    return module


class Raising(Two):
    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("__"):
                raise
            raise KeyError(name) from None


class Answering(Two):
    answer = 7

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("__"):
                raise
            return self.answer

    def __len__(self):
        return 3


class AnsweringItself(Answering):
    @property
    def answer(self):
        return self


class Forwarding(nn.Module):
    """Hands every attribute that it lacks to the network inside it, such as the one of torch.compile."""

    def __init__(self):
        super().__init__()
        self.inner = Two()
        self.inner.set_input_size = self.inner._orig_mod = 3

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.inner, name)

    def forward(self, x):
        return self.inner(x)


class Resizing(Two):
    def set_input_size(self, img_size=None, **options):
        self.conv = None
        raise OSError("half done")


STRANGE = {
    "set_input_size of another signature": lambda: make_strange(set_input_size=lambda height, width: 1 / 0),
    "set_input_size is no function": lambda: make_strange(set_input_size=(3, 4)),
    "set_input_size fails half-way": Resizing,
    "a patch of 0": lambda: make_strange(patch_size=0, num_prefix_tokens=True),
    "patch_embed is a number": lambda: make_strange(patch_embed=3, num_prefix_tokens=torch.zeros(2)),
    "patch_embed has strange sizes": lambda: make_strange(patch_embed=make_strange(patch_size=(0.5, None), img_size=torch.ones(2))),
    "config is a dict": lambda: make_strange(config={"patch_size": 16}, main_input_name="pixel_values"),
    "config is None": lambda: make_strange(config=None, main_input_name=3),
    "config of strange sizes": lambda: make_strange(config=make_strange(patch_size="16", image_size=(None, 3), name_or_path=5)),
    "pretrained_cfg of strange types": lambda: make_strange(pretrained_cfg={"mean": None, "std": "a", "input_size": 7}),
    "pretrained_cfg of words": lambda: make_strange(pretrained_cfg={"mean": "a", "std": "b"}),
    "preprocess is a method": lambda: make_strange(preprocess=lambda x: x),
    "type_name takes an argument": lambda: make_strange(type_name=lambda kind: kind),
    "__getattr__ raises": Raising,
    "__getattr__ answers": Answering,
    "__getattr__ answers with the network": AnsweringItself,
}  # fmt: skip


@pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE.keys())
def test_attributes_of_strange_types_are_ignored(make):
    assert list_names(make()) == ["conv", "last"]
    assert set(activations(make(), ["last"])) == {"last"}


def test_a_wrapper_that_hands_on_attributes_keeps_its_names():
    assert list_names(Forwarding()) == ["inner.conv", "inner.last", "inner"]


# Networks that fail


class Postprocessing(nn.Module):
    def forward(self, x):
        raise NotImplementedError("no boxes on black images; try others")


class FailingLate(Two):
    def __init__(self):
        super().__init__()
        self.boxes = Postprocessing()

    def forward(self, x):
        x = self.last(self.conv(x))
        return self.boxes(x) if not x.requires_grad else x


def test_a_network_that_fails_half_way_is_listed_as_far_as_it_ran(caplog):
    with caplog.at_level(logging.WARNING, "netdissect"):
        layers = wrap_module(FailingLate()).layers(SIZE)
    assert [layer.name for layer in layers] == ["conv", "last"]
    note = "the network fails after it, in boxes (no boxes on black images, try others)"
    assert {layer.note for layer in layers} == {note}
    assert caplog.messages == [
        "FailingLate fails on a blank 32 x 32 image, in boxes (no boxes on black images, try others): layers after it are not listed"
    ]


def test_a_network_that_fails_half_way_is_dissected(tmp_path):
    data = small_probe_set.write_probe_set(tmp_path / "set", images=6)
    options = {"quantile": 0.1, "batch_size": 4, "pictures": False}
    found = nd.dissect(FailingLate(), ["last"], data, **options)
    expected = nd.dissect(Two(), ["last"], data, **options)
    np.testing.assert_array_equal(found["last"].counts.I, expected["last"].counts.I)
    np.testing.assert_allclose(found["last"].thresholds, expected["last"].thresholds)


def test_a_layer_that_would_run_after_the_failure_is_told_so():
    module = FailingLate()
    module.head = nn.Conv2d(5, 2, 1)
    with pytest.raises(ModelError, match="FailingLate does not run on a 32 x 32 image .*: no boxes on black images"):
        wrap_module(module).probe(["head"], SIZE, geometry="grid", device=CPU)


class Text(nn.Module):
    def forward(self, input_ids=None):
        return input_ids.shape[0]


class Captioning(nn.Module):
    """Needs a text, which its signature does not say."""

    def __init__(self, message=""):
        super().__init__()
        self.vision_model, self.text_model, self.message = nn.Sequential(Two(), nn.ReLU()), Text(), message

    def forward(self, pixel_values=None, input_ids=None, attention_mask=None, return_loss=None):
        if input_ids is None and self.message:
            raise ValueError(self.message)
        words = self.text_model(input_ids=input_ids)
        return self.vision_model(pixel_values) * words


class Embeddings(nn.Module):
    def forward(self, input_ids=None, inputs_embeds=None):
        return inputs_embeds.shape if input_ids is None else input_ids.shape


class Folded(Captioning):
    """Fails in a line that reads an argument of an inner module only."""

    def __init__(self):
        super().__init__()
        self.embeddings = Embeddings()

    def forward(self, pixel_values=None, input_ids=None, position_ids=None):
        words = self.embeddings(
            input_ids=input_ids,
            inputs_embeds=position_ids,
        )
        return self.vision_model(pixel_values) * words


class Describing(Captioning):
    """Sees the image before it fails."""

    def forward(self, pixel_values=None, input_ids=None):
        return self.vision_model(pixel_values) * self.text_model(input_ids=input_ids)


class Flow(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))

    def forward(self, image1, image2, iterations=3):
        return self.encoder(image1) - self.encoder(image2)


class Prompted(Two):
    def forward(self, x, *, prompt):
        return super().forward(x) * prompt


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Captioning("You have to specify input_ids"), "needs more than images: input_ids; load the part that sees the image, such as model.vision_model"),
        (Captioning(), "needs more than images: input_ids; load the part that sees the image, such as model.vision_model"),
        (Flow(), "needs more than images: image2; load the part that sees the image, such as model.encoder"),
        (Folded(), "needs more than images: input_ids; load the part that sees the image, such as model.vision_model"),
        (Prompted(), "needs more than images: prompt; wrap it in a torch.nn.Module whose forward takes images alone"),
    ],
)  # fmt: skip
def test_a_network_that_needs_more_than_images_names_the_argument(module, said):
    with pytest.raises(ModelError, match=f"^{type(module).__name__} {re.escape(said)}$"):
        list_names(module)


def test_a_network_that_sees_the_image_first_is_listed_and_says_what_it_needs(caplog):
    with caplog.at_level(logging.WARNING, "netdissect"):
        assert list_names(Describing()) == [
            "vision_model.0.conv", "vision_model.0.last", "vision_model.0", "vision_model.1", "vision_model",
        ]  # fmt: skip
    assert "in text_model (it needs more than images: input_ids): layers after it" in caplog.text


class Frames(nn.Module):
    def forward(self, x):
        batch, frames, channels, height, width = x.shape
        return x.reshape(batch * frames, channels, height, width)


class Clips(nn.Module):
    """Takes an image as a clip of one frame, and fails after that."""

    def __init__(self):
        super().__init__()
        self.conv, self.late = nn.Conv3d(3, 4, (1, 3, 3)), nn.Conv3d(4, 5, 3)

    def forward(self, x):
        return self.late(self.conv(x.unsqueeze(2)))


@pytest.mark.parametrize("module", [nn.Sequential(nn.Conv3d(3, 4, 3), nn.ReLU()), Frames(), Clips()])
def test_a_network_of_videos_is_told_so(module):
    with pytest.raises(ModelError, match="takes videos or several images at once, and cannot be run on single images"):
        list_names(module)


class Sized(Two):
    def __init__(self, side, message):
        super().__init__()
        self.side, self.message = side, message

    def forward(self, x):
        if x.shape[-1] != self.side:
            raise ValueError(self.message)
        return super().forward(x)


@pytest.mark.parametrize(
    ("side", "message", "advice"),
    [
        (96, "expected an image of 96 x 96", "; it runs on 96 x 96: try --resolution 96"),
        (224, "wrong size", "; it runs on 224 x 224: try --resolution 224"),
        (1, "broken at every size, 33 included", ""),
    ],
)
def test_another_resolution_is_advised_only_if_the_network_runs_there(side, message, advice):
    with pytest.raises(ModelError, match=f"does not run on a 32 x 32 image with 3 channels: {message}{advice}$"):
        list_names(Sized(side, message))


@pytest.mark.parametrize("name", ["conv.3", "conv[1]", "last.weights", "con"])
def test_a_name_of_no_output_is_refused(name):
    with pytest.raises((UnknownLayerError, ActivationError), match=re.escape(name)):
        wrap_module(Two()).probe([name], SIZE, geometry="grid", device=CPU)
