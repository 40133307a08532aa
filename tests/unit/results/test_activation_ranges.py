"""Ranges of activations are written, read as they were, refused where damaged, and shown as a layer of their own."""

from __future__ import annotations

import csv
import json
from dataclasses import fields, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests import made_up_runs

from netdissect.errors import RunFileError, SettingsError
from netdissect.results import files
from netdissect.results.activation_ranges import ActivationRange
from netdissect.results.counts import Counts, compute_iou
from netdissect.results.scores import ScoreTable
from netdissect.results.table_files import compute_checksum

CELLS = [(0.0, 0.01), (0.0, 0.02), (0.01, 0.02)]


def make_ranges(layer, *, scored=False):
    """Make up ranges whose counts are parts of the layer's."""
    ranges = []
    for place, (first, last) in enumerate(CELLS):
        counts = Counts(layer.counts.I // (place + 2), layer.counts.A // (place + 2), layer.counts.G)
        low = layer.thresholds - np.float32(place + 1)
        high = low + np.float32(0.5) if first else np.full(low.shape, np.inf, np.float32)
        score = ScoreTable("IoU squared", compute_iou(counts) ** 2) if scored else None
        ranges.append(ActivationRange(first, last, low, high, counts, score))
    return tuple(ranges)


@pytest.fixture(params=[False, True], ids=["iou", "scored"])
def result(request):
    run, _ = made_up_runs.make_run((5, 3), 6)
    layers = {
        name: replace(layer, ranges=make_ranges(layer, scored=request.param)) for name, layer in run.layers.items()
    }
    if not request.param:
        return replace(run, layers=layers)
    layers = {
        name: replace(layer, score_table=ScoreTable("IoU squared", layer.iou**2)) for name, layer in layers.items()
    }
    return replace(run, layers=layers, settings=replace(run.settings, score="squared"))


@pytest.fixture
def folder(result, tmp_path):
    files.save_run(result, tmp_path / "run")
    return tmp_path / "run"


def test_ranges_are_read_as_they_were_written(result, folder):
    loaded = files.load_run(folder)
    for name, layer in result.layers.items():
        assert len(loaded[name].ranges) == len(CELLS)
        for found, expected in zip(loaded[name].ranges, layer.ranges, strict=True):
            assert (found.first, found.last) == (expected.first, expected.last)
            np.testing.assert_array_equal(found.low, expected.low)
            np.testing.assert_array_equal(found.high, expected.high)
            for field in fields(Counts):
                np.testing.assert_array_equal(getattr(found.counts, field.name), getattr(expected.counts, field.name))
            assert (found.score is None) == (expected.score is None)
            if expected.score is not None:
                np.testing.assert_array_equal(found.score.values, expected.score.values)


def test_a_layer_at_another_quantile_has_the_labels_thresholds_and_masks_of_that_quantile(result):
    layer = result["block1/conv"]
    at = layer.at_quantile(0.02)
    counts = layer.ranges[1].counts
    expected = compute_iou(counts) ** (1 if layer.score_table is None else 2)
    np.testing.assert_array_equal(at.scores, expected)
    np.testing.assert_array_equal(at.thresholds, layer.thresholds - 2)
    best = {row.unit: row for row in at.units}
    for channel in range(layer.layer.units):
        assert best[channel + 1].score == expected[channel].max()
    was, now = layer.exemplars, at.exemplars
    before = was.grids.astype(float) * was.scale[:, None, None, None] + layer.thresholds[:, None, None, None]
    after = now.grids.astype(float) * now.scale[:, None, None, None] + at.thresholds[:, None, None, None]
    np.testing.assert_allclose(after, before, atol=0.01)
    assert (now.grids > 0).sum() > (was.grids > 0).sum()
    assert (at.trust, at.ranges) == (None, ())


def test_a_range_between_two_quantiles_is_a_layer_too(result):
    layer = result["block1/conv"]
    np.testing.assert_array_equal(layer.in_range(0.01, 0.02).counts.I, layer.counts.I // 4)


def test_a_range_that_was_not_counted_is_refused_with_those_that_were(result):
    layer = result["block1/conv"]
    with pytest.raises(
        SettingsError, match=r"from 0 to 0.05 of all were not counted; counted are 0 to 0.01, 0 to 0.02, 0.01 to 0.02"
    ):
        layer.at_quantile(0.05)
    with pytest.raises(SettingsError, match="no others were: run it again with --quantiles or --ranges"):
        replace(layer, ranges=()).at_quantile(0.01)


def test_the_csv_table_has_a_row_for_every_range_and_unit(result, folder):
    layer = result["block1/conv"]
    with (folder / "block1-conv-quantiles.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(float(row["from"]), float(row["to"]), int(row["unit"])) for row in rows] == [
        (*span, unit) for span in CELLS for unit in range(1, 6)
    ]
    for row, found in zip(rows[10:], [layer.ranges[2]] * 5, strict=True):
        channel = int(row["unit"]) - 1
        own = layer.in_range(0.01, 0.02)
        best = next(entry for entry in own.units if entry.unit == channel + 1)
        assert (row["category"], row["label"], float(row["score"])) == (best.category, best.label, best.score)
        assert np.float32(row["low"]) == found.low[channel]
        assert np.float32(row["high"]) == found.high[channel]
        column = layer.vocabulary.names.index(best.label)
        assert [int(row[name]) for name in "GAI"] == [
            found.counts.G[column], found.counts.A[channel, column], found.counts.I[channel, column]
        ]  # fmt: skip
    assert rows[0]["high"] == ""


def test_a_missing_csv_table_is_written_again(result, folder):
    table = folder / "block1-conv-quantiles.csv"
    text = table.read_bytes()
    table.unlink()
    files.restore_tables(files.load_run(folder), folder)
    assert table.read_bytes() == text


def change_table(folder, column, change):
    """Change a column of the table of ranges, and its checksum."""
    path = folder / "block1-conv-quantiles.parquet"
    table = pq.read_table(path)
    values = table[column].to_numpy().copy()
    kind = table.schema.field(column).type
    table = table.set_column(table.column_names.index(column), column, pa.array(change(values), kind))
    pq.write_table(table, path)
    record = json.loads((folder / "run.json").read_text())
    record["checksums"][path.name] = compute_checksum(path)
    (folder / "run.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("column", "change", "said"),
    [
        ("I", lambda values: -1 - values, "a count is negative"),
        ("A", lambda values: values + 2**61, "larger than any can be"),
        ("from", lambda values: values + 0.001, "its ranges are not those in run.json"),
        ("low", lambda values: np.where(np.arange(values.size) == 1, 77, values), "differs from concept to concept"),
        ("low", lambda values: values * np.inf, "not all finite|differs from concept"),
        ("high", lambda values: np.full(values.size, -1e9), "a range ends below its beginning"),
        ("unit", lambda values: values[::-1], "its rows are not every unit and concept"),
    ],
)  # fmt: skip
def test_impossible_ranges_are_refused(folder, column, change, said):
    change_table(folder, column, change)
    with pytest.raises(RunFileError, match=said):
        files.load_run(folder)


@pytest.mark.parametrize("cells", [[], [[0.2, 0.1]], [[0, 2]], [["a", "b"]], [[0.1]], None, [[0, 0.01]]])
def test_impossible_facts_of_ranges_are_refused(folder, cells):
    record = json.loads((folder / "run.json").read_text())
    record["layers"][0]["ranges"]["cells"] = cells
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunFileError, match="is damaged"):
        files.load_run(folder)
