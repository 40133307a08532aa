"""Latents of a projection are dissected as if they were units, whatever the network below is."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests import nets, small_probe_set
from torch import nn

import netdissect as nd
from netdissect.errors import ActivationError, SettingsError, UnknownLayerError
from netdissect.networks.load import wrap_module
from netdissect.networks.units.encoder import Encoder, EncoderConfig
from netdissect.networks.units.projected_network import attach_projections
from netdissect.networks.units.projection import Projection

CPU = torch.device("cpu")
OPTIONS = {"quantile": 0.05, "batch_size": 4, "images_per_unit": 3, "pictures": False}


class WithLatents(nn.Module):
    """The small network with an encoder inside it: what a projection must equal."""

    def __init__(self, encoder):
        super().__init__()
        self.net, self.encoder = nets.make_small_net(), encoder

    def forward(self, x):
        x = self.net.conv2(self.net.relu1(self.net.conv1(x)))
        return self.encoder(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Autoencoder(nn.Module):
    """Its forward pass gives units again; its latents are what `encode` gives."""

    def __init__(self, units, latents):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(units, latents), nn.Linear(latents, units)

    def encode(self, x):
        return self.encoder(x).relu()

    def forward(self, x):
        return self.decoder(self.encode(x))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "small", images=12)


@pytest.fixture
def autoencoder():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Autoencoder(8, 20)


@pytest.fixture
def file(tmp_path, autoencoder):
    path = tmp_path / "sae.safetensors"
    save_file({f"encoder.{name}": part for name, part in autoencoder.encoder.state_dict().items()}, path)
    return path


def same(ours, theirs):
    np.testing.assert_allclose(ours.thresholds, theirs.thresholds, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(ours.counts.G, theirs.counts.G)
    np.testing.assert_allclose(ours.counts.I, theirs.counts.I, atol=2)


def test_latents_are_dissected_as_if_they_were_channels(data, autoencoder):
    inside = WithLatents(nn.Sequential(autoencoder.encoder, nn.ReLU()))
    theirs = nd.dissect(inside, ["encoder"], data, **OPTIONS)["encoder"]
    result = nd.dissect(nets.make_small_net(), ["conv2"], data, projection=autoencoder, **OPTIONS)
    ours = result["conv2+Autoencoder"]
    same(ours, theirs)
    assert (ours.layer.units, ours.layer.kind, ours.layer.note) == (20, "Autoencoder", "20 units of 8")
    assert ours.layer.field == theirs.layer.field
    assert result.network.source.endswith("--projection conv2=the module Autoencoder")


def test_a_file_finds_what_the_module_finds(data, autoencoder, file, tmp_path):
    theirs = nd.dissect(nets.make_small_net(), ["conv2"], data, projection=autoencoder, **OPTIONS)["conv2+Autoencoder"]
    result = nd.dissect(nets.make_small_net(), ["conv2"], data, projection=file, out=tmp_path / "run", **OPTIONS)
    same(result["conv2+sae"], theirs)
    assert result["conv2+sae"].layer.note == "20 latents of 8 units, relu, assumed: relu"
    assert (tmp_path / "run" / "conv2+sae-result.csv").is_file()
    assert nd.load(tmp_path / "run")["conv2+sae"].layer.units == 20


def test_units_and_latents_may_be_probed_together(data, autoencoder):
    result = nd.dissect(nets.make_small_net(), ["conv1", "conv2", "conv2+Autoencoder"], data,
                        projection={"conv2": autoencoder}, **OPTIONS)  # fmt: skip
    assert list(result.layers) == ["conv1", "conv2", "conv2+Autoencoder"]
    alone = nd.dissect(nets.make_small_net(), ["conv1", "conv2"], data, **OPTIONS)
    np.testing.assert_array_equal(result["conv2"].counts.I, alone["conv2"].counts.I)


def test_it_is_sent_to_workers_with_its_projections(file):
    network, names = attach_projections(wrap_module(nets.make_small_net()), ["conv2"], file)
    sent = pickle.loads(pickle.dumps(network))
    assert sent.fingerprint() == network.fingerprint()
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    found = []
    for one in (network, sent):
        with one.probe(names, (32, 32), geometry="grid", device=CPU) as source:
            found.append(source.activations(images)["conv2+sae"])
    assert torch.equal(*found)


def test_the_shell_takes_a_file_for_one_layer_and_for_each_of_several(data, file, tmp_path, monkeypatch):
    from netdissect.cli.run import parse_projections

    assert parse_projections([str(file)]) == str(file)
    assert parse_projections([f"conv2={file}", "conv1=b.safetensors"]) == {
        "conv2": str(file),
        "conv1": "b.safetensors",
    }
    with pytest.raises(SettingsError, match="LAYER=FILE for each of several layers, not 'a'"):
        parse_projections(["a", "b"])


def test_any_kind_of_network_may_lie_below(autoencoder):
    class Given:
        name = source = "given"
        preprocess = None
        input_size = (8, 8)

        def __init__(self, network):
            self.network = network

        def __getattr__(self, name):
            return getattr(self.network, name)

    network, names = attach_projections(Given(wrap_module(nets.make_small_net())), ["conv2"], autoencoder)
    with network.probe(names, (32, 32), geometry="grid", device=CPU) as source:
        assert source.activations(np.zeros((3, 32, 32, 3), np.uint8))["conv2+Autoencoder"].shape == (3, 8, 8, 20)


def test_the_list_of_layers_has_latents_after_their_layer(autoencoder):
    network, _ = attach_projections(wrap_module(nets.make_small_net()), ["conv2"], autoencoder)
    names = [layer.name for layer in network.layers((32, 32))]
    assert names[names.index("conv2") + 1] == "conv2+Autoencoder"


def test_many_latents_are_computed_in_chunks(monkeypatch):
    from netdissect.networks.units import projected_network

    module = nn.Linear(8, 30)
    calls = []
    module.register_forward_hook(lambda _m, given, _o: calls.append(len(given[0])))
    monkeypatch.setattr(projected_network, "_CHUNK_VALUES", 300)
    network, names = attach_projections(wrap_module(nets.make_small_net()), ["conv2"], module)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    with network.probe(["conv2", *names], (32, 32), geometry="grid", device=CPU) as source:
        calls.clear()
        found = source.activations(images)
    assert max(calls) == 10
    assert sum(calls) == 2 * 8 * 8
    with torch.no_grad():
        expected = module(found["conv2"])
    torch.testing.assert_close(found["conv2+Linear"], expected)
    assert found["conv2+Linear"].is_contiguous()  # so the engine makes no copy


def test_the_module_itself_stays_as_it_was(autoencoder):
    autoencoder.train()
    network, names = attach_projections(wrap_module(nets.make_small_net()), ["conv2"], autoencoder)
    with network.probe(names, (32, 32), geometry="grid", device=CPU) as source:
        source.activations(np.zeros((1, 32, 32, 3), np.uint8))
    assert autoencoder.training
    assert all(parameter.requires_grad for parameter in autoencoder.parameters())


@pytest.mark.parametrize(
    ("names", "config", "fingerprint"),
    [
        (
            ("weight", "bias", "before"),
            EncoderConfig("topk", 1, subtract=True, normalize="layer_norm", assumed=("b_dec subtracted",)),
            "bcbc339fa1f2ab5dc9abd21d9b5b74ac",
        ),
        (("weight",), EncoderConfig("none"), "b593118cad2e66f16d75a3859ef137c0"),
    ],
)
def test_the_fingerprint_of_an_encoder_is_that_of_existing_run_folders(names, config, fingerprint):
    """Both values were computed by the code of commit a67f785."""
    parts = {
        "weight": torch.arange(6.0).reshape(2, 3),
        "bias": torch.tensor([0.5, -0.5]),
        "before": torch.ones(3),
    }
    encoder = Encoder({name: parts[name] for name in names}, config)
    assert Projection("sae", encoder, "sae.safetensors").fingerprint() == fingerprint


def test_the_fingerprint_changes_with_a_single_weight(autoencoder):
    def fingerprint():
        return attach_projections(wrap_module(nets.make_small_net()), ["conv2"], autoencoder)[0].fingerprint()

    before = fingerprint()
    assert fingerprint() == before != wrap_module(nets.make_small_net()).fingerprint()
    with torch.no_grad():
        autoencoder.encoder.weight[0, 0] += 1e-3
    assert fingerprint() != before


def test_preprocessing_is_that_of_the_network_below(autoencoder):
    inner = wrap_module(nets.make_small_net())
    network, _ = attach_projections(inner, ["conv2"], autoencoder)
    assert network.preprocess is inner.preprocess
    other = type(inner.preprocess)(channels="bgr")
    assert network.with_preprocess(other).preprocess is other
    assert inner.preprocess is network.preprocess is not other


def test_a_projection_of_another_layer_is_reported(data, file):
    with pytest.raises(ActivationError, match=r"sae.safetensors maps 8 units, .* conv1 has 5"):
        nd.dissect(nets.make_small_net(), ["conv1"], data, projection=file, **OPTIONS)
    with pytest.raises(ActivationError, match=r"the projection Linear cannot map 5 units"):
        nd.dissect(nets.make_small_net(), ["conv1"], data, projection=nn.Linear(8, 3), **OPTIONS)


def test_a_module_that_mixes_places_is_reported(data):
    with pytest.raises(ActivationError, match=r"the projection Flatten must map units .* every cell independently"):
        nd.dissect(nets.make_small_net(), ["conv2"], data, projection=nn.Flatten(0), **OPTIONS)


def test_a_projection_for_a_layer_that_is_not_probed_is_reported(data, autoencoder):
    with pytest.raises(SettingsError, match=r"given for layer conv3, which is not probed: did you mean conv2"):
        nd.dissect(nets.make_small_net(), ["conv2"], data, projection={"conv3": autoencoder}, **OPTIONS)
    with pytest.raises(SettingsError, match="a projection is a torch.nn.Module or a file of one, not int"):
        nd.dissect(nets.make_small_net(), ["conv2"], data, projection=3, **OPTIONS)


def test_misspelt_latents_get_the_nearest_names(data, autoencoder):
    with pytest.raises(UnknownLayerError, match=r"there is no 'conv2\+Autoencodr': did you mean conv2\+Autoencoder"):
        nd.dissect(
            nets.make_small_net(), ["conv2", "conv2+Autoencodr"], data, projection={"conv2": autoencoder}, **OPTIONS
        )
