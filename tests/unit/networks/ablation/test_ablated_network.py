"""A network gives the class outputs that it would give if the weights of the removed units were zero."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from tests.nets import TokenNet, make_small_net
from torch import nn

from netdissect.demo.network import load_trained_network
from netdissect.errors import ActivationError, ModelError, UnknownLayerError
from netdissect.networks.load import wrap_module

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


class Residual(nn.Module):
    """A block with a shortcut, a block that concatenates its input, and a block of groups."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, 2, 1)
        self.block = Shortcut(6)
        self.dense = Dense(6)
        self.groups = nn.Sequential(nn.Conv2d(9, 12, 3, groups=3), nn.ChannelShuffle(3), nn.ReLU())
        self.fc = nn.Linear(12, 5)

    def forward(self, x):
        return self.fc(self.groups(self.dense(self.block(self.stem(x)))).mean((2, 3)))


class Shortcut(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.bn1, self.conv2 = nn.Conv2d(width, 4, 3, 1, 1), nn.BatchNorm2d(4), nn.Conv2d(4, width, 1)
        nn.init.uniform_(self.bn1.running_mean)

    def forward(self, x):
        return torch.relu(x + self.conv2(torch.relu(self.bn1(self.conv1(x)))))


class Dense(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, 3, 3, 1, 1)

    def forward(self, x):
        return torch.cat([x, self.conv(x)], 1)


class Pair(nn.Module):
    def forward(self, x):
        return x.movedim(1, 3)[..., :3], x


def draw_images(count, size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *size, 3), np.uint8)


def draw_sets(sets, units):
    return np.random.default_rng(1).random((sets, units)) < 0.4


def zero_weights(module, part, removed):
    """Return the outputs of a copy of a module in which the weights of removed units are zero."""
    changed = copy.deepcopy(module)
    layer = dict(changed.named_modules())[part]
    with torch.no_grad():
        for values in layer.parameters():
            values[torch.from_numpy(removed)] = 0
    return changed


def run_by_hand(network, module, images):
    with torch.no_grad():
        return module.eval()(network.preprocess(torch.from_numpy(images))).numpy()


def remove_zero(network, layer, images, removed):
    with network.open_ablation(layer, images.shape[1:3], device=CPU) as source:
        return source.remove(images, removed, np.zeros(removed.shape[1], np.float32)), source.note


@pytest.mark.parametrize(
    ("module", "layer", "size", "units", "restart"),
    [
        (make_small_net(), "conv1", (32, 32), 5, ""),
        (make_small_net(), "conv2", (32, 32), 8, ""),
        (Residual(), "stem", (16, 16), 6, ""),
        (Residual(), "block.bn1", (16, 16), 4, "the input of block"),
        (Residual(), "block.conv2", (16, 16), 6, "the input of block"),
        (Residual(), "dense.conv", (16, 16), 3, "the input of dense"),
        (Residual(), "groups.0", (16, 16), 12, ""),
        (TokenNet(), "patches", (16, 16), 32, ""),
        (TokenNet(), "mlp.0", (16, 16), 64, "the images"),
        (TokenNet(), "mlp.2", (16, 16), 32, "the images"),
    ],
)
def test_removed_units_count_as_if_their_weights_were_zero(module, layer, size, units, restart):
    network = wrap_module(module.eval())
    images, removed = draw_images(4, size), draw_sets(6, units)
    found, note = remove_zero(network, layer, images, removed)
    expected = [run_by_hand(network, zero_weights(module, layer, one), images) for one in removed]
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert note.endswith(restart) and bool(note) == bool(restart)


def test_units_of_attention_heads_are_the_columns_of_the_projection():
    module = TokenNet().eval()
    network = wrap_module(module)
    images, removed = draw_images(3, (16, 16)), draw_sets(4, 32)
    found, _ = remove_zero(network, "attention.out_proj:in", images, removed)
    expected = []
    for one in removed:
        changed = copy.deepcopy(module)
        with torch.no_grad():
            changed.attention.out_proj.weight[:, torch.from_numpy(one)] = 0
        expected.append(run_by_hand(network, changed, images))
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("layer", ["conv1", "conv4", "conv5"])
def test_units_of_a_caffe_network_are_removed_before_its_softmax(layer):
    network = load_trained_network()
    images = draw_images(3, (112, 112))
    with network.open_ablation(layer, (112, 112), device=CPU) as source:
        removed = draw_sets(5, source.layer.units)
        found = source.remove(images, removed, np.zeros(source.layer.units, np.float32))
        intact, _ = source.measure(images)
    x = network.preprocess(torch.from_numpy(images))
    with torch.no_grad():
        np.testing.assert_allclose(intact, network.module(x, blobs=["fc6"])["fc6"].numpy(), atol=1e-4)
        for one, outputs in zip(removed, found, strict=True):
            changed = copy.deepcopy(network.module)
            for values in changed.layers[layer].parameters():
                values[torch.from_numpy(one)] = 0
            np.testing.assert_allclose(outputs, changed(x, blobs=["fc6"])["fc6"].numpy(), atol=1e-4)


def test_the_measured_means_are_those_of_the_probe():
    network = load_trained_network()
    images = draw_images(3, (112, 112))
    with network.open_ablation("conv3", (112, 112), device=CPU) as source:
        _, means = source.measure(images)
    with network.probe(["conv3"], (112, 112), geometry="grid", device=CPU) as probe:
        expected = probe.activations(images)["conv3"].mean((1, 2))
    np.testing.assert_allclose(means, expected, rtol=1e-4, atol=1e-3)


