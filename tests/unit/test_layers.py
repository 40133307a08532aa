"""Layers' names in file names."""

import pytest
from tests import nets, small_probe_set

import netdissect as nd
from netdissect.errors import SettingsError
from netdissect.layers import check_file_stems, make_file_stem


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("fire9/concat", "fire9-concat"),
        ("features.0", "features.0"),
        ("a\\b:c*?", "a-b-c--"),
        ("..", "--"),
        (".hidden", "-hidden"),
        ("con", "con-"),
        ("LPT1.x", "LPT1-.x"),
        ("a\x9b\ud800b", "a--b"),
        ("a.", "a.-"),
        ("Ω", "Ω"),
    ],
)
def test_a_name_becomes_a_file_name_that_every_system_takes(name, stem):
    assert make_file_stem(name) == stem


def test_a_name_too_long_for_a_file_system_is_cut_and_stays_unique():
    one, other = make_file_stem("é" * 150 + "1"), make_file_stem("é" * 150 + "2")
    assert one != other
    assert len(one.encode()) <= len(other.encode()) <= 200
    assert make_file_stem(one) == one
    check_file_stems(["é" * 150 + "1", "é" * 150 + "2"])


@pytest.mark.parametrize("name", ["index", "INDEX"])
def test_a_layer_does_not_take_the_place_of_the_report(name):
    with pytest.raises(
        SettingsError, match=rf"the layer {name} would be written as html/{name}\.html, which is a file of"
    ):
        check_file_stems(["conv1", name])


@pytest.mark.parametrize("name", ["", " ", "a "])
def test_a_name_that_no_file_can_have_is_changed_or_refused(name):
    assert make_file_stem(name) in ("", "-", "a -", " -")


@pytest.mark.parametrize(
    "names",
    [
        ("a/b", "a-b"),
        ("Conv1", "conv1"),
        ("c", "c-image-maxima"),
        ("caf\u00e9", "cafe\u0301"),
        ("con", "con-"),
        ("ß", "SS"),
    ],
)
def test_layers_that_would_share_files_are_found(names):
    check_file_stems(["a", "b", names[0]])
    with pytest.raises(SettingsError, match=f"the layers {names[0]} and {names[1]} would both be written as"):
        check_file_stems(["a", *names])


def test_layers_that_would_share_files_are_refused_before_any_work(tmp_path):
    data = small_probe_set.write_probe_set(tmp_path / "data", images=2)
    with pytest.raises(SettingsError, match="dissect them one by one"):
        nd.dissect(nets.make_small_net(), ["conv1/x", "conv1-x"], data)
