"""``weights=`` and ``arch=`` in Python: of a module a copy is filled, and what does not go together is refused."""

from collections import OrderedDict
from types import SimpleNamespace

import pytest
import torch
from tests import nets
from torch import nn

import netdissect as nd
from netdissect import model_loading
from netdissect.analyses.run_network import open_run_network
from netdissect.errors import ModelNotFoundError, SettingsError, UnknownLayerError


@pytest.fixture
def trained(tmp_path):
    torch.manual_seed(7)
    module = nets.make_small_net()
    with torch.no_grad():
        for value in module.parameters():
            value.normal_()
    torch.save(module.state_dict(), tmp_path / "mine.pth")
    return module, tmp_path / "mine.pth"


def test_a_module_with_weights_is_copied_and_stays_as_it_was(trained):
    source, path = trained
    module = nets.make_small_net()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    filled = model_loading.as_network(module, nd.Preprocess(), weights=path)
    assert all(torch.equal(value, module.state_dict()[name]) for name, value in before.items())
    assert filled.fingerprint() == model_loading.as_network(source, nd.Preprocess()).fingerprint()
    assert nd.list_layers(module, weights=path) == nd.list_layers(source)


def test_weights_in_a_file_take_their_architecture_in_python(trained):
    _, path = trained
    found = nd.list_layers(str(path), 32, arch="python:tests.nets:make_small_net")
    assert [layer.name for layer in found] == [layer.name for layer in nd.list_layers(nets.make_small_net(), 32)]


def test_options_that_do_not_go_with_the_model_are_refused(trained):
    module, path = trained
    loaded = nd.load_network("demo")
    with pytest.raises(SettingsError, match="arch= goes with a file of weights"):
        model_loading.as_network(module, arch="x")
    with pytest.raises(SettingsError, match=f"weights= goes with a module or a name, and {loaded.name} is loaded"):
        model_loading.as_network(loaded, weights=path)
    with pytest.raises(ModelNotFoundError, match="there is no weights file"):
        model_loading.as_network(module, weights=path.parent / "nowhere.pth")
    with pytest.raises(SettingsError, match=r"weights= goes with a torch.nn.Module or the name of a model, not"):
        model_loading.as_network(3, weights=path)


def test_units_are_removed_from_a_file_of_weights_or_a_copy_that_has_them(trained):
    source, path = trained
    image = torch.ones(1, 3, 32, 32)
    with nd.remove_units(str(path), "conv1", 1, arch="python:tests.nets:make_small_net") as named:
        expected = named.module(image)
    module = nets.make_small_net()
    before = module(image)
    with nd.remove_units(module, "conv1", 1, weights=path) as filled:
        torch.testing.assert_close(filled.module(image), expected)
        assert torch.equal(module(image), before)
    with pytest.raises(SettingsError, match="arch= goes with a file of weights"):
        nd.remove_units(source, "conv1", 1, arch="x")


def test_a_finished_run_opens_its_network_as_dissect_does(trained):
    source, path = trained
    card = SimpleNamespace(fingerprint=model_loading.as_network(source, nd.Preprocess()).fingerprint())
    run = SimpleNamespace(network=card, layers={})
    opened = open_run_network(run, model_loading.as_network(nets.make_small_net(), nd.Preprocess(), weights=path))
    assert open_run_network(run, lambda: opened) is opened
    with pytest.raises(SettingsError, match="arch= and weights= say how a network is loaded: give the network too"):
        open_run_network(run, None, weights=path)


def test_a_typo_in_a_nested_layer_suggests_the_nearest_one():
    block = nn.Sequential(OrderedDict(conv1=nn.Conv2d(3, 4, 3), conv2=nn.Conv2d(4, 3, 3)))
    network = model_loading.as_network(nn.Sequential(OrderedDict(layer4=nn.Sequential(block, block))), nd.Preprocess())
    for name in ("layer4.0.cnov2", "layer4.0.conv2.3"):
        with pytest.raises(UnknownLayerError, match=rf"has no layer '{name}': did you mean layer4\.0\.conv2"):
            network.probe([name], (32, 32), geometry="grid", device=torch.device("cpu"))
