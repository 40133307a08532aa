from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
from tests import made_up_runs

from netdissect.errors import RunFileError
from netdissect.results import files, record
from netdissect.results.controls import (
    UNTRAINED,
    ControlLayer,
    ControlRun,
    parse_controls,
    record_control,
    write_controls,
)
from netdissect.results.run_schema import load_run_schema

CONTROLS = (
    ControlRun("seed-1", UNTRAINED, "a" * 32, 0.04, {"block1/conv": ControlLayer(2, 4, 1, 0.5, 0.25, 3.3, 3.0, 3.6)}),
    ControlRun("shuffled", "shuffled labels", "b" * 32, 0.05, {"block2/conv": ControlLayer(0, 6, 0)}),
    ControlRun(
        "seed-2",
        UNTRAINED,
        "c" * 32,
        0.04,
        {"block1/conv": ControlLayer(2, 4, 1, scores=(0.1, 0.0, 0.05, 0.02), labels=("cow", "", "cow", "car"))},
    ),
)
UNITS = {"block1/conv": 4, "block2/conv": 6}


@pytest.fixture(scope="module")
def run():
    return replace(made_up_runs.make_run((4, 6), 9, pictures=12)[0], controls=CONTROLS)


def test_a_run_keeps_its_controls(run, tmp_path):
    files.save_run(run, tmp_path)
    assert files.load_run(tmp_path).controls == CONTROLS


def test_a_run_without_controls_records_none(run, tmp_path):
    assert "controls" not in record.run_to_json(replace(run, controls=()))
    files.save_run(replace(run, controls=()), tmp_path)
    assert files.load_run(tmp_path).controls == ()


def test_controls_meet_the_schema(run):
    jsonschema = pytest.importorskip("jsonschema")
    values = json.loads(json.dumps(record.run_to_json(run)))
    jsonschema.Draft202012Validator(load_run_schema()).validate(values)
    values["controls"][0]["layers"]["block1/conv"]["units"] = -1
    assert not jsonschema.Draft202012Validator(load_run_schema()).is_valid(values)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda entry: entry.pop("kind"),
        lambda entry: entry.update(name=7),
        lambda entry: entry.update(threshold=2),
        lambda entry: entry.update(threshold=float("nan")),
        lambda entry: entry.update(layers={}),
        lambda entry: entry.update(layers={"block9/conv": entry["layers"]["block1/conv"]}),
        lambda entry: entry["layers"]["block1/conv"].update(total=5),
        lambda entry: entry["layers"]["block1/conv"].update(units=5),
        lambda entry: entry["layers"]["block1/conv"].update(unique=3),
        lambda entry: entry["layers"]["block1/conv"].update(units=True),
        lambda entry: entry["layers"]["block1/conv"].update(times=-1),
        lambda entry: entry["layers"]["block1/conv"].update(times=float("inf")),
        lambda entry: entry["layers"]["block1/conv"].update(unique_sd="1"),
        lambda entry: entry["layers"]["block1/conv"].update(scores=[0.1, 0.2, 0.3], labels=["a", "b", "c"]),
        lambda entry: entry["layers"]["block1/conv"].update(scores=[0.1, 0.2, 0.3, 0.4]),
        lambda entry: entry["layers"]["block1/conv"].update(scores=[0.1, 0.2, 0.3, -1], labels=["a", "b", "c", "d"]),
        lambda entry: entry["layers"]["block1/conv"].update(scores=[0.1, 0.2, 0.3, 0.4], labels=["a", "b", "c", 4]),
    ],
)
def test_impossible_controls_are_refused(run, tmp_path, spoil):
    values = json.loads(json.dumps(write_controls(CONTROLS)))
    assert parse_controls(copy.deepcopy(values), UNITS) == CONTROLS
    spoil(values[0])
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        parse_controls(values, UNITS)
    files.save_run(run, tmp_path)
    path = tmp_path / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"controls": values}))
    with pytest.raises(RunFileError, match=r"run\.json is damaged"):
        files.load_run(tmp_path)


def test_a_control_records_the_score_and_the_label_of_every_unit(run):
    layers = record_control("seed-1", UNTRAINED, run, ["block1/conv", "absent"], 0.04).layers
    assert list(layers) == ["block1/conv"]
    found, layer = layers["block1/conv"], run["block1/conv"]
    rows = sorted(layer.units, key=lambda row: row.unit)
    assert found.scores == tuple(row.score for row in rows)
    assert found.labels == tuple(row.label for row in rows)
    assert found.units == sum(score >= 0.04 for score in found.scores)
