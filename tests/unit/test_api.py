"""What Python callers are told."""

from __future__ import annotations

import logging

import pytest
from tests import folders, nets

import netdissect as nd
from netdissect.models.preprocess import Preprocess, caffe_preprocess


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return folders.write(tmp_path_factory.mktemp("data") / "small", images=6)


def test_a_preprocessing_that_is_only_assumed_is_said_so(data, caplog):
    options = {"quantile": 0.05, "pictures": False}
    with caplog.at_level(logging.WARNING, logger="netdissect"):
        nd.dissect(nets.small(), ["conv1"], data, **options)
        assert [record.name for record in caplog.records] == ["netdissect"]
        assert "assumed: ImageNet statistics); give preprocess=" in caplog.text
        caplog.clear()
        nd.dissect(nets.small(), ["conv1"], data, preprocess=Preprocess(), **options)
        assert not caplog.records


def test_preprocessing_is_told_with_every_digit():
    assert caffe_preprocess().describe() == "BGR, mean 109.5388 118.6897 124.6901"
    assert Preprocess().describe() == "RGB, 0 to 1, mean 0.485 0.456 0.406, std 0.229 0.224 0.225"
