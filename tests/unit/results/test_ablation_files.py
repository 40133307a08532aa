"""Ablations on disk: read back as they were, and impossible or damaged ones are reported in one sentence."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import asdict, replace

import pytest
from tests import made_up_runs

import netdissect as nd
from netdissect.errors import RunFileError
from netdissect.results import files
from netdissect.results.ablation import ClassCurve, ConceptAblation, LayerAblation

NAME = "block1-conv-ablation.json"


def make_ablation(vocabulary):
    cow, car = vocabulary.concepts[:2]
    return LayerAblation(
        "zero", 120, 3, 0.925,
        (
            ConceptAblation(
                cow.name, cow.category, (3, 1), "pasture", 0.75, 40, -1.9, -2.4, -1.5, -0.2, 0.005, 0.01, -0.1, 0.0,
                -0.5, 0.1, 200,
            ),
            ConceptAblation(car.name, car.category, (5,), "street", None, 40, 0.1, -0.1, 0.3, -0.2, 0.7, 0.7, 0.0, 0.0),
        ),
        (ClassCurve("pasture", 20, (2, 3), 0.98, {1: 0.9, 4: 0.8}, {1: 0.97, 4: 0.95}, 0.6),),
        200,
        {"sky": "no class has it in half of its images"},
        ("units are removed one set at a time",),
    )  # fmt: skip


@pytest.fixture(scope="module")
def result():
    run, _ = made_up_runs.make_run((5,), 12, pictures=30)
    layer = run["block1/conv"]
    return replace(run, layers={layer.name: replace(layer, ablation=make_ablation(layer.vocabulary))})


@pytest.fixture
def saved(result, tmp_path):
    files.save_run(result, tmp_path / "run")
    return tmp_path / "run"


def rewrite(folder, change):
    """Change the values and give the file the right checksum."""
    values = json.loads((folder / NAME).read_text())
    change(values)
    (folder / NAME).write_text(json.dumps(values))
    record = json.loads((folder / "run.json").read_text())
    record["checksums"][NAME] = hashlib.sha256((folder / NAME).read_bytes()).hexdigest()
    (folder / "run.json").write_text(json.dumps(record))


def test_ablations_are_read_back_as_they_were(saved, result):
    assert asdict(nd.load(saved)[0].ablation) == asdict(result[0].ablation)


def test_run_json_says_what_was_removed(saved):
    entry = json.loads((saved / "run.json").read_text())["layers"][0]["ablation"]
    assert entry == {
        "replacement": "zero", "images": 120, "classes": 3, "accuracy": 0.925, "concepts": 2, "beyond_matched": 1,
    }  # fmt: skip


def test_the_record_meets_the_schema(saved):
    jsonschema = pytest.importorskip("jsonschema")
    from netdissect.results.run_schema import load_run_schema

    validator = jsonschema.Draft202012Validator(load_run_schema())
    record = json.loads((saved / "run.json").read_text())
    validator.validate(record)
    record["layers"][0]["ablation"]["classes"] = 1
    assert not validator.is_valid(record)


def test_the_csv_table_has_a_row_for_every_concept(saved, result):
    with (saved / "block1-conv-ablation.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["concept"] for row in rows] == [row.concept for row in result[0].ablation.concepts]
    assert rows[0]["units"] == "3 1"
    assert rows[0]["margin"] == "-1.9"
    assert rows[1]["share"] == "" and rows[1]["matched_low"] == ""


def test_the_files_are_listed_with_checksums(saved):
    names = {NAME, "block1-conv-ablation.csv"}
    assert names <= set(json.loads((saved / "run.json").read_text())["checksums"])
    assert names <= set(files.list_table_files(saved))


def test_a_deleted_csv_table_is_written_again_unchanged(saved):
    path = saved / "block1-conv-ablation.csv"
    before = path.read_bytes()
    path.unlink()
    files.restore_tables(nd.load(saved), saved)
    assert path.read_bytes() == before


def test_a_run_without_ablations_writes_the_files_that_it_always_wrote(result, tmp_path):
    bare = replace(result, layers={result[0].name: replace(result[0], ablation=None)})
    files.save_run(bare, tmp_path)
    assert not list(tmp_path.glob("*-ablation*"))
    assert "ablation" not in json.loads((tmp_path / "run.json").read_text())["layers"][0]
    assert nd.load(tmp_path)[0].ablation is None


IMPOSSIBLE = {
    "another replacement": lambda v: v.update(replacement="noise"),
    "a unit that the layer lacks": lambda v: v["concepts"][0].update(units=[6]),
    "a unit twice": lambda v: v["concepts"][0].update(units=[1, 1]),
    "no unit": lambda v: v["concepts"][0].update(units=[]),
    "a concept that the run lacks": lambda v: v["concepts"][0].update(concept="unicorn"),
    "a concept twice": lambda v: v["concepts"].append(v["concepts"][0]),
    "p above 1": lambda v: v["concepts"][0].update(p=1.5),
    "a share of text": lambda v: v["concepts"][0].update(share="half"),
    "a margin outside its interval": lambda v: v["concepts"][0].update(margin=-3),
    "a number that is true": lambda v: v["concepts"][0].update(margin=True),
    "an accuracy above 1": lambda v: v.update(accuracy=2),
    "no concepts": lambda v: v.pop("concepts"),
    "concepts that are a number": lambda v: v.update(concepts=3),
    "a list": lambda v: v.update(left_out=["sky"]),
    "a curve of 0 units": lambda v: v["curves"][0].update(removed={"0": 0.5}, random={"0": 0.5}),
    "curves of different sizes": lambda v: v["curves"][0].update(removed={"1": 0.5}, random={"2": 0.5}),
    "a class that is a number": lambda v: v["curves"][0].update(class_name=3),
    "one class": lambda v: v.update(classes=1),
}


@pytest.mark.parametrize("change", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_values_are_one_sentence(saved, change):
    rewrite(saved, change)
    with pytest.raises(RunFileError, match=f"{NAME} is damaged: .*; run netdissect ablate again") as caught:
        nd.load(saved)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1, 2]", '{"margin": NaN}', "{" * 10_000])
def test_another_text_is_one_sentence(saved, text):
    (saved / NAME).write_text(text)
    record = json.loads((saved / "run.json").read_text())
    record["checksums"][NAME] = hashlib.sha256(text.encode()).hexdigest()
    (saved / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunFileError, match="is damaged"):
        nd.load(saved)


def test_a_changed_or_missing_file_is_refused(saved):
    (saved / NAME).write_text((saved / NAME).read_text().replace("-1.9", "-9.9"))
    with pytest.raises(RunFileError, match="its checksum is not the one in run.json"):
        nd.load(saved)
    (saved / NAME).unlink()
    with pytest.raises(RunFileError, match="is missing"):
        nd.load(saved)
