"""Everything a run holds is written under its own name and read back as it was: every field of every record.

No two fields of these records hold the same, so that none can stand in another's place unseen.
"""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Mapping

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests import made_up_runs

from netdissect.config import Settings
from netdissect.layers import FieldMap, Layer
from netdissect.results import files
from netdissect.results.counts import Counts
from netdissect.results.layer_result import Activity, Exemplars, LayerResult
from netdissect.results.run_result import NetworkCard, ProbeSetCard, Result
from netdissect.results.scores import ScoreTable
from netdissect.results.trust import Trust, UnitTrust

SETTINGS = {
    "quantile": 0.01, "threshold": 0.05, "score": "share", "geometry": "grid", "resolution": 120, "batch_size": 6, "precision": "bf16", "linear": "packed",
    "compile": True, "split": "val", "limit": 17, "images_per_unit": 3, "seed": 9, "device": "cuda", "workers": 2,
    "threads": 5, "runtime": "ray", "address": "ray://head:10001", "artifacts": "s3://bucket/work", "shard_size": 12,
    "on_error": "skip", "memory": None, "pictures": False, "classic": True, "image_maxima": True, "keep": True, "null": 120, "resamples": 40,
    "quantiles": [0.002, 0.03], "ranges": 4, "group_by": "video", "within": "texture", "null_exact": True,
}  # fmt: skip
LAYERS = {
    "block1/conv": Layer("block1/conv", 4, (3, 5), FieldMap((-3, 2), (9, 7.5), (4, 2.5)), "receptive-field", "Conv2d", "a note", (4, 3, 5)),
    "tokens": Layer("tokens", 6, (2, 4), FieldMap((0, 0.5), (8, 6), (8, 6)), "grid", "LayerNorm", "class token left out", (9, 6)),
}  # fmt: skip
IMAGES = 12


def layer_result(layer, words, seed):
    """Make up a layer whose every array is another, within what a dissection could have found."""
    made_up = made_up_runs.make_layer(layer.name, layer.units, words, exemplars=3, pictures=IMAGES, seed=seed)
    random = np.random.default_rng(100 + seed)

    def drawn(low, high, kind=np.float32, shape=(layer.units,)):
        return random.uniform(low, high, shape).astype(kind)

    exemplars = Exemplars(
        made_up.exemplars.images, made_up.exemplars.maxima,
        drawn(-1, 1, np.float16, (layer.units, 3, *layer.grid)), drawn(5, 6),
    )  # fmt: skip
    activity = Activity(
        made_up.activity.histogram, drawn(-4, -3), drawn(20, 30), drawn(0, 1, np.float64), drawn(-3, -2), drawn(31, 40)
    )
    maxima = drawn(0, 40, shape=(IMAGES, layer.units))
    maxima[5] = np.nan  # it was left out
    cells = (IMAGES - 1) * layer.grid[0] * layer.grid[1]
    score = ScoreTable("Share of mask", random.uniform(0, 1, made_up.counts.I.shape))
    found = LayerResult(layer, words, made_up.counts, made_up.thresholds, cells, exemplars, activity, maxima, score)
    trust = made_up_runs.make_trust(found, shifts=11 + seed, resamples=21, folds=6, reference=True, seed=seed)
    return dataclasses.replace(
        found, trust=dataclasses.replace(trust, chance=dataclasses.replace(trust.chance, exact=True))
    )


