"""A run on disk: what is saved is loaded, and damage is reported in one sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests import nets, small_probe_set

import netdissect as nd
from netdissect.errors import RunFileError, RunNotFoundError, SettingsError, UnknownLayerError


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    data = small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "small", images=12)
    return nd.dissect(
        nets.make_small_net(), layers=["conv1", "conv2"], data=data, quantile=0.05, images_per_unit=4, batch_size=4
    )


@pytest.fixture
def saved(result, tmp_path):
    result.save(tmp_path / "run")
    return tmp_path / "run"


def test_a_saved_run_leaves_no_other_files_in_its_folder(saved):
    names = sorted(path.name for path in saved.iterdir())
    assert names == [
        "conv1-exemplars.npz", "conv1-result.csv", "conv1.npz", "conv1.parquet", "conv2-exemplars.npz", "conv2-result.csv",
        "conv2.npz", "conv2.parquet", "files.txt", "run.json",
    ]  # fmt: skip


def test_a_folder_without_a_run_is_an_error(tmp_path):
    with pytest.raises(RunNotFoundError, match=r"holds no finished run \(run.json is missing\)"):
        nd.load(tmp_path)
    with pytest.raises(RunNotFoundError, match="does not exist"):
        nd.load(tmp_path / "none")


@pytest.mark.parametrize("name", ["run.json", "conv1.parquet", "conv1.npz"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "other", "missing"])
def test_a_damaged_file_is_named(saved, name, damage):
    path = saved / name
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"truncated": data[: len(data) // 2], "empty": b"", "other": b"{}"}[damage])
    with pytest.raises((RunFileError, RunNotFoundError), match=name.replace(".", r"\.")):
        nd.load(saved)


def test_a_run_of_a_newer_version_is_an_error(saved):
    record = json.loads((saved / "run.json").read_text())
    (saved / "run.json").write_text(json.dumps(record | {"schema_version": 99}))
    with pytest.raises(RunFileError, match="newer netdissect"):
        nd.load(saved)


def test_two_layers_with_one_file_name_are_refused(result, tmp_path):
    from dataclasses import replace

    one = result["conv1"]
    other = replace(one, layer=replace(one.layer, name="conv1/"))
    twin = replace(one, layer=replace(one.layer, name="conv1-"))
    with pytest.raises(SettingsError, match="both be written as conv1-"):
        replace(result, layers={"conv1/": other, "conv1-": twin}).save(tmp_path)


def test_an_unknown_layer_suggests_the_nearest_names(result):
    with pytest.raises(UnknownLayerError, match=r"no layer 'conv3': did you mean"):
        result["conv3"]


def test_exemplar_masks_are_those_of_the_activations(result):
    layer = result["conv2"]
    assert layer.exemplars.images.shape == (layer.layer.units, 4)
    rebuilt = layer.thresholds[:, None] + layer.exemplars.scale[:, None] * layer.exemplars.grids.max(axis=(2, 3))
    np.testing.assert_allclose(rebuilt, layer.exemplars.maxima, rtol=2e-3, atol=1e-5)


def test_the_repr_of_a_result_is_a_few_lines(result):
    lines = repr(result).splitlines()
    assert lines[0].endswith(" on 12 images of small")
    assert [line.split(":")[0] for line in lines[1:-1]] == ["  conv1", "  conv2"]
    assert lines[-1].startswith('result["conv1"] is a layer; .layers, .units, ')
    found = result["conv2"].detectors()
    said, more = repr(result["conv2"]).splitlines()
    assert said.endswith(
        f": {found.units} of {found.total} units detect {found.unique} unique concepts (IoU ≥ 0.04, by label)"
    )
    assert more.strip().startswith(".units (a table), .unit(1)")
