from __future__ import annotations

import pytest
import torch
from tests import nets
from torch import nn

from netdissect.errors import ModelError
from netdissect.experiments.checkpoint_loader import CheckpointLoader
from netdissect.model_loading import load_network

MODEL = "python:tests.nets:make_small_net"


def build(seed: int = 0, classes: int = 4) -> nn.Module:
    torch.manual_seed(seed)
    norm = nn.BatchNorm2d(5)
    norm.num_batches_tracked += seed
    return nn.Sequential(nn.Conv2d(3, 5, 3), norm, nn.Flatten(), nn.Linear(5, classes)).eval()


@pytest.fixture
def loaded(monkeypatch):
    """Return a loader, and the list of paths it loads anew."""
    monkeypatch.setattr(nets, "make_small_net", build)
    paths = []

    def load(path):
        paths.append(path)
        return load_network(MODEL, weights=path)

    return CheckpointLoader(load), paths


def save(path, state):
    torch.save(state, path)
    return str(path)


def test_a_file_with_every_tensor_fills_a_copy_that_equals_a_new_network(loaded, tmp_path):
    loader, paths = loaded
    files = [save(tmp_path / f"{n}.pt", {"state_dict": build(n).state_dict()}) for n in range(3)]
    networks = [loader(file) for file in files]
    assert loader(files[2]) is networks[2]
    assert paths == files[:1]
    for file, network in zip(files, networks, strict=True):
        alone = load_network(MODEL, weights=file)
        assert network.fingerprint() == alone.fingerprint()
        assert (network.source, network.name) == (alone.source, alone.name)
        assert network.preprocess.describe() == alone.preprocess.describe()
    assert len({network.fingerprint() for network in networks}) == 3


def test_a_file_that_lacks_a_computed_buffer_is_loaded_anew(loaded, tmp_path):
    loader, paths = loaded
    state = build(2).state_dict()
    del state["1.num_batches_tracked"]
    files = [save(tmp_path / "1.pt", build(1).state_dict()), save(tmp_path / "2.pt", state)]
    networks = [loader(file) for file in files]
    assert paths == files
    assert networks[1].fingerprint() == load_network(MODEL, weights=files[1]).fingerprint()


def test_a_file_that_does_not_fit_is_refused_as_it_is_alone(loaded, tmp_path):
    loader, paths = loaded
    files = [save(tmp_path / "1.pt", build(1).state_dict()), save(tmp_path / "2.pt", build(2, classes=7).state_dict())]
    before = loader(files[0]).fingerprint()
    with pytest.raises(ModelError, match=r"2\.pt: 3\.(weight|bias) has shape \(7") as refused:
        loader(files[1])
    with pytest.raises(ModelError) as alone:
        load_network(MODEL, weights=files[1])
    assert str(refused.value) == str(alone.value)
    assert paths == files
    assert loader(files[0]).fingerprint() == before
