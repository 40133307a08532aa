"""Tables in every form: the same columns, names and types as numpy arrays, in pandas, Arrow, CSV and Parquet."""

from __future__ import annotations

import csv
import io

import numpy as np
import pyarrow.parquet as pq
import pytest

from netdissect.errors import SettingsError
from netdissect.results.table import Column, Table


class Made(Table):
    def __init__(self, **columns):
        self.made = columns

    def _make_columns(self):
        return self.made


WHOLE = {
    "name": Column("text", ["sky", "a;b"]), "unit": Column("integer", [1, 2]), "score": Column("number", [0.1, 0.25]),
    "seen": Column("flag", [True, False]), "labels": Column("texts", [("sky", "tree"), ()]), "rows": Column("integers", [(3, 4), (5,)]),
}  # fmt: skip
MISSING = {name: Column(column.kind, [column.cells[0], None], may_miss=True) for name, column in WHOLE.items()}


def test_every_form_has_the_same_columns_and_values(tmp_path):
    table = Made(**WHOLE)
    expected = [
        dict(zip(WHOLE, row, strict=True)) for row in zip(*(column.cells for column in WHOLE.values()), strict=True)
    ]
    listed = [row | {"labels": list(row["labels"]), "rows": list(row["rows"])} for row in expected]
    assert table.columns == table.to_arrow().column_names == table.to_pandas().columns.tolist() == list(WHOLE)
    assert table.to_pandas().to_dict("records") == expected
    assert table.to_arrow().to_pylist() == listed
    table.to_parquet(tmp_path / "table.parquet")
    assert pq.read_table(tmp_path / "table.parquet").to_pylist() == listed
    assert table.to_csv(tmp_path / "table.csv") is None
    assert (tmp_path / "table.csv").read_text() == table.to_csv()
    assert list(csv.reader(io.StringIO(table.to_csv()))) == [
        list(WHOLE), ["sky", "1", "0.1", "True", "sky;tree", "3;4"], ["a;b", "2", "0.25", "False", "", "5"],
    ]  # fmt: skip


def test_the_types_of_a_frame_do_not_depend_on_what_is_missing():
    missing, none = Made(**MISSING).to_pandas(), Made(**{name: Column(column.kind, column.cells[:1], may_miss=True) for name, column in MISSING.items()}).to_pandas()  # fmt: skip
    assert missing.dtypes.astype(str).tolist() == none.dtypes.astype(str).tolist()
    assert [str(missing[name].dtype) for name in ("unit", "score", "seen")] == ["Int64", "float64", "boolean"]
    whole = Made(**WHOLE).to_pandas()
    assert [str(whole[name].dtype) for name in ("unit", "score", "seen")] == ["int64", "float64", "bool"]
    empty = Made(**{name: Column(column.kind, []) for name, column in WHOLE.items()})
    assert empty.to_pandas().dtypes.equals(whole.dtypes) and empty.to_arrow().schema == Made(**WHOLE).to_arrow().schema
    assert missing.isna().sum().tolist() == [1] * len(MISSING)


def test_missing_values_are_nan_null_or_empty():
    table = Made(**MISSING)
    assert table.to_arrow()["unit"].to_pylist() == [1, None]
    assert table.to_csv().splitlines()[2] == ",,,,,"
    np.testing.assert_array_equal(table.get_column("unit").to_numpy(), [1.0, np.nan])
    assert table.get_column("seen").to_numpy().tolist() == [True, None]


def test_a_text_that_utf_8_cannot_hold_is_escaped_everywhere(tmp_path):
    table = Made(name=Column("text", ["a\ud800b"]), names=Column("texts", [["c\ud800", "d"]]))
    assert table.to_arrow()["name"].to_pylist() == table.to_pandas()["name"].tolist()
    assert table.to_arrow()["names"].to_pylist() == [list(table.to_pandas()["names"][0])] == [["c\\ud800", "d"]]
    table.to_parquet(tmp_path / "names.parquet")
    table.to_csv(tmp_path / "names.csv")
    assert (tmp_path / "names.csv").read_text().splitlines()[1] == f"{table.to_pandas()['name'][0]},c\\ud800;d"


@pytest.mark.parametrize("write", ["to_csv", "to_parquet"])
def test_a_file_of_a_run_is_not_replaced(write, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "conv1-result.csv").write_text("unit")
    with pytest.raises(
        SettingsError, match="would replace .*conv1-result.csv, a file in a run's folder: choose another name"
    ):
        getattr(Made(**WHOLE), write)(tmp_path / "conv1-result.csv")
    assert (tmp_path / "conv1-result.csv").read_text() == "unit"
