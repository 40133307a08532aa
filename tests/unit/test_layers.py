"""Layers' names in file names."""

import pytest
from tests import folders, nets

import netdissect as nd
from netdissect.errors import SettingsError
from netdissect.layers import check_stems, file_stem


@pytest.mark.parametrize(
    ("name", "stem"),
    [("fire9/concat", "fire9-concat"), ("features.0", "features.0"), ("a\\b:c*?", "a-b-c--"), ("..", "--")],
)
def test_a_name_becomes_a_file_name_that_every_system_takes(name, stem):
    assert file_stem(name) == stem


@pytest.mark.parametrize("names", [("a/b", "a-b"), ("Conv1", "conv1")])
def test_layers_that_would_share_files_are_told_apart_from_others(names):
    check_stems(["a", "b", names[0]])
    with pytest.raises(SettingsError, match=f"the layers {names[0]} and {names[1]} would both be written as"):
        check_stems(["a", *names])


def test_layers_that_would_share_files_are_told_before_any_work(tmp_path):
    data = folders.write(tmp_path / "data", images=2)
    with pytest.raises(SettingsError, match="dissect them one by one"):
        nd.dissect(nets.small(), ["conv1/x", "conv1-x"], data)