@pytest.fixture(scope="module")
def result():
    words = made_up_runs.make_vocabulary(7)
    layers = {name: layer_result(layer, words, seed) for seed, (name, layer) in enumerate(LAYERS.items())}
    labeled = layers["block1/conv"].counts.G  # the same in every layer: it belongs to the probe set
    layers = {
        name: dataclasses.replace(entry, counts=Counts(np.minimum(entry.counts.I, labeled), entry.counts.A, labeled))
        for name, entry in layers.items()
    }
    return Result(
        layers,
        Settings(**SETTINGS),
        NetworkCard("a net", "torchvision:a_net", "0" * 31 + "1", (120, 96), "BGR, mean 1 2 3"),
        ProbeSetCard("a set", "/data/a set", "f" * 64, IMAGES - 1, (100, 80), (50, 40), words),
        {row: f"b/photo {row}.jpg" for row in range(IMAGES)},
        {
            "versions": {"netdissect": "0.1.0"}, "finished": "2026-01-01T00:00:00+00:00", "seconds": 1.5,
            "rescanned_units": {"tokens": [2]}, "skipped_images": {"b/photo 5.jpg": "it is damaged"},
        },
    )  # fmt: skip


@pytest.fixture
def folder(result, tmp_path):
    files.save_run(result, tmp_path / "run")
    return tmp_path / "run"


def assert_same(one, other, where="run"):
    """Compare two records field by field, arrays with their kinds."""
    assert type(one) is type(other) or isinstance(one, Mapping), where
    if dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name), f"{where}.{field.name}")
    elif isinstance(one, Mapping):
        assert list(one) == list(other), where
        for key in one:
            assert_same(one[key], other[key], f"{where}[{key!r}]")
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, where
        np.testing.assert_array_equal(one, other, err_msg=where)
    else:
        assert one == other, where


def values_of(record):
    return [repr(np.asarray(getattr(record, field.name)).tolist()) for field in dataclasses.fields(record)]


def test_no_two_fields_of_these_records_hold_the_same(result):
    assert SETTINGS.keys() == {field.name for field in dataclasses.fields(Settings)}
    usual = Settings()
    assert [name for name, value in SETTINGS.items() if getattr(usual, name) == value] == [
        "memory"
    ]  # it goes with one process
    for layer in result.layers.values():
        trust = layer.trust
        parts = (trust.chance, trust.within, trust.spread, trust.reference)
        for record in (layer.counts, layer.exemplars, layer.activity, *parts):
            assert len(set(values_of(record))) == len(dataclasses.fields(record))


def test_every_field_of_a_run_that_is_saved_is_loaded(result, folder):
    assert_same(result, files.load_run(folder))


def test_a_loaded_run_has_the_same_tables_and_repr(result, folder):
    again = files.load_run(folder)
    for name, layer in result.layers.items():
        np.testing.assert_array_equal(again[name].iou, layer.iou)
        np.testing.assert_array_equal(again[name].scores, layer.score_table.values)
        assert again[name].units == layer.units
    assert repr(again) == repr(result)
    assert again.detectors() == result.detectors()


def test_run_json_holds_every_field_under_its_own_name(result, folder):
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    words = result.probe_set.vocabulary
    expected = {
        "schema_version": 2,
        "settings": SETTINGS,
        "score": {"name": "share", "title": "Share of mask"},
        "network": {
            "name": "a net", "source": "torchvision:a_net", "fingerprint": "0" * 31 + "1", "input_size": [120, 96],
            "preprocessing": "BGR, mean 1 2 3",
        },
        "probe_set": {
            "name": "a set", "path": "/data/a set", "fingerprint": "f" * 64, "images": 11, "image_size": [100, 80],
            "label_size": [50, 40],
            "vocabulary": {
                "categories": list(words.categories),
                "concepts": [[concept.number, concept.name, concept.category] for concept in words.concepts],
            },
        },
        "image_names": {str(row): f"b/photo {row}.jpg" for row in range(IMAGES)},
        **result.journal,
    }  # fmt: skip
    for name, part in expected.items():
        assert record[name] == part, name
    said = {
        "name": "block1/conv", "units": 4, "grid": [3, 5], "geometry": "receptive-field", "kind": "Conv2d",
        "note": "a note", "shape": [4, 3, 5], "field": {"offset": [-3, 2], "size": [9, 7.5], "step": [4, 2.5]},
        "files": "block1-conv", "cells": 11 * 15,
    }  # fmt: skip
    assert record["layers"][0] | said == record["layers"][0]
    assert [entry["name"] for entry in record["layers"]] == list(LAYERS)
    for definition in ("label", "category"):
        for name, found in result.detectors(0.05, definition).items():
            assert record["detectors"][definition][name] == {"units": found.units, "unique": found.unique}


