"""Random damage in a run folder: its numbers are those that were written, or an error says that they are not."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from tests import made_up_runs, nets, small_probe_set
from tests.fuzz.damage import changes_of_bytes, check_one_sentence, damage_file
from tests.limited_process import call_with_limits

import netdissect as nd
from netdissect.errors import NetdissectError, RunFileError
from netdissect.results import files
from netdissect.runtime.array_store import Store


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    data = small_probe_set.write_probe_set(folder / "data", images=3)
    options = {"quantile": 0.1, "images_per_unit": 2, "pictures": False, "image_maxima": True}
    result = nd.dissect(nets.make_small_net(), "conv2", data, out=folder / "r", **options)
    return folder / "r", result


@pytest.mark.parametrize("name", ["conv2.parquet", "conv2.npz", "conv2-image-maxima.parquet"])
@settings(max_examples=80)
@given(changes=changes_of_bytes)
def test_a_damaged_table_is_an_error_or_has_the_same_numbers(saved, name, changes):
    folder, result = saved
    with damage_file(folder / name, changes):
        try:
            again = files.load_run(folder)["conv2"]
        except NetdissectError as error:
            check_one_sentence(error, name)
            return
    expected = result["conv2"]
    np.testing.assert_array_equal(again.counts.I, expected.counts.I)
    np.testing.assert_array_equal(again.counts.A, expected.counts.A)
    np.testing.assert_array_equal(again.counts.G, expected.counts.G)
    np.testing.assert_array_equal(again.thresholds, expected.thresholds)
    np.testing.assert_array_equal(again.exemplars.grids, expected.exemplars.grids)
    np.testing.assert_array_equal(again.image_maxima, expected.image_maxima)


@pytest.fixture(scope="module")
def trusted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trusted")
    result, _ = made_up_runs.make_run((4,), 8, pictures=12, trusted=True)
    files.save_run(result, folder)
    unsigned(folder)
    return folder, result["block1/conv"]


@settings(max_examples=80)
@given(changes=changes_of_bytes)
def test_damaged_trust_tables_are_an_error_or_possible(trusted, changes):
    folder, expected = trusted
    name = "block1-conv-trust.npz"
    with damage_file(folder / name, changes):
        try:
            again = files.load_run(folder)["block1/conv"]
        except NetdissectError as error:
            check_one_sentence(error, name)
            return
    assert len(again.unit_trust) == len(expected.unit_trust)
    assert again.summarize_trust().detectors == expected.summarize_trust().detectors


@pytest.fixture(scope="module")
def grouped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grouped")
    result, _ = made_up_runs.make_run((4,), 8, pictures=12, grouped=True)
    files.save_run(result, folder)
    unsigned(folder)
    return folder


@settings(max_examples=80)
@given(changes=changes_of_bytes)
def test_damaged_groups_of_exemplars_are_an_error_or_possible(grouped, changes):
    name = "block1-conv-exemplars.npz"
    with damage_file(grouped / name, changes):
        try:
            found = files.load_run(grouped)["block1/conv"].groups
        except NetdissectError as error:
            check_one_sentence(error, name)
            return
    assert (found.pixels <= found.mask_pixels[:, None]).all()
    assert (abs(found.typical.grids) <= 1).all()
    assert (found.typical.images < 12).all()


@pytest.fixture(scope="module")
def ablated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablated")
    result, _ = made_up_runs.make_run((12,), 8, pictures=12)
    layer = result["block1/conv"]
    layer = replace(layer, ablation=made_up_runs.make_ablation(layer))
    files.save_run(replace(result, layers={layer.name: layer}), folder)
    unsigned(folder)
    return folder


@settings(max_examples=80)
@given(changes=changes_of_bytes)
def test_damaged_ablations_are_an_error_or_possible(ablated, changes):
    name = "block1-conv-ablation.json"
    with damage_file(ablated / name, changes):
        try:
            found = files.load_run(ablated)["block1/conv"].ablation
        except NetdissectError as error:
            check_one_sentence(error, name)
            return
    for row in found.concepts:
        assert row.low <= row.margin <= row.high
        assert 0 <= row.p <= 1 and 0 <= row.q <= 1
        assert all(1 <= unit <= 12 for unit in row.units)


@pytest.fixture(scope="module")
def explained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained")
    result, _ = made_up_runs.make_run((6,), 8, pictures=12)
    layer = result["block1/conv"]
    layer = replace(layer, formulas=made_up_runs.make_formulas(layer))
    files.save_run(replace(result, layers={layer.name: layer}), folder)
    unsigned(folder)
    return folder, layer.formulas


@settings(max_examples=80)
@given(changes=changes_of_bytes)
def test_damaged_formulas_are_an_error_or_as_they_were(explained, changes):
    folder, expected = explained
    name = "block1-conv-formulas.parquet"
    with damage_file(folder / name, changes):
        try:
            again = files.load_run(folder)["block1/conv"].formulas
        except NetdissectError as error:
            check_one_sentence(error, name)
            return
    assert again.units == expected.units


@settings(max_examples=80)
@given(changes=changes_of_bytes)
def test_a_damaged_record_is_an_error_or_a_run(saved, changes):
    folder, result = saved
    with damage_file(folder / "run.json", changes):
        try:
            again = files.load_run(folder)["conv2"]
        except NetdissectError as error:
            check_one_sentence(error, "run.json", "conv2", "is missing")  # the damage may be in a table's name
            return
    np.testing.assert_array_equal(again.counts.I, result["conv2"].counts.I)  # they stand in another file
    assert len(again.units) == len(result["conv2"].units)


@settings(max_examples=150)
@given(changes=changes_of_bytes)
def test_a_damaged_intermediate_result_is_ignored(tmp_path_factory, changes):
    folder = tmp_path_factory.mktemp("artifacts")
    with Store(folder) as store:
        store.put("k", {"a": np.arange(300, dtype=np.float32)})
        before = (folder / "k.arrays").read_bytes()
        with damage_file(folder / "k.arrays", changes):
            unchanged = (folder / "k.arrays").read_bytes() == before
            assert ("k" in store) == unchanged


def load(folder):
    files.load_run(folder)


def unsigned(folder):
    """Remove the checksums from a run's record, so that only its tables are checked."""
    record = json.loads((folder / "run.json").read_text())
    del record["checksums"]
    (folder / "run.json").write_text(json.dumps(record))


