"""Networks that are downloaded from model hubs; run with NETDISSECT_NETWORK=1."""

from __future__ import annotations

import pytest
from tests import small_probe_set

import netdissect as nd
from netdissect.networks.load import open_network

pytestmark = [pytest.mark.network, pytest.mark.slow]


@pytest.mark.parametrize(
    ("model", "layer", "mean"),
    [
        ("torchvision:resnet18", "layer4", 0.485),
        ("timm:resnet18.a1_in1k", "layer4", 0.485),
        ("timm:vit_tiny_patch16_224", "blocks.11.mlp.act", 0.5),
        ("hf:facebook/dinov2-small", "layernorm", 0.485),
        ("hf:google/vit-base-patch16-224", "vit.layernorm", 0.5),
    ],
)
def test_a_downloaded_network_has_its_preprocessing_and_is_dissected(model, layer, mean, tmp_path):
    pytest.importorskip({"hf": "transformers"}.get(model.partition(":")[0], model.partition(":")[0]))
    network = open_network(model)
    assert network.preprocess.mean[0] == pytest.approx(mean)
    data = small_probe_set.write_probe_set(tmp_path / "set", images=4, size=(224, 224), labels=(112, 112))
    result = nd.dissect(network, layer, data, quantile=0.05)
    assert result[layer].iou.max() > 0
    assert open_network(model).fingerprint() == network.fingerprint()
