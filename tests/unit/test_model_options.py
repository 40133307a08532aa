"""``weights=`` and ``arch=`` in Python: of a module a copy is filled, and what does not go together is refused."""

import pytest
import torch
from tests import nets

import netdissect as nd
from netdissect import model_loading
from netdissect.errors import ModelNotFoundError, SettingsError


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
