"""A torch network as it is probed: its activations, and that nothing of it changes."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from tests import nets
from torch import nn

from netdissect.errors import ActivationError, ModelError, SettingsError, UnknownLayerError
from netdissect.networks.load import wrap_module
from netdissect.networks.module_copies import prepare_module
from netdissect.networks.preprocess import Preprocess

CPU = torch.device("cpu")


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(4, 6, 3, padding=1)
        self.unused = nn.Conv2d(3, 3, 1)
        self.fc = nn.Linear(6, 5)
        self.ran = 0

    def forward(self, x):
        x = self.relu(self.bn(self.conv1(x)))
        x = self.relu(self.conv2(x))
        self.ran += 1
        return self.fc(x.mean((2, 3)))


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, size=(5, 32, 32, 3)).astype(np.uint8)


def probe(module, *layers, size=(32, 32), geometry="receptive-field"):
    return wrap_module(module).probe(layers, size, geometry=geometry, device=CPU)


def test_a_layer_gives_what_a_plain_forward_pass_gives(images):
    module = Small().eval()
    seen = {}
    module.conv1.register_forward_hook(lambda *call: seen.__setitem__("conv1", call[2].clone()))
    module(Preprocess()(torch.from_numpy(images)))
    module.conv1._forward_hooks.clear()
    with probe(module, "conv1", "conv2") as source:
        outputs = source.activations(images)
    # BatchNorm and an in-place ReLU run after conv1: they must not reach what was seen of it.
    torch.testing.assert_close(nets.move_channels_first(outputs)["conv1"], seen["conv1"], rtol=1e-5, atol=1e-6)


def test_the_network_runs_no_further_than_its_last_probed_layer(images):
    module = Small().eval()
    ran = []
    module.conv2.register_forward_hook(lambda *_: ran.append("conv2"))
    with probe(module, "bn") as source:
        ran.clear()
        source.activations(images)
    assert ran == []


def test_a_module_that_runs_twice_gives_its_last_output(images):
    module = Small().eval()
    with probe(module, "relu") as source:
        outputs = source.activations(images)
    assert outputs["relu"].shape == (5, 16, 16, 6)


def test_modes_gradients_hooks_and_weights_stay_as_they_were(images):
    module = Small()
    module.train()
    module.bn.eval()
    module.conv1.weight.requires_grad_(requires_grad=False)
    before = copy.deepcopy(module.state_dict())

    def untouched():
        assert module.training
        assert not module.bn.training
        assert not module.conv1.weight.requires_grad
        assert module.conv2.weight.requires_grad
        assert all(not part._forward_hooks for part in module.modules())
        assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
        assert module.conv1.weight.is_contiguous()

    with probe(module, "conv2") as source:
        source.activations(images)
        untouched()
    untouched()


def test_hooks_are_removed_when_the_body_raises(images):
    module = Small()
    with pytest.raises(RuntimeError, match="on purpose"), probe(module, "conv2"):
        raise RuntimeError("on purpose")
    assert all(not part._forward_hooks for part in module.modules())
    assert module.training


class Breaking(Small):
    """Fails after its second convolution once `broken` is set."""

    broken = False

    def forward(self, x):
        x = self.conv2(self.conv1(x))
        if self.broken:
            raise RuntimeError("broken on purpose")
        return self.fc(x.mean((2, 3)))


def test_hooks_are_removed_when_the_network_fails(images):
    module = Breaking().train()
    source = probe(module, "fc")
    module.broken = True
    with pytest.raises(ActivationError, match="broken on purpose"), source:
        source.activations(images)
    with pytest.raises(ModelError, match="broken on purpose"):
        probe(module, "fc")
    assert all(not part._forward_hooks and not part._forward_pre_hooks for part in module.modules())
    assert module.training


def test_a_layer_is_dissected_although_the_network_fails_after_it(images):
    module = Breaking().eval()
    expected = module.conv2(module.conv1(Preprocess()(torch.from_numpy(images))))
    module.broken = True
    with probe(module, "conv2") as source:
        found = nets.move_channels_first(source.activations(images))["conv2"]
        (layer,) = source.layers
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert "the network fails after it (broken on purpose)" in layer.note


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_networks_give_full_precision_activations(images, dtype):
    module = Small().eval()
    with probe(module, "conv2") as source:
        expected = source.activations(images)["conv2"]
    half = module.to(dtype)
    before = copy.deepcopy(half.state_dict())
    with probe(half, "conv2") as source:
        found = source.activations(images)["conv2"]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0.05, atol=0.05)
    assert all(torch.equal(before[name], tensor) for name, tensor in half.state_dict().items())
    assert half.conv1.weight.dtype == dtype


def test_a_network_laid_out_channels_last_gives_the_same_and_stays_so(images):
    module = Small().eval()
    with probe(module, "conv2") as source:
        expected = source.activations(images)["conv2"]
    module = module.to(memory_format=torch.channels_last)
    with probe(module, "conv2") as source:
        torch.testing.assert_close(source.activations(images)["conv2"], expected, rtol=1e-5, atol=1e-6)
    assert module.conv2.weight.is_contiguous(memory_format=torch.channels_last)


def test_images_need_not_be_square():
    module = Small().eval()
    images = np.random.default_rng(1).integers(0, 256, size=(2, 24, 40, 3)).astype(np.uint8)
    with probe(module, "conv2", size=(24, 40)) as source:
        found, (layer,) = nets.move_channels_first(source.activations(images))["conv2"], source.layers
    x = module.bn(module.conv1(Preprocess()(torch.from_numpy(images)))).relu()
    torch.testing.assert_close(found, module.conv2(x), rtol=1e-4, atol=1e-5)
    assert (layer.grid, layer.shape) == ((12, 20), (6, 12, 20))


def test_a_network_spread_over_devices_stays_where_it_is(images):
    module = Small().eval()
    module.unused.to("meta")  # the nearest thing to a second device
    with probe(module, "conv2") as source:
        assert source.activations(images)["conv2"].shape == (5, 16, 16, 6)
    assert module.unused.weight.device.type == "meta"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_network_on_two_devices_is_dissected(images):
    class Spread(Small):
        def forward(self, x):
            x = self.relu(self.bn(self.conv1(x)))
            return self.relu(self.conv2(x.cuda()))

    module = Spread().eval()
    module.conv2.cuda()
    for device in (CPU, torch.device("cuda")):
        source = wrap_module(module).probe(["conv2"], (32, 32), geometry="receptive-field", device=device)
        with source:
            assert source.activations(images)["conv2"].device.type == device.type
    assert module.conv1.weight.device.type == "cpu"


def test_a_network_that_cannot_be_copied_is_run_itself_and_left_as_it_was(images):
    class Single(Small):
        def __deepcopy__(self, memo):
            raise TypeError("there can be only one")

    module = Single().train()
    before = copy.deepcopy(dict(module.state_dict()))
    with probe(module, "conv2") as source:
        source.activations(images)
        assert "cannot be copied (there can be only one)" in source.layers[0].note
    assert module.training
    assert all(not part._forward_hooks for part in module.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    module(torch.randn(2, 3, 8, 8)).sum().backward()  # what was made while dissecting does not get in the way


def test_wrappers_are_taken_off():
    module = Small()
    compiled = torch.compile(module, backend="eager")
    for wrapped in (nn.DataParallel(module), compiled, nn.DataParallel(compiled)):
        assert wrap_module(wrapped).module is module


def test_layers_say_units_grid_and_geometry():
    found = {layer.name: layer for layer in wrap_module(Small()).layers((32, 32))}
    assert (found["conv2"].units, found["conv2"].grid, found["conv2"].geometry) == (6, (16, 16), "receptive-field")
    assert (found["fc"].units, found["fc"].grid) == (5, (1, 1))
    assert "unused" not in found


def test_an_even_grid_can_be_asked_for():
    (layer,) = probe(Small(), "conv2", geometry="grid").layers
    assert (layer.geometry, layer.field.step) == ("grid", (2, 2))


def test_a_misspelt_layer_gets_the_nearest_names():
    with pytest.raises(UnknownLayerError, match=r"Small has no layer 'con2': did you mean conv2"):
        probe(Small(), "con2")


def test_a_layer_that_never_runs_is_reported_so():
    with pytest.raises(ActivationError, match="unused .* never run"):
        probe(Small(), "unused")


def test_an_image_the_network_cannot_take_is_reported_so():
    with pytest.raises(ModelError, match="does not run on a 4 x 4 image"):
        probe(nn.Sequential(nn.Conv2d(3, 4, 7), nn.ReLU()), "1", size=(4, 4))


def test_preprocessing_is_carried_with_the_module(images):
    module = Small()
    module.preprocess = Preprocess(
        channels="bgr", rescale_factor=1.0, mean=np.zeros(3, np.float32), std=np.ones(3, np.float32)
    )
    network = wrap_module(module)
    x = network.preprocess(torch.from_numpy(images))
    torch.testing.assert_close(x, torch.from_numpy(images).permute(0, 3, 1, 2).flip(1).float())


def test_what_was_assumed_of_preprocessing_is_said():
    assert "assumed" in wrap_module(Small()).preprocess.describe()


def test_the_fingerprint_changes_with_a_single_weight():
    module = Small()
    before = wrap_module(module).fingerprint()
    assert before == wrap_module(copy.deepcopy(module)).fingerprint()
    with torch.no_grad():
        module.fc.bias[0] += 1e-3
    assert wrap_module(module).fingerprint() != before


def test_something_that_is_no_module_is_refused():
    with pytest.raises(SettingsError, match="expected a torch.nn.Module"):
        wrap_module("not a module")


def test_batch_norms_are_folded_only_if_nothing_else_reads_them():
    class Tricky(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.bn_a = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
            self.b, self.bn_b = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
            self.c, self.bn_c = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)

        def forward(self, x):
            x = self.bn_a(self.a(x))
            y = self.b(x)
            x = self.bn_b(y) + y  # y is read twice
            return self.bn_c(self.c(self.c(x)))  # c runs twice

    module = Tricky()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 2)
            part.running_mean.uniform_(-1, 1)
            part.running_var.uniform_(0.5, 2)
    module.eval()
    image = torch.randn(2, 3, 16, 16)
    twin = prepare_module(module, ["bn_c"], image)
    kinds = [type(part).__name__ for name, part in twin.named_modules() if name.startswith("bn")]
    assert kinds == ["Identity", "BatchNorm2d", "BatchNorm2d"]
    torch.testing.assert_close(twin(image), module(image), rtol=1e-4, atol=1e-5)
    assert [type(p).__name__ for n, p in prepare_module(module, ["a"], image).named_modules() if n == "bn_a"] == [
        "BatchNorm2d"
    ]


class Raising(nn.Module):
    """Raises something: at once, or on real images only."""

    def __init__(self, error, *, at_once):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.error, self.at_once = error, at_once

    def forward(self, x):
        if self.at_once or (x.abs().sum() > self.conv.weight.numel() and len(x) != 2):
            raise self.error
        return self.conv(x)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SystemExit(3), r"it called sys\.exit\(3\)"),
        (SystemExit(), r"it called sys\.exit\(\)"),
        (KeyError("what"), "KeyError: 'what'"),
        (ZeroDivisionError("nought"), "ZeroDivisionError: nought"),
    ],
)
def test_a_forward_pass_that_ends_the_program_or_raises_what_it_may_is_one_sentence(error, said):
    network = wrap_module(Raising(error, at_once=True))
    with pytest.raises(ModelError, match=f"Raising does not run on a 8 x 8 .*: {said}"):
        network.probe(["conv"], (8, 8), geometry="grid", device=torch.device("cpu"))
    late = wrap_module(Raising(error, at_once=False))
    images = np.full((3, 8, 8, 3), 200, np.uint8)
    with (
        late.probe(["conv"], (8, 8), geometry="grid", device=torch.device("cpu")) as source,
        pytest.raises(ModelError, match=said),
    ):
        source.activations(images)


def test_a_forward_pass_that_fails_on_images_only_is_one_sentence_and_an_interrupt_is_none():
    images = np.full((3, 8, 8, 3), 200, np.uint8)
    for error, kind, said in (
        (RuntimeError("odd"), ActivationError, r"Raising fails on these images \(odd\)"), (KeyboardInterrupt(), KeyboardInterrupt, None)
    ):  # fmt: skip
        network = wrap_module(Raising(error, at_once=False))
        with (
            network.probe(["conv"], (8, 8), geometry="grid", device=torch.device("cpu")) as source,
            pytest.raises(kind, match=said),
        ):
            source.activations(images)