def test_tables_that_would_unpack_to_too_much_are_refused(saved, tmp_path):
    folder = shutil.copytree(saved[0], tmp_path / "r")
    unsigned(folder)
    zeros = pa.array(np.zeros(20_000_000, np.int64))
    pq.write_table(pa.table({"I": zeros, "A": zeros, "G": zeros}), folder / "conv2.parquet", compression="zstd")
    assert (folder / "conv2.parquet").stat().st_size < 1 << 20
    kind, text = call_with_limits(load, folder)
    assert kind == RunFileError.__name__, text
    assert "expected 48 rows, got 20,000,000" in text

    shutil.copy(saved[0] / "conv2.parquet", folder)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("thresholds.npy", bytes(1 << 30))
    (folder / "conv2.npz").write_bytes(out.getvalue())
    kind, text = call_with_limits(load, folder, growth=800 << 20)  # the Parquet reader's threads need memory
    assert kind == RunFileError.__name__, text
    assert "would unpack to 1,073,741,824 bytes" in text


def test_arrays_of_another_layer_are_refused(saved, tmp_path):
    folder = shutil.copytree(saved[0], tmp_path / "r")
    record = json.loads((folder / "run.json").read_text())
    record["layers"][0]["grid"] = [4, 4]
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunFileError, match="its grids are of another layer"):
        files.load_run(folder)


def test_a_record_cannot_name_files_outside_its_folder(saved, tmp_path):
    folder = shutil.copytree(saved[0], tmp_path / "r")
    shutil.move(folder / "conv2.parquet", tmp_path / "conv2.parquet")
    record = json.loads((folder / "run.json").read_text())
    record["layers"][0]["files"] = "../conv2"
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunFileError, match=r"-\.-conv2\.parquet is missing"):
        files.load_run(folder)
