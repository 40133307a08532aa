"""Tables that were edited, re-ordered or are impossible are refused: by checksum first, then by their numbers."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests import made_up_runs

import netdissect as nd
from netdissect.errors import NetdissectError, RunFileError
from netdissect.experiments.compare_runs import compare
from netdissect.results import classic, files, parquet_sizes
from netdissect.results.record import NO_CHECKSUMS_NOTE

STEM = "block1-conv"


@pytest.fixture
def saved(tmp_path):
    files.save_run(made_up_runs.make_run((6, 4), 5, pictures=12, exemplars=3)[0], tmp_path / "run")
    return tmp_path / "run"


def record_of(folder):
    return json.loads((folder / "run.json").read_text())


def sign(folder, **changes):
    """Write run.json anew, with the checksums of the tables as they are now."""
    record = record_of(folder) | changes
    record["checksums"] = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in record["checksums"]
    }
    (folder / "run.json").write_text(json.dumps(record))


def counts(folder, change):
    path = folder / f"{STEM}.parquet"
    table = pq.read_table(path)
    columns = {name: table[name].to_numpy().copy() for name in ("unit", "number", "I", "A", "G")}
    change(columns)
    pq.write_table(pa.table(columns), path)


def arrays(folder, change):
    path = folder / f"{STEM}.npz"
    with np.load(path) as file:
        found = {name: array.copy() for name, array in file.items()}
    change(found)
    np.savez(path, **found)


@pytest.mark.parametrize("name", [f"{STEM}.parquet", f"{STEM}.npz"])
def test_an_edited_table_has_another_checksum(saved, name):
    (counts if name.endswith("parquet") else arrays)(saved, lambda _: None)
    with pytest.raises(RunFileError, match=f"{name} is damaged: its checksum is not the one in run.json"):
        nd.load(saved)


def put(name, place, value):
    def change(columns):
        columns[name][place] = value

    return change


def swapped(columns):
    for column in columns.values():
        column[[0, 5]] = column[[5, 0]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda columns: columns["I"].__setitem__(3, columns["A"][3] + 1), "an intersection I is larger than its A"),
        (
            lambda columns: (columns["A"].fill(10**9), columns["I"].__setitem__(0, columns["G"][0] + 1)),
            "larger than its G",
        ),
        (put("I", 0, -1), "a count is negative"),
        (put("A", 0, 2**62), "a count is larger than any can be"),
        (put("G", 1, 10**8), "G of a concept differs from unit to unit"),
        (put("unit", 0, 2), "its rows are not every unit and concept in their order"),
        (swapped, "its rows are not every unit and concept in their order"),
    ],
)
@pytest.mark.parametrize("signed", [True, False])
def test_impossible_counts_are_reported(saved, change, said, signed):
    counts(saved, change)
    sign(saved)
    if not signed:
        record = record_of(saved)
        del record["checksums"]
        (saved / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunFileError, match=rf"{STEM}\.parquet is damaged: .*{said}"):
        nd.load(saved)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("thresholds", np.nan, "its thresholds are not all finite numbers"),
        ("exemplars.maxima", np.inf, "its maxima are not all finite numbers"),
        ("exemplars.grids", np.nan, "its grids are not all finite numbers"),
        ("activity.mean", np.nan, "its mean are not all finite numbers"),
        ("activity.histogram", -1, "a histogram has a negative count"),
        ("exemplars.images", -2, "the row of an exemplar image is negative"),
        ("exemplars.images", 10**9, "shows the image of row 1000000000, which has no name"),
    ],
)
def test_impossible_arrays_are_reported(saved, name, value, said):
    arrays(saved, lambda found: found[name].reshape(-1).__setitem__(0, value))
    sign(saved)
    with pytest.raises(RunFileError, match=said):
        nd.load(saved)


@pytest.mark.parametrize("name", ["thresholds", "exemplars.grids", "activity.low"])
def test_a_missing_array_is_reported(saved, name):
    arrays(saved, lambda found: found.pop(name))
    sign(saved)
    with pytest.raises(RunFileError, match=rf"{STEM}\.npz is damaged: .*{name}"):
        nd.load(saved)


def test_maxima_of_the_first_image_are_checked(saved):
    def spoil(found):
        images = found["exemplars.images"]
        images.reshape(-1)[0] = 0
        found["exemplars.maxima"].reshape(-1)[0] = np.nan

    arrays(saved, spoil)
    sign(saved)
    with pytest.raises(RunFileError, match="its maxima are not all finite numbers"):
        nd.load(saved)


def test_a_unit_cannot_show_an_image_twice(saved):
    arrays(saved, lambda found: found["exemplars.images"][0].__setitem__(1, found["exemplars.images"][0, 0]))
    sign(saved)
    with pytest.raises(RunFileError, match="a unit shows an image twice"):
        nd.load(saved)


def test_a_unit_cannot_show_the_first_image_twice(saved):
    arrays(saved, lambda found: found["exemplars.images"][0].__setitem__(slice(0, 2), 0))
    sign(saved)
    with pytest.raises(RunFileError, match="a unit shows an image twice"):
        nd.load(saved)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("exemplars.maxima", lambda array: array[:, :-1], "its maxima are of another layer"),
        ("exemplars.grids", lambda array: array[..., :-1], "its grids are of another layer"),
        ("thresholds", lambda array: array[:-1], "its thresholds are of another layer"),
        ("activity.low", lambda array: array[:-1], "its low are of another layer"),
        ("activity.histogram", lambda array: array[:-1], "its histogram are of another layer"),
        ("exemplars.images", lambda array: array.astype(np.int32), "its images are int32, not int64"),
        ("exemplars.grids", lambda array: array.astype(np.float32), "its grids are float32, not"),
        ("activity.mean", lambda array: array.astype(np.float32), "its mean are float32, not"),
        ("activity.minimum", lambda array: array.astype(np.float64), "its minimum are float64, not"),
    ],
)
def test_arrays_of_another_shape_or_type_are_reported(saved, name, change, said):
    arrays(saved, lambda found: found.__setitem__(name, change(found[name])))
    sign(saved)
    with pytest.raises(RunFileError, match=rf"{STEM}\.npz is damaged: {re.escape(said)}"):
        nd.load(saved)


def test_an_unreadable_table_is_reported_with_the_systems_message(saved, monkeypatch):
    def failing(path, **_):
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr("netdissect.results.table_files.reading.read_bytes", failing)
    with pytest.raises(RunFileError, match=r"/run/\S+ cannot be read: Input/output error$"):
        nd.load(saved)


def test_fewer_images_than_exemplars_and_empty_bins_are_possible(saved):
    def thin(found):
        found["exemplars.images"][0, -1] = -1
        found["activity.histogram"][0, 0] = 0

    arrays(saved, thin)
    sign(saved)
    layer = nd.load(saved)["block1/conv"]
    assert (layer.exemplars.images[0, -1], layer.activity.histogram[0, 0]) == (-1, 0)


def test_deleted_tables_are_written_again_unchanged(saved):
    tables = sorted(saved.glob("*-result.csv"))
    before = [table.read_bytes() for table in tables]
    assert len(tables) == 2
    tables[1].unlink()
    files.restore_tables(nd.load(saved), saved)
    assert [table.read_bytes() for table in tables] == before


def test_a_layer_is_named_by_its_position_from_either_end(saved):
    run = nd.load(saved)
    names = list(run.layers)
    assert [run[position].name for position in (0, 1, -1, -2)] == [names[0], names[1], names[1], names[0]]
    for none in (2, -3):
        with pytest.raises(NetdissectError, match=rf"this run has 2 layer\(s\), so none at position {none}"):
            run[none]


def twin(record):
    record["layers"][1]["name"] = record["layers"][0]["name"]


def edit(*keys, value):
    def change(record):
        for key in keys[:-1]:
            record = record[key]
        record[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (twin, "two layers are called block1/conv"),
        (edit("layers", value=[]), "it has no layer"),
        (edit("layers", 0, "units", value=-6), "expected a whole number of at least 1, got -6"),
        (edit("layers", 0, "units", value=6.0), "expected a whole number of at least 1, got 6.0"),
        (edit("layers", 0, "units", value=10**30), "expected a whole number of at least 1"),
        (edit("layers", 0, "name", value=7), "expected a string, got 7"),
        (edit("layers", 0, "field", "step", value=[None, 1]), "expected two numbers"),
        (edit("settings", "quantile", value=7), "--quantile"),
        (edit("settings", "images_per_unit", value=1e300), "images.per.unit"),
        (edit("probe_set", "images", value=True), "expected a whole number"),
        (edit("probe_set", "vocabulary", "categories", value=["object", "object"]), "categor"),
        (edit("network", "input_size", value=[1]), "not enough values"),
        (edit("image_names", value={}), "which has no name in image_names"),
        (edit("schema_version", value="1"), "schema_version is '1'"),
        (edit("schema_version", value=0), "schema_version is 0"),
    ],
)
def test_an_impossible_record_is_reported(saved, change, said):
    record = record_of(saved)
    change(record)
    (saved / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunFileError, match=said):
        nd.load(saved)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "nested deeper than 100 times"),
        ('{"schema_version": 1, "schema_version": 1}', "an object names 'schema_version' twice"),
        ('{"schema_version": NaN}', "NaN is not a number that can be used"),
        ('{"schema_version": 1, "network": "\\ud800"}', "half of a surrogate pair"),
        ("[]", "expected an object, got list"),
    ],
)
def test_a_record_of_invalid_json_is_reported(saved, text, said):
    (saved / "run.json").write_text(text)
    with pytest.raises(RunFileError, match=said):
        nd.load(saved)


def test_a_run_without_checksums_is_read_with_a_note(saved):
    record = record_of(saved)
    del record["checksums"]
    (saved / "run.json").write_text(json.dumps(record))
    assert nd.load(saved).journal["notes"][-1] == NO_CHECKSUMS_NOTE
    nd.load(saved).save(saved)
    assert nd.load(saved).journal.get("notes", []) == [NO_CHECKSUMS_NOTE]


def test_keys_of_a_newer_version_are_ignored(saved):
    record = record_of(saved)
    for part in ("settings", "network", "probe_set"):
        record[part]["new"] = 1
    (saved / "run.json").write_text(json.dumps(record))
    assert list(nd.load(saved)) == ["block1/conv", "block2/conv"]


@pytest.mark.parametrize("codec", ["zstd", "snappy", "gzip"])
def test_the_unpacked_size_of_a_table_is_known_before_it_is_unpacked(codec):
    zeros = np.zeros(3_000_000, np.int64)
    out = io.BytesIO()
    pq.write_table(pa.table({"I": zeros, "x": zeros}), out, compression=codec, use_dictionary=False)
    data = out.getvalue()
    assert len(data) < 3_000_000
    said = parquet_sizes.count_unpacked_bytes(data, pq.ParquetFile(io.BytesIO(data)).metadata, {"I"})
    assert 24_000_000 <= said < 24_100_000
    damaged = bytearray(data)
    damaged[4:40] = bytes(36)
    with pytest.raises(ValueError, match="a page"):
        parquet_sizes.count_unpacked_bytes(bytes(damaged), pq.ParquetFile(io.BytesIO(data)).metadata, {"I"})


def test_a_page_that_claims_two_gigabytes_is_refused(saved, monkeypatch):
    """Its head is believed by the reader, which reserves as much."""
    size = 2 * (2**31 - 1)  # zigzag
    number = bytes(128 | size >> 7 * n & 127 for n in range(4)) + bytes([size >> 28])
    head = b"\x15\x00\x15" + number + b"\x15\x08\x2c\x15\x02\x00\x00"  # type, unpacked, packed (4), a structure
    assert parquet_sizes._count_page_bytes(head + bytes(4), 0, len(head) + 4) == 2**31 - 1
    monkeypatch.setattr(parquet_sizes, "_count_page_bytes", lambda *_: 2**31 - 1)
    with pytest.raises(RunFileError, match=r"block1-conv\.parquet is damaged: it would unpack to 10,737,418,235 bytes"):
        nd.load(saved)


def test_a_page_header_has_a_bounded_depth_and_an_end():
    def nested(depth):
        return b"\x1c" * depth + bytes(depth + 1)  # a structure in the first field of another

    parquet_sizes._PageHeader(nested(parquet_sizes._MAX_DEPTH), 0).read_integers()
    with pytest.raises(ValueError, match="nested too deeply"):
        parquet_sizes._PageHeader(nested(parquet_sizes._MAX_DEPTH + 1), 0).read_integers()
    with pytest.raises(ValueError, match="the file ends in a page header"):
        parquet_sizes._PageHeader(nested(2)[:-1], 0).read_integers()
    endless = b"\x15" + b"\x80" * 12 + b"\x00\x00"
    with pytest.raises(ValueError, match="a page header is damaged"):
        parquet_sizes._PageHeader(endless, 0).read_integers()
    longest = b"\x16" + b"\x80" * 9 + b"\x00\x00"
    assert parquet_sizes._PageHeader(longest, 0).read_integers() == {}


def test_doubles_in_a_page_header_are_skipped():
    head = b"\x17" + bytes([0x15] * 8) + b"\x15\x0e\x00"  # a double of bytes that would each begin a field
    assert parquet_sizes._PageHeader(head, 0).read_integers() == {2: 7}


def test_a_list_of_fourteen_has_its_length_in_its_first_byte():
    for count in (8, 14):
        head = bytes([0x19, count << 4 | 5]) + bytes([2] * count) + b"\x15\x0e\x00"
        assert parquet_sizes._PageHeader(head, 0).read_integers() == {2: 7}


def test_lists_in_a_page_header_are_skipped():
    numbers, truths = bytes([2] * 16), bytes([1] * 3)
    for of_list in (b"\x19\x35" + numbers[:3], b"\x19\xf5\x10" + numbers, b"\x19\x31" + truths):
        head = of_list + b"\x15\x0e\x00"  # then the next field: 7, zigzag
        assert parquet_sizes._PageHeader(head, 0).read_integers() == {2: 7}
    with pytest.raises(ValueError, match="a page header is longer than the file"):
        parquet_sizes._PageHeader(b"\x19\xf5\xff\x7f\x00", 0).read_integers()


# The released code's tables, as they are given to compare.


def edited(folder, column, value, line=0):
    path = folder / f"{STEM}-result.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[line][column] = value
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize("value", ["nan", "1e400", "-inf", "-0.5", "7", "0x1", ""])
def test_a_score_that_is_no_number_is_reported_with_its_line(saved, value):
    path = edited(saved, "score", value, line=2)
    with pytest.raises(RunFileError, match=f"{STEM}-result.csv, line 4: expected the columns of a result table"):
        classic.read_result_csv(path)
    with pytest.raises(RunFileError, match="line 4"):
        compare([path])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("object-iou", "nan"), ("object-iou", "1e400"), ("object-intersect", "1e9"), ("object-truth", "-5"), ("object-truth", "1e400"),
        ("object-activation", "nan"), ("object-truth", "1.5"), ("unit", "0"), ("unit", "-3"), ("unit", "2.5"),
    ],
)  # fmt: skip
def test_impossible_counts_are_reported_with_their_line(saved, column, value):
    with pytest.raises(RunFileError, match="line 2: expected the columns of a result table, got"):
        classic.read_result_csv(edited(saved, column, value))


def test_an_iou_without_pixels_is_reported(saved):
    for column in ("object-truth", "object-activation", "object-intersect"):
        edited(saved, column, "0")
    with pytest.raises(RunFileError, match=r"counts of object that are impossible \(truth 0, .*, iou 0\.5\)"):
        classic.read_result_csv(edited(saved, "object-iou", "0.5"))


def test_a_repeated_unit_is_reported(saved):
    path = edited(saved, "unit", classic.read_result_csv(saved / f"{STEM}-result.csv")[3].unit.__str__())
    with pytest.raises(RunFileError, match=r"got unit \d twice"):
        classic.read_result_csv(path)


def test_an_edited_table_of_a_run_is_not_compared(saved):
    path = saved / f"{STEM}-result.csv"
    path.write_bytes(path.read_bytes() + b"\r\n")
    with pytest.raises(NetdissectError, match="was changed since its run wrote it .*: compare the run's folder"):
        compare([path])


def test_an_iou_of_one_is_possible_and_more_is_not(saved):
    for column in ("object-truth", "object-activation", "object-intersect"):
        edited(saved, column, "40")
    path = edited(edited(saved, "object-iou", "1").parent, "category", "object")
    assert classic.read_result_csv(edited(saved, "score", "1"))[0].profile[0].iou == 1
    with pytest.raises(RunFileError, match=r"counts of object that are impossible .*, iou 1\.1\)"):
        classic.read_result_csv(edited(path.parent, "object-iou", "1.1"))


def test_a_score_without_columns_of_its_category_is_at_most_one(saved):
    path = edited(saved, "category", "elsewhere")
    assert classic.read_result_csv(edited(saved, "score", "0.5"))[0].score == 0.5
    with pytest.raises(RunFileError, match=r"line 2: .* got unit \d+ with score 1\.5"):
        classic.read_result_csv(edited(path.parent, "score", "1.5"))


@pytest.mark.parametrize("threshold", [-0.1, 1.1])
def test_a_threshold_outside_0_and_1_is_an_error(saved, threshold):
    run = nd.load(saved)
    with pytest.raises(NetdissectError, match=f"threshold must lie between 0 and 1, an IoU, not {threshold}"):
        run.detectors(threshold)


@pytest.mark.parametrize(
    "record", ["[]", "7", '{"checksums": 7}', '{"checksums": [1, 2]}', '{"checksums": {"a": 1}}', "{"]
)
def test_a_table_next_to_a_foreign_record_is_accepted(saved, record):
    (saved / "run.json").write_text(record)
    assert len(classic.read_result_csv(saved / f"{STEM}-result.csv")) == 6
    files.require_unchanged(saved / f"{STEM}-result.csv")


@pytest.mark.parametrize("change", [lambda line: line + b",7", lambda line: line.rpartition(b",")[0]])
def test_a_line_with_a_field_too_many_or_too_few_is_reported(saved, change):
    path = saved / f"{STEM}-result.csv"
    lines = path.read_bytes().split(b"\r\n")
    lines[2] = change(lines[2])
    path.write_bytes(b"\r\n".join(lines))
    with pytest.raises(RunFileError, match=r"line 3: expected \d+ fields; is the table whole\?"):
        classic.read_result_csv(path)
