"""The main job on real photographs and a real Caffe network gives what the released code gives.

The reference results were made by the released code's own counting, with exact thresholds and without the label 0
(``result_exact.csv``). Their activations came from another implementation of the same network, whose last bits differ:
a few pixels may tip.
"""

from __future__ import annotations

import numpy as np
import pytest
from tests.golden.reference import worst_iou

import netdissect as nd

pytestmark = [pytest.mark.shared, pytest.mark.slow]

LAYERS = ["fire5/concat", "fire9/concat", "conv_final"]


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("squeezenet")
    nd.dissect(
        str(shared / "models/squeezenet_v1.0"), LAYERS, shared / "data/real_a_227", out=folder, pictures=False,
        null=0, resamples=0,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def result(folder):
    return nd.load(folder)


def reference(shared, layer):
    return shared / "reference/oracle/results/squeezenet_v1.0/real_a_227" / layer.replace("/", "-")


@pytest.mark.parametrize("layer", LAYERS)
def test_thresholds_agree(shared, result, layer):
    expected = np.load(reference(shared, layer) / "thresholds_exact.npy")
    np.testing.assert_allclose(result[layer].thresholds, expected, rtol=1e-5)


@pytest.mark.parametrize("layer", LAYERS)
def test_exemplars_agree(shared, result, layer):
    expected = np.load(reference(shared, layer) / "top20.npy")
    same = (result[layer].exemplars.images == expected).mean()
    assert same > 0.999  # two images of nearly the same maximum may change places


@pytest.mark.parametrize("layer", LAYERS)
def test_labels_counts_and_scores_agree(shared, folder, layer):
    table = folder / f"{layer.replace('/', '-')}-result.csv"
    assert worst_iou(reference(shared, layer), table) <= 1e-4


def test_detectors_are_those_of_the_reference(result):
    counts = {name: (found.units, found.unique) for name, found in result.detectors().items()}
    assert counts == {"fire5/concat": (112, 16), "fire9/concat": (227, 47), "conv_final": (642, 26)}


@pytest.mark.parametrize("layer", ["fire5/concat", "fire9/concat"])
def test_field_maps_are_those_of_the_released_code(shared, result, layer):
    import json

    expected = json.loads((reference(shared, layer) / "fieldmap.json").read_text())
    assert [list(pair) for pair in result[layer].layer.field] == expected
