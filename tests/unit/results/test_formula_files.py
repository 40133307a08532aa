"""Formulas on disk: read back as they were, and impossible or damaged ones are reported in one sentence."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests import made_up_runs

import netdissect as nd
from netdissect.errors import RunFileError
from netdissect.results import files, formula_files
from netdissect.results.formula_findings import describe_formulas
from netdissect.results.formulas import Formula, FormulaTable, UnitFormula

NAME = "block1-conv-formulas.parquet"
SCHEMA = Path(files.__file__).with_name("run.schema.json")
UNITS = (
    UnitFormula(Formula((0, 1, 4), ("or", "and not")), 0.25, 0.125, True, 0.5, 0.01),
    UnitFormula(Formula((3,)), 0.2, 0.2, True, 0.3, 0.0),
    None,
    UnitFormula(None, 0.0, 0.0, True, 0.0, 0.0),
    UnitFormula(Formula((2, 6), ("and",)), 0.3, 0.2, True, 0.4, 0.2, 0.25),
)


def add(run, units, length=3, shifts=5):
    layer = run["block1/conv"]
    return replace(run, layers={layer.name: replace(layer, formulas=FormulaTable(units, length, shifts))})


@pytest.fixture(scope="module")
def run():
    return made_up_runs.make_run((5,), 12, pictures=30)[0]


@pytest.fixture
def saved(run, tmp_path):
    files.save_run(add(run, UNITS), tmp_path / "run")
    return tmp_path / "run"


def rewrite(folder, change, entry=None):
    """Change the table's columns, or what run.json says of it, and give the file the right checksum."""
    table = change(pq.read_table(folder / NAME))
    pq.write_table(table, folder / NAME, write_page_checksum=True)
    record = json.loads((folder / "run.json").read_text())
    record["checksums"][NAME] = hashlib.sha256((folder / NAME).read_bytes()).hexdigest()
    record["layers"][0]["formulas"] |= entry or {}
    (folder / "run.json").write_text(json.dumps(record))


def set_value(name, row, value):
    def change(table):
        values = table[name].to_pylist()
        values[row] = value
        place = table.column_names.index(name)
        return table.set_column(place, name, pa.array(values, table[name].type))

    return change


@pytest.mark.parametrize(
    ("units", "length", "shifts"),
    [
        (UNITS, 3, 5),
        (tuple(None if found is None else replace(found, chance=None) for found in UNITS), 4, 0),
        ((*UNITS[1:4], None, None), 1, 20),
    ],
)
def test_formulas_are_read_back_as_they_were(run, tmp_path, units, length, shifts):
    files.save_run(add(run, units, length, shifts), tmp_path / "run")
    found = nd.load(tmp_path / "run")[0].formulas
    assert (found.units, found.length, found.shifts) == (units, length, shifts)
    jsonschema.validate(json.loads((tmp_path / "run/run.json").read_text()), json.loads(SCHEMA.read_text()))


def test_a_run_without_formulas_has_no_such_file(run, tmp_path):
    for number, entry in enumerate((run, add(run, (None,) * 5))):
        folder = tmp_path / str(number)
        files.save_run(entry, folder)
        assert nd.load(folder)[0].formulas is None
        assert not list(folder.glob("*formulas*"))


def test_the_csv_table_says_formulas_in_words_and_is_restored(saved, run):
    path = saved / "block1-conv-formulas.csv"
    text = path.read_bytes()
    rows = list(csv.DictReader(text.decode().splitlines()))
    names = run.probe_set.vocabulary.names
    assert [row["unit"] for row in rows] == ["1", "2", "4", "5"]
    assert rows[0]["formula"] == f"({names[0]} OR {names[1]}) AND NOT {names[4]}"
    assert (rows[0]["formula_iou"], rows[0]["iou"], rows[0]["length"], rows[0]["proved"]) == ("0.25", "0.125", "3", "1")
    assert (rows[0]["gain"], rows[0]["formula_chance"], rows[0]["ceiling"]) == ("0.125", "0.01", "0.5")
    assert [row["beyond_chance"] for row in rows] == ["1", "0", "0", "0"]
    assert (rows[2]["formula"], rows[2]["length"]) == ("", "0")
    path.unlink()
    files.restore_tables(nd.load(saved), saved)
    assert path.read_bytes() == text


def test_run_json_says_what_was_searched(saved):
    entry = json.loads((saved / "run.json").read_text())["layers"][0]["formulas"]
    assert entry == {"length": 3, "shifts": 5, "units": 4, "measured_chance": True, "beyond_chance": 1}