def test_the_parquet_table_holds_every_unit_and_concept(result, folder):
    layer = result["tokens"]
    rows = pq.read_table(folder / "tokens.parquet").to_pylist()
    expected = [
        {
            "unit": unit + 1, "channel": unit, "number": concept.number, "concept": concept.name, "category": concept.category,
            "I": layer.counts.I[unit, column], "A": layer.counts.A[unit, column], "G": layer.counts.G[column],
            "iou": layer.iou[unit, column], "score": layer.scores[unit, column],
        }
        for unit in range(6)
        for column, concept in enumerate(layer.vocabulary.concepts)
    ]  # fmt: skip
    assert rows == expected


def test_the_parquet_table_of_maxima_holds_every_image_and_unit(result, folder):
    table = pq.read_table(folder / "tokens-image-maxima.parquet").to_pandas()
    assert list(table) == ["1", "2", "3", "4", "5", "6"]
    np.testing.assert_array_equal(table.to_numpy(), result["tokens"].image_maxima)


def test_the_array_file_holds_every_array_under_its_own_name(result, folder):
    layer = result["block1/conv"]
    parts = {"exemplars": layer.exemplars, "activity": layer.activity}
    expected = {"thresholds": layer.thresholds} | {
        f"{part}.{field.name}": getattr(record, field.name)
        for part, record in parts.items()
        for field in dataclasses.fields(record)
    }
    with np.load(folder / "block1-conv.npz", allow_pickle=False) as arrays:
        assert_same(dict(sorted(expected.items())), dict(sorted(arrays.items())))


def test_the_array_file_of_trust_holds_every_array_under_its_own_name(result, folder):
    trust = result["block1/conv"].trust
    expected = {
        f"{part.name}.{field.name}": value
        for part in dataclasses.fields(trust)
        for field in dataclasses.fields(getattr(trust, part.name))
        if isinstance(value := getattr(getattr(trust, part.name), field.name), np.ndarray)
    }
    assert len(expected) == 12
    with np.load(folder / "block1-conv-trust.npz", allow_pickle=False) as arrays:
        assert_same(dict(sorted(expected.items())), dict(sorted(arrays.items())))


def test_run_json_holds_the_sizes_of_the_trust_tables_and_what_follows(result, folder):
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))["layers"][1]["trust"]
    layer = result["tokens"]
    summary, counts = layer.summarize_trust(0.05), layer.count_spread(0.05)
    assert record == {
        "chance": {
            "shifts": 12, "left_out": 3, "beyond": summary.beyond, "unconvincing": summary.unconvincing, "times": summary.times,
            "times_low": summary.times_low, "times_high": summary.times_high, "cut": summary.cut, "null_share": summary.null_share,
        },
        "within": {"shifts": 12, "category": "scene", "left_out": 7},
        "spread": {"resamples": 21, "folds": 6, **dataclasses.asdict(counts)},
        "reference": {"runs": ["untrained-1", "untrained-2", "untrained-3"], "beyond": summary.beyond_reference},
    }  # fmt: skip


TRUST_COLUMNS = (
    "unit,channel,label,score,low,high,chance,cut,lift,p,p_own,q,p_within,q_within,q_reference,keep,labels,honest"
)


def test_the_trust_table_holds_every_unit_best_first(result, folder):
    layer = result["tokens"]
    text = (folder / "tokens-trust.csv").read_bytes().decode()
    assert text.split("\r\n")[0] == TRUST_COLUMNS
    rows = list(csv.DictReader(text.splitlines()))
    assert [int(row["unit"]) for row in rows] == [row.unit for row in layer.units]
    assert all(int(row["channel"]) == int(row["unit"]) - 1 for row in rows)
    for row, unit in zip(rows, layer.units, strict=True):
        assert (row["label"], float(row["score"])) == (unit.label, unit.score)
        assert row["labels"] == "; ".join(unit.trust.labels)
        for name, value in unit.trust.as_dict().items():
            if name != "labels":
                assert row[name] == ("" if value is None else repr(value)), name


