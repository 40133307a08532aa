"""Arguments of the wrong type, and layers without units, raise the package's own errors."""

from __future__ import annotations

import pytest
import torch
from tests import nets, small_probe_set

import netdissect as nd
from netdissect.errors import ActivationError, SettingsError


@pytest.mark.parametrize(("given", "words"), [(None, "None"), (7, "7")])
def test_anything_but_a_folder_is_refused(given, words):
    with pytest.raises(SettingsError, match=f"netdissect.load takes the folder of a run, not {words}"):
        nd.load(given)
    with pytest.raises(SettingsError, match=f"Broden takes the folder of a probe set, not {words}"):
        nd.Broden(given)


def test_a_name_with_a_nul_character_is_refused(tmp_path):
    data = small_probe_set.write_probe_set(tmp_path / "set")
    with pytest.raises(SettingsError, match=r"--out a\\x00b: a file name cannot contain a NUL character"):
        nd.dissect(nets.make_small_net(), "conv1", data, out="a\0b")


class _Nothing(torch.nn.Module):
    def forward(self, x):
        return x[:, :0]


def test_a_layer_without_units_is_refused(tmp_path):
    network = torch.nn.Sequential()
    network.nothing = _Nothing()
    with pytest.raises(
        ActivationError, match=r"layer nothing of .* \(2, 0, 32, 32\), .* \(it is empty for a blank image\)"
    ):
        nd.dissect(network, "nothing", small_probe_set.write_probe_set(tmp_path / "set"))