@pytest.mark.parametrize(
    ("change", "entry", "message"),
    [
        (set_value("unit", 0, 2), None, "its rows are not units of the layer in their order"),
        (set_value("unit", 3, 6), None, "its rows are not units of the layer in their order"),
        (set_value("formula_iou", 0, 1.5), None, "a formula_iou is not between 0 and 1"),
        (set_value("ceiling", 0, float("nan")), None, "a ceiling is not between 0 and 1"),
        (set_value("ceiling", 0, 0.2), None, "not between that of its unit's best concept and the ceiling"),
        (set_value("iou", 0, 0.3), None, "not between that of its unit's best concept and the ceiling"),
        (set_value("same_images_iou", 1, 2.0), None, "a same_images_iou is not between 0 and 1"),
        (set_value("formula_chance", 1, -0.1), None, "a formula_chance is not between 0 and 1"),
        (set_value("proved", 0, 2), None, "proved is neither 0 nor 1"),
        (set_value("number_1", 0, 10**6), None, "a formula names a concept that the probe set lacks"),
        (set_value("number_1", 0, -1), None, "a formula names a concept that the probe set lacks"),
        (set_value("number_1", 0, 0), None, "a formula has a gap"),
        (set_value("operator_2", 0, 0), None, "not each joined by one operator"),
        (set_value("operator_3", 0, 4), None, "not each joined by one operator"),
        (set_value("operator_2", 1, 1), None, "not each joined by one operator"),
        (set_value("iou", 0, None), None, "values are missing"),
        (lambda table: table.drop_columns(["number_2"]), None, "number_2"),
        (lambda table: table.slice(0, 2), None, "expected 4 rows, got 2"),
        (lambda table: table, {"length": 4}, "number_4"),
        (lambda table: table, {"length": 9}, "expected a whole number of at least 1, got 9"),
        (lambda table: table, {"units": 6}, "expected a whole number of at least 1, got 6"),
        (lambda table: table, {"shifts": "5"}, "expected a whole number of at least 0, got '5'"),
    ],
)  # fmt: skip
def test_impossible_formulas_are_refused_in_one_sentence(saved, change, entry, message):
    rewrite(saved, change, entry)
    with pytest.raises(RunFileError) as caught:
        nd.load(saved)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_formula_that_names_a_concept_twice_is_refused(saved):
    first = pq.read_table(saved / NAME)["number_1"][0].as_py()
    rewrite(saved, set_value("number_2", 0, first))
    with pytest.raises(RunFileError, match="a formula names a concept twice"):
        nd.load(saved)


def test_text_in_the_table_decides_nothing(saved):
    rewrite(saved, set_value("formula", 0, "nothing OR other"))
    assert nd.load(saved)[0].formulas.units == UNITS


def test_a_changed_file_is_refused(saved):
    data = bytearray((saved / NAME).read_bytes())
    data[len(data) // 2] ^= 1
    (saved / NAME).write_bytes(data)
    with pytest.raises(RunFileError, match="its checksum is not the one in run.json"):
        nd.load(saved)


def test_findings_count_formulas_beyond_chance_and_name_those_that_gain_most(run):
    lines = describe_formulas(add(run, UNITS)["block1/conv"], 2)
    assert lines[0] == "block1/conv: formulas of up to 3 concepts: 1 of 4 units gain more than by chance (5 shifts)"
    assert lines[1].startswith("  unit 1: (")
    assert lines[1].endswith(
        " 0.25 on images with object and part labels (0.12 with one concept, by chance +0.01), proved best of 3"
    )
    shorter = describe_formulas(add(run, UNITS, 2)["block1/conv"], 1)
    assert shorter[1].endswith("proved best of 2")
    assert len(lines) == 2
    assert describe_formulas(run["block1/conv"]) == []
    unmeasured = tuple(None if found is None else replace(found, chance=None) for found in UNITS)
    assert describe_formulas(add(run, unmeasured, 3, 0)["block1/conv"]) == [
        "block1/conv: formulas of up to 3 concepts: 2 of 4 units gain; chance was not measured"
    ]


def test_a_formula_gains_over_a_single_concept_on_its_own_images_too():
    formula = Formula((0, 1), ("and not",))
    found = UnitFormula(formula, 0.6, 0.1, True, 0.7, 0.02, 0.6)
    assert (found.baseline, found.gain, found.is_beyond_chance) == (0.6, 0.0, False)
    assert not replace(found, chance=None).is_beyond_chance
    assert replace(found, same_images=0.5).is_beyond_chance
    assert replace(found, same_images=0.05).gain == 0.5


def test_every_operator_has_a_number():
    assert formula_files._OPERATORS == ("or", "and", "and not")


def test_units_carry_their_formulas_into_other_tables(run):
    layer = add(run, UNITS)["block1/conv"]
    names = run.probe_set.vocabulary.names
    assert layer.unit(5).formula is UNITS[4]
    assert layer.unit(3).formula is None
    assert "no formula gains more than chance: +0.05, by chance +0.20" in repr(layer.unit(5))
    row = layer.unit(1).row
    assert (row["formula"], row["gain"], row["beyond_chance"]) == (
        f"({names[0]} OR {names[1]}) AND NOT {names[4]}",
        0.125,
        True,
    )
    table = layer.units.to_arrow()
    frame = dict(
        zip(
            table["unit"].to_pylist(),
            zip(table["formula_iou"].to_pylist(), table["proved"].to_pylist(), strict=True),
            strict=True,
        )
    )
    assert frame == {1: (0.25, True), 2: (0.2, True), 3: (None, None), 4: (0.0, True), 5: (0.3, True)}
    assert layer.units.to_pandas().set_index("unit").loc[1, "ceiling"] == 0.5
    assert "formula" not in run["block1/conv"].units.to_arrow().column_names
