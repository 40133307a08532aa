"""Groups of exemplars on disk: read back as they were, and impossible or damaged ones are reported in one sentence."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from tests import made_up_runs

import netdissect as nd
from netdissect.errors import RunFileError
from netdissect.io.arrays import encode_npz, parse_npz
from netdissect.results import files
from netdissect.results.exemplar_groups import GROUP_SIZES, ExemplarGroup

NAME = "block1-conv-exemplars.npz"
SCHEMA = Path(files.__file__).with_name("run.schema.json")


@pytest.fixture(scope="module")
def run():
    return made_up_runs.make_run((9,), 12, pictures=30, grouped=True)[0]


@pytest.fixture
def saved(run, tmp_path):
    files.save_run(run, tmp_path / "run")
    return tmp_path / "run"


def rewrite(folder, change, sizes=None):
    """Change the arrays, or what run.json says of them, and give the file the right checksum."""
    arrays = parse_npz((folder / NAME).read_bytes())
    change(arrays)
    data = encode_npz(arrays)
    (folder / NAME).write_bytes(data)
    record = json.loads((folder / "run.json").read_text())
    record["checksums"][NAME] = hashlib.sha256(data).hexdigest()
    record["layers"][0]["exemplar_groups"] |= sizes or {}
    (folder / "run.json").write_text(json.dumps(record))


def set_value(name, place, value):
    return lambda arrays: arrays[name].__setitem__(place, value)


def test_groups_are_read_back_as_they_were(saved, run):
    found, expected = nd.load(saved)[0].groups, run[0].groups
    for name in ("pixels", "labeled", "mask_pixels"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    for group in GROUP_SIZES:
        for field in fields(ExemplarGroup):
            ours, theirs = (getattr(getattr(groups, group), field.name) for groups in (found, expected))
            np.testing.assert_array_equal(ours, theirs)
            assert ours.dtype == theirs.dtype
    record = json.loads((saved / "run.json").read_text())
    jsonschema.validate(record, json.loads(SCHEMA.read_text()))
    assert record["layers"][0]["exemplar_groups"] == GROUP_SIZES
    assert NAME in record["checksums"]
    assert NAME in files.list_table_files(saved)


def test_a_run_without_groups_has_no_such_file_and_the_same_others(saved, run, tmp_path):
    layer = run[0]
    files.save_run(replace(run, layers={layer.name: replace(layer, groups=None)}), tmp_path / "bare")
    assert nd.load(tmp_path / "bare")[0].groups is None
    assert not (tmp_path / "bare" / NAME).exists()
    for name in ("block1-conv-result.csv", "block1-conv.parquet", "block1-conv.npz"):
        assert (tmp_path / "bare" / name).read_bytes() == (saved / name).read_bytes()


def test_a_unit_lists_its_exemplars_by_group(run):
    layer = run[0]
    listed = layer.unit(8).exemplars
    assert list(listed) == ["strongest", *GROUP_SIZES]
    assert [found.row for found in listed["strongest"]] == layer.exemplars.images[7].tolist()
    group = layer.groups.typical
    shown = np.flatnonzero(group.images[7] >= 0)
    assert len(listed["typical"]) == shown.size < 10  # made-up runs leave places of every seventh unit empty
    for found, place in zip(listed["typical"], shown, strict=True):
        assert (found.row, found.maximum, found.pixels) == (
            group.images[7, place],
            group.maxima[7, place],
            group.pixels[7, place],
        )
        labeled = group.labeled[7, place]
        assert found.labeled == (None if labeled < 0 else labeled)
    assert {found.maximum for found in listed["missed"]} == {None}


def test_a_unit_of_a_run_without_groups_lists_its_strongest_alone():
    run, _ = made_up_runs.make_run((5,), 12, pictures=30)
    listed = run[0].unit(1).exemplars
    assert list(listed) == ["strongest"]
    assert {(found.pixels, found.labeled) for found in listed["strongest"]} == {(None, None)}


@pytest.mark.parametrize(
    ("change", "sizes", "said"),
    [
        (lambda arrays: arrays.pop("typical.grids"), {}, "typical.grids"),
        (lambda arrays: arrays.update(mask_pixels=arrays["mask_pixels"][1:]), {}, "its mask_pixels are of another layer"),
        (lambda arrays: arrays.update({"levels.maxima": arrays["levels.maxima"].astype(np.float64)}), {}, "float64"),
        (set_value("typical.images", (1, 0), -2), {}, "the row of an exemplar image is negative"),
        (lambda arrays: arrays["typical.images"].__setitem__((1, 1), arrays["typical.images"][1, 0]), {}, "twice"),
        (set_value("typical.images", (1, 0), 10**6), {}, "which has no name"),
        (set_value("typical.maxima", (1, 0), np.nan), {}, "its maxima are not all finite numbers"),
        (set_value("missed.maxima", (1, 0), np.inf), {}, "its maxima are not all finite numbers"),
        (set_value("levels.grids", (1, 0, 0, 0), np.nan), {}, "its grids are not all between -1 and 1"),
        (set_value("levels.grids", (1, 0, 0, 0), 2), {}, "its grids are not all between -1 and 1"),
        (set_value("on_concept.pixels", (1, 0), -1), {}, "a mask has an impossible size"),
        (set_value("pixels", (1, 0), 10**12), {}, "a mask has an impossible size"),
        (set_value("mask_pixels", 1, 2**61), {}, "a mask has an impossible size"),
        (set_value("labeled", (1, 0), -2), {}, "a label has an impossible size"),
        (set_value("missed.labeled", (1, 0), 3), {}, "a label lies on a mask without pixels"),
        (lambda _: None, {"typical": 9}, "of another layer"),
        (lambda _: None, {"typical": -1}, "run.json is damaged"),
        (lambda _: None, {"typical": 10**9}, "run.json is damaged"),
        (lambda _: None, {"typical": "ten"}, "run.json is damaged"),
    ],
)  # fmt: skip
def test_impossible_groups_are_refused(saved, change, sizes, said):
    rewrite(saved, change, sizes)
    with pytest.raises(RunFileError) as caught:
        nd.load(saved)
    assert said in str(caught.value)


def test_a_file_that_would_unpack_to_more_than_its_layer_has_is_refused(saved):
    rewrite(saved, lambda arrays: arrays.update({"typical.grids": np.zeros((9, 10, 1000, 1000), np.float16)}))
    with pytest.raises(RunFileError, match="it would unpack to"):
        nd.load(saved)


def test_a_missing_file_is_an_error(saved):
    (saved / NAME).unlink()
    with pytest.raises(RunFileError, match="exemplars.npz is missing"):
        nd.load(saved)
