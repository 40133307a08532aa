from __future__ import annotations

import copy

import pytest
import torch
from tests import nets
from torch import nn

from netdissect.demo.network import STEM
from netdissect.errors import ModelError, ModelNotFoundError, SettingsError
from netdissect.networks.load import open_network, open_untrained, wrap_module
from netdissect.networks.load_options import LoadOptions
from netdissect.networks.preprocess import Preprocess
from netdissect.networks.sources.caffe.caffe_network import CaffeNetwork
from netdissect.networks.untrained import draw_module, draw_untrained

SMALL = "python:tests.nets:make_small_net"


class OwnNet(nn.Module):
    """A part that draws nothing, and batch normalization."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.scale = nn.Parameter(torch.full((4, 1, 1), 2.0))

    def forward(self, x):
        return self.norm(self.conv(x)) * self.scale


class DrawnNet(OwnNet):
    def reset_parameters(self):
        nn.init.ones_(self.scale)


class FailingNet(OwnNet):
    def reset_parameters(self):
        raise KeyError("no rule")


def states(*modules):
    return [module.state_dict() for module in modules]


def require_same(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_seed_draws_the_same_weights_and_another_draws_others():
    module = nets.make_small_net()
    before = copy.deepcopy(module.state_dict())
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, again, other = states(*(draw_module(module, seed, "net") for seed in (1, 1, 2)))
    assert torch.equal(torch.rand(1), expected)  # the caller's random numbers go on
    require_same(module.state_dict(), before)
    require_same(one, again)
    for name in one:
        assert not torch.equal(one[name], other[name]), name
        assert not torch.equal(one[name], before[name]), name


def test_weights_are_those_that_torch_draws_before_training():
    torch.manual_seed(3)
    linear = nn.Linear(6, 5)
    require_same(*states(linear, draw_module(nn.Linear(6, 5).requires_grad_(requires_grad=False), 3, "net")))


def test_statistics_of_batch_normalization_are_those_before_training():
    module = DrawnNet()
    module(torch.rand(8, 3, 9, 9))
    with torch.no_grad():
        module.norm.weight.fill_(7)
    drawn = draw_module(module, 1, "net")
    assert drawn.norm.running_mean.tolist() == [0] * 4
    assert drawn.norm.running_var.tolist() == [1] * 4
    assert drawn.norm.weight.tolist() == [1] * 4
    assert drawn.scale.flatten().tolist() == [1] * 4
    assert drawn.training


def test_a_parameter_that_nothing_draws_is_named():
    with pytest.raises(ModelError, match="net cannot be re-initialized: no method draws scale; give OwnNet a method"):
        draw_module(OwnNet(), 1, "net")


@pytest.mark.parametrize(
    ("module", "expected"),
    [(FailingNet(), r"re-initialized \(.*no rule.*\): in Python, give"), (nn.ReLU(), "it has no weights")],
)
def test_a_network_that_cannot_be_drawn_is_refused(module, expected):
    with pytest.raises(ModelError, match=expected):
        draw_module(module, 1, "net")


def test_attention_is_drawn_as_torch_draws_it():
    module = nn.MultiheadAttention(8, 2)
    torch.manual_seed(4)
    drawn, twin = draw_module(module, 4, "net"), nn.MultiheadAttention(8, 2)
    for name, tensor in twin.state_dict().items():
        found = drawn.state_dict()[name]
        assert found.shape == tensor.shape
        assert float(found.std()) == pytest.approx(float(tensor.std()), abs=0.1), name


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224"])
def test_timm_builds_its_own_modules_again(name):
    timm = pytest.importorskip("timm")
    with torch.random.fork_rng():
        torch.manual_seed(2)
        expected = timm.create_model(name, num_classes=3)
    require_same(*states(expected, draw_module(timm.create_model(name, num_classes=3), 2, "net")))


def test_transformers_builds_its_own_modules_again():
    library = pytest.importorskip("transformers")
    config = library.ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, image_size=32
    )
    module = library.ViTModel(config)
    with torch.no_grad():
        module.embeddings.cls_token.fill_(9)
    drawn = draw_module(module, 1, "net")
    assert type(drawn) is type(module)
    assert drawn.embeddings.cls_token.abs().max() < 1
    require_same(*states(drawn, draw_module(module, 1, "net")))


def test_a_torchvision_network_by_name_is_the_one_that_the_library_builds():
    library = pytest.importorskip("torchvision").models
    found = open_untrained("torchvision:squeezenet1_1", LoadOptions(seed=2))
    with torch.random.fork_rng():
        torch.manual_seed(2)
        require_same(*states(library.squeezenet1_1(weights=None), found.module))
    assert found.source == "torchvision:squeezenet1_1, random weights of seed 2"


def test_the_architecture_of_a_weights_file_is_drawn_and_the_file_is_not_read():
    pytest.importorskip("torchvision")
    found = open_untrained("missing.pth", LoadOptions(arch="torchvision:squeezenet1_1", seed=1))
    assert found.fingerprint() == open_untrained("torchvision:squeezenet1_1", LoadOptions(seed=1)).fingerprint()


def test_a_users_function_and_its_module_give_the_same_network():
    found = open_untrained(SMALL, LoadOptions(seed=2))
    assert found.source == f"{SMALL}, random weights of seed 2"
    require_same(*states(found.module, draw_module(nets.make_small_net(7), 2, "net")))


def test_the_weights_of_a_users_function_may_be_named_or_not():
    plain = open_untrained(SMALL, LoadOptions(seed=2))
    assert open_untrained(SMALL, LoadOptions(weights="random", seed=2)).fingerprint() == plain.fingerprint()


def test_a_caffe_network_needs_no_caffemodel(tmp_path):
    (tmp_path / "net.prototxt").write_bytes(STEM.with_suffix(".prototxt").read_bytes())
    found = open_untrained(str(tmp_path / "net"), LoadOptions(seed=1))
    assert isinstance(found, CaffeNetwork)
    trained = open_network(str(STEM))
    assert found.module.state_dict().keys() == trained.module.state_dict().keys()
    assert found.preprocess.describe() == trained.preprocess.describe()
    assert found.source == f"{tmp_path / 'net'}, random weights of seed 1"
    again, other = (open_untrained(str(STEM), LoadOptions(seed=seed)) for seed in (1, 2))
    require_same(*states(found.module, again.module))
    assert again.fingerprint() != other.fingerprint()
    with pytest.raises(ModelNotFoundError):
        open_untrained(str(tmp_path / "other.prototxt"), LoadOptions())


def test_an_exported_program_is_refused():
    program = torch.export.export(nets.make_small_net(), (torch.zeros(2, 3, 32, 32),))
    network = wrap_module(program, Preprocess())
    with pytest.raises(ModelError, match="cannot be re-initialized: ExportedNetwork has no rule to draw its weights"):
        draw_untrained(network, 1)


def test_weights_without_an_architecture_are_refused(tmp_path):
    torch.save(nets.make_small_net().state_dict(), tmp_path / "net.pth")
    with pytest.raises(SettingsError, match="name it with --arch"):
        open_untrained(str(tmp_path / "net.pth"), LoadOptions())
