"""Trust tables on disk: what is impossible, damaged or too large is reported in one sentence."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from tests import made_up_runs

import netdissect as nd
from netdissect.errors import RunFileError
from netdissect.io.arrays import encode_npz, parse_npz
from netdissect.results import files
from netdissect.results.record import NO_TRUST_NOTE

NAME = "block1-conv-trust.npz"


@pytest.fixture(scope="module")
def result():
    run, _ = made_up_runs.make_run((5,), 12, pictures=30, trusted=True)
    layer = run["block1/conv"]
    layer = replace(layer, trust=made_up_runs.make_trust(layer, reference=True))
    return replace(run, layers={"block1/conv": layer})


@pytest.fixture
def saved(result, tmp_path):
    files.save_run(result, tmp_path / "run")
    return tmp_path / "run"


def rewrite(folder, change):
    """Change the arrays and give the file the right checksum."""
    arrays = parse_npz((folder / NAME).read_bytes())
    change(arrays)
    data = encode_npz(arrays)
    (folder / NAME).write_bytes(data)
    record = json.loads((folder / "run.json").read_text())
    record["checksums"][NAME] = hashlib.sha256(data).hexdigest()
    (folder / "run.json").write_text(json.dumps(record))


def edit_record(folder, change):
    record = json.loads((folder / "run.json").read_text())
    change(record["layers"][0]["trust"])
    (folder / "run.json").write_text(json.dumps(record))


def test_an_unchanged_file_is_read(saved, result):
    rewrite(saved, lambda _: None)
    assert nd.load(saved)[0].unit_trust == result[0].unit_trust
    assert nd.load(saved)[0].summarize_trust() == result[0].summarize_trust()


def test_a_run_has_its_trust_files_listed_with_checksums(saved):
    record = json.loads((saved / "run.json").read_text())
    stems = {f"block1-conv-trust{ending}" for ending in (".csv", ".npz", ".parquet")}
    assert stems <= set(record["checksums"])
    assert stems <= set(files.list_table_files(saved))


def test_a_run_without_trust_tables_writes_the_files_that_it_always_wrote(tmp_path):
    run, _ = made_up_runs.make_run((5,), 12, pictures=30)
    files.save_run(run, tmp_path)
    assert not list(tmp_path.glob("*-trust*"))
    assert "trust" not in json.loads((tmp_path / "run.json").read_text())["layers"][0]


def test_trust_changes_no_other_table(saved, result, tmp_path):
    bare = replace(result, layers={"block1/conv": replace(result[0], trust=None)})
    files.save_run(bare, tmp_path / "bare")
    for name in ("block1-conv-result.csv", "block1-conv.parquet", "block1-conv.npz"):
        assert (saved / name).read_bytes() == (tmp_path / "bare" / name).read_bytes()


def test_deleted_tables_of_trust_are_written_again_unchanged(saved):
    names = ("block1-conv-trust.csv", "block1-conv-trust.parquet")
    before = [(saved / name).read_bytes() for name in names]
    for name in names:
        (saved / name).unlink()
    files.restore_tables(nd.load(saved), saved)
    assert [(saved / name).read_bytes() for name in names] == before


def test_an_earlier_run_says_that_it_has_no_trust_tables(tmp_path):
    run, _ = made_up_runs.make_run((5,), 12, pictures=30)
    files.save_run(run, tmp_path)
    record = json.loads((tmp_path / "run.json").read_text())
    for name in ("null", "resamples", "group_by", "within", "null_exact"):
        del record["settings"][name]
    (tmp_path / "run.json").write_text(json.dumps(record))
    again = nd.load(tmp_path)
    assert again.journal["notes"] == [NO_TRUST_NOTE]
    assert (again.settings.null, again.settings.resamples) == (0, 0)
    assert again[0].trust is None


@pytest.mark.parametrize("damage", ["cut", "missing", "changed"])
def test_a_damaged_file_is_named(saved, damage):
    path = saved / NAME
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-100] if damage == "cut" else b"PK")
    with pytest.raises(RunFileError, match=r"block1-conv-trust\.npz is"):
        nd.load(saved)


def put(name, where, value):
    def change(arrays):
        arrays[name][where] = value

    return change


def cast(name, kind):
    return lambda arrays: arrays.update({name: arrays[name].astype(kind)})


def swap_category(arrays):
    arrays["spread.score"][0, 0, :2] = 0.5
    arrays["spread.column"][0, 0, :2] = arrays["spread.column"].max()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("chance.score", (0, 0), 1.5), "its chance.score are not all between 0 and 1"),
        (put("chance.score", (0, 0), np.nan), "its chance.score are not all between 0 and 1"),
        (put("chance.label", (0, 0), 12), "its chance.label are not all between -1 and 11"),
        (put("chance.observed", 0, -0.1), "its chance.observed are not all between 0 and 1"),
        (put("within.score", (0, 0), np.inf), "its within.score are not all between 0 and 1"),
        (put("within.observed", 0, np.nan), "its within.observed are not all between 0 and 1"),
        (put("spread.score", (0, 0, 0), -1), "its spread.score are not all between 0 and 1"),
        (put("spread.column", (0, 0, 0), -2), "its spread.column are not all between -1 and 11"),
        (put("spread.error", 0, np.inf), "its spread.error are not all between 0 and"),
        (put("spread.error", 0, -1), "its spread.error are not all between 0 and"),
        (put("spread.honest", 0, 2), "its spread.honest are not all between 0 and 1"),
        (put("reference.excess", 0, -2), "its reference.excess are not all between -1 and 1"),
        (put("reference.p", 0, 7), "its reference.p are not all between 0 and 1"),
        (cast("chance.score", np.float64), "its chance.score are float64, not float32"),
        (cast("chance.label", np.int64), "its chance.label are int64, not int32"),
        (cast("within.applies", np.uint8), "its within.applies are uint8, not bool"),
        (lambda arrays: arrays.update({"chance.score": arrays["chance.score"][:, :3]}), "its chance.score are of another layer"),
        (lambda arrays: arrays.update({"spread.column": arrays["spread.column"][:-1]}), "its spread.column are of another layer"),
        (lambda arrays: arrays.pop("spread.honest"), "spread.honest"),
        (swap_category, "the best concept of a category is of another category"),
        (lambda arrays: arrays["spread.column"].fill(-1), "a score above 0 has no concept"),
    ],
)  # fmt: skip
def test_impossible_arrays_are_reported(saved, change, said):
    rewrite(saved, change)
    with pytest.raises(RunFileError, match=rf"block1-conv-trust\.npz is damaged: .*{said}"):
        nd.load(saved)


def test_a_unit_without_a_label_may_lack_numbers(saved):
    def miss(arrays):
        for name in ("spread.error", "spread.honest", "reference.p"):
            arrays[name][0] = np.nan

    rewrite(saved, miss)
    unit = nd.load(saved)[0].unit_trust[0]
    assert (unit.low, unit.high, unit.honest, unit.q_reference) == (None, None, None, None)
    assert unit.q is not None


def test_a_file_that_would_unpack_to_more_than_its_tables_is_refused(saved):
    rewrite(saved, lambda arrays: arrays.update(more=np.zeros(2**22, np.uint8)))
    with pytest.raises(RunFileError, match=r"block1-conv-trust\.npz is damaged: it would unpack to 4,\d+,\d+ bytes"):
        nd.load(saved)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("chance", "shifts", 0), ("chance", "shifts", 10**9), ("chance", "shifts", 20.0), ("chance", "shifts", True),
        ("chance", "left_out", -1), ("within", "category", 7), ("within", "left_out", None), ("within", "shifts", "20"),
        ("spread", "resamples", 1), ("spread", "folds", 0), ("reference", "runs", []), ("reference", "runs", [3]), ("reference", "runs", 3),
    ],
)  # fmt: skip
def test_an_impossible_record_is_reported(saved, part, name, value):
    edit_record(saved, lambda trust: trust[part].update({name: value}))
    with pytest.raises(RunFileError, match=r"run\.json is damaged: "):
        nd.load(saved)


@pytest.mark.parametrize("change", [lambda trust: trust.update(chance=[]), lambda trust: trust["spread"].pop("folds")])
def test_an_incomplete_record_is_reported(saved, change):
    edit_record(saved, change)
    with pytest.raises(RunFileError, match=r"run\.json is damaged: "):
        nd.load(saved)


def test_sizes_that_the_arrays_do_not_have_are_reported(saved):
    edit_record(saved, lambda trust: trust["chance"].update(shifts=19))
    with pytest.raises(RunFileError, match=r"its chance\.score are of another layer"):
        nd.load(saved)


def test_a_part_that_was_not_measured_is_none(result, tmp_path):
    layer = result[0]
    for part in ("chance", "within", "spread", "reference"):
        trust = replace(layer.trust, **{part: None})
        run = replace(result, layers={layer.name: replace(layer, trust=trust)})
        files.save_run(run, tmp_path / part)
        again = nd.load(tmp_path / part)[0].trust
        assert getattr(again, part) is None
        assert sum(getattr(again, other) is None for other in ("chance", "within", "spread", "reference")) == 1