def test_values_take_the_place_of_removed_activations():
    module = make_small_net()
    network = wrap_module(module)
    images = draw_images(2, (32, 32))
    values = np.linspace(-1, 2, 8, dtype=np.float32)
    removed = np.ones((1, 8), np.bool_)
    with network.open_ablation("relu2", (32, 32), device=CPU) as source:
        found = source.remove(images, removed, values)
    with torch.no_grad():
        expected = module.fc(torch.from_numpy(values)).numpy()
    np.testing.assert_allclose(found[0], [expected, expected], atol=1e-5)


class Pooled(nn.Module):
    """A layer whose units are pooled after a shortcut around it, then flattened into 2 x 2 cells each."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 1, 1)
        self.pool, self.fc = nn.AdaptiveMaxPool2d(2), nn.Linear(32, 5)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        return self.fc(self.pool(torch.relu(x + self.conv(x))).flatten(1))


@pytest.mark.parametrize(
    ("module", "layer", "is_pooled"),
    [
        (make_small_net(), "conv2", True),
        (make_small_net(), "conv1", False),
        (Pooled(), "conv", True),
        (Pooled(), "stem", False),
        (TokenNet(), "mlp", False),
        (Residual(), "groups.1", True),
    ],
)
def test_where_units_are_pooled_after_the_layer_sets_choose_from_two_runs(module, layer, is_pooled):
    network = wrap_module(module.eval())
    images = draw_images(5, (16, 16))
    images[1] = images[0]
    with network.open_ablation(layer, (16, 16), device=CPU) as source:
        removed = draw_sets(7, source.layer.units)
        values = np.linspace(-1, 1, source.layer.units, dtype=np.float32)
        found = source.remove(images, removed, values)
        assert source._sets.is_pooled == is_pooled
        source._sets.is_pooled, source._sets.cut = False, len(source._forward.cuts) - 1
        np.testing.assert_allclose(found, source.remove(images, removed, values), atol=1e-5)


def test_a_branch_is_found_also_where_outputs_hardly_depend_on_the_image():
    class Weak(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 3, 2, 1), nn.Linear(4, 3)

        def forward(self, x):
            side = x.mean((2, 3)).mean(0) * 1e-2  # of any number of images
            return self.fc(self.conv(x).mean((2, 3))) + side + 100

    network = wrap_module(Weak().eval())
    _, note = remove_zero(network, "conv", draw_images(2, (16, 16)), draw_sets(2, 4))
    assert note.endswith("the network runs again from the images")


def test_many_sets_and_images_give_what_one_at_a_time_gives():
    network = wrap_module(Residual().eval())
    images, removed = draw_images(5, (16, 16)), draw_sets(300, 4)
    whole, _ = remove_zero(network, "block.conv1", images, removed)
    with network.open_ablation("block.conv1", (16, 16), device=CPU) as source:
        for image in range(5):
            alone = source.remove(images[image : image + 1], removed[::50], np.zeros(4, np.float32))
            np.testing.assert_allclose(whole[::50, image], alone[:, 0], atol=1e-5)


def test_probabilities_become_logarithms_whose_differences_are_those_of_the_logits():
    module = make_small_net()

    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = module

        def forward(self, x):
            return self.net(x).softmax(1)

    images = draw_images(3, (32, 32))
    found = {}
    for name, whole, layer in (
        ("logits", module, "conv2"),
        ("module", nn.Sequential(module, nn.Softmax(1)), "0.conv2"),
        ("function", Functional(), "net.conv2"),
    ):
        with wrap_module(whole.eval()).open_ablation(layer, (32, 32), device=CPU) as source:
            found[name], _ = source.measure(images)
    np.testing.assert_array_equal(found["module"], found["logits"])
    np.testing.assert_allclose(
        found["function"] - found["function"][:, :1], found["logits"] - found["logits"][:, :1], atol=1e-5
    )


def test_a_layer_that_the_class_outputs_do_not_depend_on_is_one_sentence():
    network = load_trained_network()
    with (
        pytest.raises(ModelError, match="class outputs of demonet do not depend on layer prob"),
        network.open_ablation("prob", (112, 112), device=CPU),
    ):
        pass


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (nn.Identity(), "a tensor of shape 2 x 8 x 8 x 8"),
        (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1)), "a tensor of shape 2 x 1"),
        (Pair(), "2 values, the first a tensor of shape 2 x 8 x 8 x 3"),
    ],
)
def test_a_network_without_class_outputs_is_one_sentence(head, what):
    network = wrap_module(nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), head).eval(), name="net")
    with (
        pytest.raises(ModelError, match=f"net has no class outputs.*returns {what}"),
        network.open_ablation("0", (16, 16), device=CPU),
    ):
        pass


def test_a_network_that_fails_after_the_layer_is_one_sentence():
    module = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.Flatten(), nn.Linear(512, 4))
    network = wrap_module(module.eval(), name="net")
    with (
        pytest.raises(
            ModelError, match="net gives no class outputs for images of 20 x 20 pixels.*classifies images of this size"
        ),
        network.open_ablation("0", (20, 20), device=CPU),
    ):
        pass


def test_an_unknown_layer_is_one_sentence():
    with pytest.raises(UnknownLayerError, match="has no layer 'conv9'"):
        load_trained_network().open_ablation("conv9", (112, 112), device=CPU)


def test_the_network_is_as_it_was_also_after_an_error():
    module = make_small_net().train()
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    network = wrap_module(module)
    with network.open_ablation("conv1", (32, 32), device=CPU) as source, pytest.raises(ActivationError, match="fails"):
        source.remove(draw_images(1, (32, 32)), draw_sets(2, 5), np.zeros(4, np.float32))
    assert module.training
    assert all(part.training for part in module.modules())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())
