import copy
import json
from dataclasses import replace

import pytest
from tests import made_up_runs

from netdissect.results import record as run_record
from netdissect.results.run_schema import load_run_schema

jsonschema = pytest.importorskip("jsonschema")


@pytest.fixture(scope="module")
def record():
    return json.loads(json.dumps(run_record.run_to_json(made_up_runs.make_run((4, 6), 9, pictures=12)[0])))


@pytest.fixture(scope="module")
def validator():
    jsonschema.Draft202012Validator.check_schema(load_run_schema())
    return jsonschema.Draft202012Validator(load_run_schema())


def test_a_run_meets_the_schema(record, validator):
    validator.validate(record)


def test_a_run_with_trust_tables_meets_the_schema(validator):
    run, _ = made_up_runs.make_run((4, 6), 9, pictures=12, trusted=True)
    layer = run[0]
    trust = made_up_runs.make_trust(layer, reference=True)
    run = replace(run, layers=run.layers | {layer.name: replace(layer, trust=trust)})
    record = json.loads(json.dumps(run_record.run_to_json(run)))
    validator.validate(record)
    assert set(record["layers"][0]["trust"]) == {"chance", "within", "spread", "reference"}
    record["layers"][0]["trust"]["chance"]["shifts"] = 0
    assert not validator.is_valid(record)


def test_the_schema_is_of_the_version_that_is_written():
    assert load_run_schema()["properties"]["schema_version"]["enum"] == [1, run_record.SCHEMA_VERSION]


@pytest.mark.parametrize("key", ["settings", "network", "probe_set", "layers", "detectors", "image_names"])
def test_a_missing_key_is_invalid(record, validator, key):
    broken = copy.deepcopy(record)
    del broken[key]
    assert not validator.is_valid(broken)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda run: run["settings"].update(quantile=2),
        lambda run: run["layers"][0].update(grid=[7]),
        lambda run: run["layers"][0]["field"].update(step="16"),
        lambda run: run["image_names"].update(first="a.jpg"),
        lambda run: run["probe_set"]["vocabulary"]["concepts"].append(["cow", 1, "object"]),
    ],
)
def test_a_wrong_value_is_invalid(record, validator, spoil):
    broken = copy.deepcopy(record)
    spoil(broken)
    assert not validator.is_valid(broken)