def test_the_parquet_table_of_trust_has_the_same_columns(result, folder):
    rows = pq.read_table(folder / "tokens-trust.parquet").to_pylist()
    assert list(rows[0]) == TRUST_COLUMNS.split(",")
    expected = [
        {"unit": row.unit, "channel": row.channel, "label": row.label, "score": row.score, **row.trust.as_dict()}
        for row in result["tokens"].units
    ]
    assert rows == [row | {"labels": list(row["labels"])} for row in expected]
    assert any(row["p_within"] is None for row in rows)


def test_a_table_of_units_has_trust_in_columns_of_one_type(result):
    table = result["tokens"].units.to_arrow()
    for row, unit in zip(table.to_pylist(), result["tokens"].units, strict=True):
        assert row == unit.as_dict() | {"labels": list(unit.trust.labels)}
    unmeasured = dataclasses.replace(result["tokens"], trust=Trust()).units.to_arrow()
    assert {str(unmeasured.schema.field(name).type) for name in ("low", "q", "keep")} == {"double"}
    assert str(unmeasured.schema.field("labels").type) == "list<item: string>"


def test_the_result_table_holds_every_unit_as_its_row_says(result, folder):
    with (folder / "block1-conv-result.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = [row.as_dict() for row in result["block1/conv"].units]
    not_classic = {"layer", "channel", "iou", "is_detector", "threshold"} | {
        field.name for field in dataclasses.fields(UnitTrust)
    }
    assert [set(row) for row in rows] == [set(row) - not_classic for row in expected]
    for row, said in zip(rows, expected, strict=True):
        for name, text in row.items():
            assert (type(said[name])(float(text)) if isinstance(said[name], (int, float)) else text) == said[name], name


def test_unknown_settings_are_ignored(result, folder):
    path = folder / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["settings"]["something_later"] = 3
    path.write_text(json.dumps(record), encoding="utf-8")
    assert files.load_run(folder).settings == result.settings


def test_a_run_of_one_unit_one_concept_and_one_cell_is_read_as_it_was(tmp_path):
    words = made_up_runs.make_vocabulary(1, ("object",))
    layer = Layer("l", 1, (1, 1), FieldMap((0, 0), (1, 1), (1, 1)), "grid", "Linear")
    one = LayerResult(
        layer, words, Counts(*(np.ones(shape, np.int64) for shape in ((1, 1), (1, 1), (1,)))), np.ones(1, np.float32), 1,
        Exemplars(np.zeros((1, 1), np.int64), np.full((1, 1), 2, np.float32), np.ones((1, 1, 1, 1), np.float16), np.ones(1, np.float32)),
        Activity(np.ones((1, 48), np.int64), *(np.full(1, n, np.float64 if n == 1 else np.float32) for n in (0, 2, 1, 0, 2))),
    )  # fmt: skip
    card = ProbeSetCard("s", "", "f" * 64, 1, (1, 1), (1, 1), words)
    run = Result(
        {"l": one},
        Settings(batch_size=1, memory=10**9),
        NetworkCard("n", "n", "0", (1, 1), "RGB"),
        card,
        {0: "a.jpg"},
        {},
    )
    files.save_run(run, tmp_path)
    assert_same(run, files.load_run(tmp_path))


def test_the_tables_of_a_large_layer_are_not_taken_for_bombs(tmp_path):
    run, _ = made_up_runs.make_run((400,), 1200, pictures=30, exemplars=8, grid=14)
    files.save_run(run, tmp_path)
    again = files.load_run(tmp_path)
    for name, layer in run.layers.items():
        np.testing.assert_array_equal(again[name].counts.I, layer.counts.I)
        np.testing.assert_array_equal(again[name].exemplars.grids, layer.exemplars.grids)
