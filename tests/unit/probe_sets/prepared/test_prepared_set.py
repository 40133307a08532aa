"""A prepared file equals the folder it was made of, is used where it is current, and ignored with a word where it is not."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from tests.small_probe_set import encode_jpeg, write_probe_set
from tests.small_runs import dissect_small, read_tables

import netdissect as nd
from netdissect.errors import DataError, DataFileError, DataNotFoundError, LabelError, SettingsError
from netdissect.probe_sets.broden.label_pngs import encode_label_map
from netdissect.probe_sets.prepared import prepared_schema
from netdissect.probe_sets.prepared.prepared_check import check_prepared_file
from netdissect.probe_sets.prepared.prepared_file import PreparedFile
from netdissect.probe_sets.prepared.prepared_set import PreparedSet
from netdissect.probe_sets.prepared.probe_folder import open_probe_folder


@pytest.fixture
def folder(tmp_path):
    return write_probe_set(tmp_path / "small set", images=40)


@pytest.fixture
def alone(folder, tmp_path):
    """A prepared file without its folder, and the folder elsewhere."""
    file = nd.prepare_probe_set(folder).file
    (tmp_path / "elsewhere").mkdir()
    folder.rename(tmp_path / "elsewhere" / "small set")
    return file, nd.Broden(tmp_path / "elsewhere" / "small set")


def require_equal(found, expected):
    assert (found.name, found.fingerprint, len(found)) == (expected.name, expected.fingerprint, len(expected))
    assert found.vocabulary == expected.vocabulary
    for index in range(len(expected)):
        assert found.row(index) == expected.row(index)
        assert found.image_name(index) == expected.image_name(index)
        got, wanted = found.read_labels(index), expected.read_labels(index)
        assert got.planes.dtype == wanted.planes.dtype
        np.testing.assert_array_equal(got.planes, wanted.planes)
        np.testing.assert_array_equal(got.whole, wanted.whole)
        np.testing.assert_array_equal(found.read_image(index), expected.read_image(index))
        np.testing.assert_array_equal(found.read_image(index, (20, 24)), expected.read_image(index, (20, 24)))
        assert found.read_image_file(index) == expected.read_image_file(index)


@pytest.mark.parametrize("choice", [{}, {"limit": 7}, {"split": "val"}, {"split": "train", "limit": 3}])
def test_the_file_alone_is_the_folders_probe_set(alone, choice):
    file, expected = alone
    found = open_probe_folder(file, **choice)
    assert isinstance(found, PreparedSet)
    assert found.path == str(file)
    require_equal(found, expected.select(**choice))
    require_equal(open_probe_folder(file).select(**choice), expected.select(**choice))
    assert isinstance(found, nd.Broden)


def test_a_pickled_one_opens_the_file_again(alone):
    file, expected = alone
    found = pickle.loads(pickle.dumps(open_probe_folder(file)))
    require_equal(found, expected)
    assert len(pickle.dumps(found)) < file.stat().st_size  # neither images nor labels travel


def test_a_pickled_one_refuses_another_file(alone, tmp_path):
    file, _ = alone
    sent = pickle.dumps(open_probe_folder(file))
    write_probe_set(tmp_path / "other", images=12)
    nd.prepare_probe_set(tmp_path / "other", file)
    with pytest.raises(DataFileError, match="is not the file that other processes use: it was replaced"):
        pickle.loads(sent).read_labels(0)


def test_the_file_behind_a_url_is_read_alike(alone):
    upath = pytest.importorskip("upath")
    file, expected = alone
    remote = upath.UPath("memory://bucket/one/small set.arrow")
    remote.parent.mkdir(parents=True, exist_ok=True)
    remote.write_bytes(file.read_bytes())
    require_equal(pickle.loads(pickle.dumps(open_probe_folder(str(remote)))), expected)
    with pytest.raises(DataNotFoundError, match="there is no prepared probe set at memory://bucket/two.arrow"):
        open_probe_folder("memory://bucket/two.arrow")


def test_two_workers_write_the_bytes_of_one(folder, tmp_path):
    one = nd.prepare_probe_set(folder, tmp_path / "one.arrow", workers=1)
    two = nd.prepare_probe_set(folder, tmp_path / "two.arrow", workers=2)
    assert one.is_new
    assert one.file.read_bytes() == two.file.read_bytes()


def test_runs_over_folder_file_and_both_have_the_same_tables(folder, tmp_path):
    dissect_small(folder, tmp_path / "folder")
    file = nd.prepare_probe_set(folder).file
    dissect_small(folder, tmp_path / "both")
    dissect_small(file, tmp_path / "file")
    dissect_small(file, tmp_path / "two", workers=2)
    tables = read_tables(tmp_path / "folder")
    assert tables
    for run in ("both", "file", "two"):
        assert read_tables(tmp_path / run) == tables
    cards = [json.loads((tmp_path / run / "run.json").read_text())["probe_set"] for run in ("folder", "file")]
    assert cards[0]["fingerprint"] == cards[1]["fingerprint"]
    assert cards[0]["name"] == cards[1]["name"] == "small set"


def test_a_finished_run_over_the_folder_is_found_with_the_file_and_its_report_is_redrawn(folder, tmp_path, caplog):
    dissect_small(folder, tmp_path / "run")
    file = nd.prepare_probe_set(folder).file
    shutil.rmtree(folder)
    dissect_small(file, tmp_path / "run")
    assert "already holds this run" in caplog.text
    dissect_small(file, tmp_path / "alone")
    nd.load(tmp_path / "alone").write_report(tmp_path / "alone")
    assert list((tmp_path / "alone").rglob("html/images/*/*.jpg")) or list((tmp_path / "alone" / "html").rglob("*.jpg"))


# ── scaled images ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_scaled_images_are_used_at_their_own_size_alone(folder, tmp_path):
    file = nd.prepare_probe_set(folder, tmp_path / "scaled.arrow", images=20).file
    found, expected = open_probe_folder(file), nd.Broden(folder)
    np.testing.assert_array_equal(found.read_image(3, (20, 20)), expected.read_image(3, (20, 20)))
    found.read_image(3, (20, 20))[:] = 0  # the caller's own copy
    np.testing.assert_array_equal(found.read_image(3, (20, 20)), expected.read_image(3, (20, 20)))
    with Image.open(io.BytesIO(found.read_image_file(3))) as image:
        assert image.format == "PNG"
        np.testing.assert_array_equal(np.asarray(image), expected.read_image(3, (20, 20)))
    told = r"holds images of 20 x 20 pixels only, and 24 x 24 are needed: .*--images original"
    with pytest.raises(DataFileError, match=told):
        found.read_image(3, (24, 24))
    with pytest.raises(DataFileError, match="and 32 x 32 are needed"):
        found.read_image(3)


def test_beside_the_folder_other_sizes_and_files_come_from_the_folder(folder):
    nd.prepare_probe_set(folder, images="20")
    found, expected = open_probe_folder(folder), nd.Broden(folder)
    assert isinstance(found, PreparedSet)
    require_equal(found, expected)
    (folder / "images" / found.image_name(3)).unlink()
    np.testing.assert_array_equal(found.read_image(3, (20, 20)).shape, (20, 20, 3))
    with pytest.raises(DataNotFoundError, match="image 3"):
        found.read_image(3, (24, 24))


def test_images_of_the_scaled_size_are_not_scaled(folder, tmp_path):
    found = open_probe_folder(nd.prepare_probe_set(folder, tmp_path / "same.arrow", images=32).file)
    np.testing.assert_array_equal(found.read_image(3), nd.Broden(folder).read_image(3))


# ── current or not ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_current_file_beside_the_folder_is_used_without_a_word(folder, caplog):
    nd.prepare_probe_set(folder)
    found = open_probe_folder(folder)
    assert isinstance(found, PreparedSet)
    assert (found.path, found.name) == (str(folder), "small set")
    require_equal(found, nd.Broden(folder))
    assert not caplog.records


def change_label_map(folder):
    path = min((folder / "images").rglob("*_object.png"))
    state = path.stat()
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))


def change_table(folder):
    path = folder / "label.csv"
    path.write_text(path.read_text().replace("sky", "skies"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (change_label_map, "image 10.jpg or its labels have changed"),
        (lambda folder: (folder / "images/a/image 2.jpg").unlink(), "image 2.jpg or its labels have changed"),
        (change_table, "the tables of the folder have changed"),
    ],
)
def test_a_file_that_is_not_current_is_ignored_with_a_word(folder, change, told, caplog):
    file = nd.prepare_probe_set(folder).file
    change(folder)
    found = open_probe_folder(folder)
    assert type(found) is nd.Broden
    assert f"{file} is not used, because it is not current" in caplog.text
    assert told in caplog.text


def test_a_change_beyond_the_limit_does_not_matter(folder):
    nd.prepare_probe_set(folder)
    (folder / "images/a/image 30.jpg").unlink()
    assert isinstance(open_probe_folder(folder, limit=5), PreparedSet)


@pytest.mark.parametrize("data", [b"", b"ARROW1\0\0 and no more", b"no Arrow file", "cut", "version", "foreign"])
def test_a_file_that_cannot_be_read_is_ignored_with_a_word(folder, data, caplog):
    file = nd.prepare_probe_set(folder).file
    if data == "cut":
        data = file.read_bytes()[:-100]
    elif data == "version":
        data = file.read_bytes().replace(b'"version": 1', b'"version": 2')
    elif data == "foreign":
        data = make_arrow_file(pa.table({"x": [1]}))
    file.write_bytes(data)
    assert type(open_probe_folder(folder)) is nd.Broden
    assert f"{folder} is read from its files" in caplog.text
    with pytest.raises(DataFileError, match=r"netdissect data prepare|cannot be read as a prepared probe set"):
        open_probe_folder(file)


def test_damaged_labels_are_read_from_the_folder_beside_the_file_or_refused(folder, tmp_path, caplog):
    file = nd.prepare_probe_set(folder).file
    data = bytearray(file.read_bytes())
    at = data.find((folder / "images/a/image 1.jpg").read_bytes())
    data[at + 300] ^= 1
    segments = PreparedFile(file)._load(0)._segments[2].tobytes()
    data[data.find(segments) + 5] ^= 1
    file.write_bytes(data)
    os.utime(file)
    found, expected = open_probe_folder(folder), nd.Broden(folder)
    require_equal(found, expected)
    assert len(caplog.records) == 1
    assert "is damaged (the checksum of" in caplog.text
    shutil.move(file, tmp_path / "alone.arrow")
    alone = open_probe_folder(tmp_path / "alone.arrow")
    with pytest.raises(DataFileError, match="the checksum of the labels of row 2 is wrong"):
        alone.read_labels(2)
    with pytest.raises(DataFileError, match="the checksum of the image of row 1 is wrong"):
        alone.read_image(1)
    report = check_prepared_file(tmp_path / "alone.arrow", workers=2)
    assert [problem.partition("(")[2].partition(")")[0] for problem in report.problems] == [
        "the checksum of the image of row 1 is wrong", "the checksum of the labels of row 2 is wrong",
    ]  # fmt: skip


def test_an_undamaged_file_has_no_problems(alone):
    report = check_prepared_file(alone[0])
    assert (report.images, report.concepts, report.problems) == (40, 6, ())


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_that_is_current_is_not_written_again(folder):
    first = nd.prepare_probe_set(folder)
    before = first.file.stat()
    again = nd.prepare_probe_set(folder)
    assert (first.is_new, again.is_new) == (True, False)
    assert again.file.stat().st_mtime_ns == before.st_mtime_ns
    assert nd.prepare_probe_set(folder, images=20).is_new  # other images
    change_label_map(folder)
    assert nd.prepare_probe_set(folder, images=20).is_new


@pytest.mark.parametrize("content", [b"mine", b"", "arrow", "link"])
def test_foreign_files_are_not_replaced(folder, tmp_path, content):
    target = tmp_path / "mine.arrow"
    if content == "link":
        target.symlink_to(tmp_path / "nowhere")
    else:
        target.write_bytes(make_arrow_file(pa.table({"x": [1]})) if content == "arrow" else content)
    with pytest.raises(DataError, match="exists and is not a prepared probe set, so it is not replaced"):
        nd.prepare_probe_set(folder, target)
    assert target.is_symlink() or target.read_bytes() == (content if content != "arrow" else target.read_bytes())


def test_a_damaged_file_of_our_own_is_replaced(folder):
    file = nd.prepare_probe_set(folder).file
    file.write_bytes(file.read_bytes()[:3000])
    assert nd.prepare_probe_set(folder).is_new
    assert isinstance(open_probe_folder(folder), PreparedSet)


def test_after_an_error_no_file_is_left(folder, tmp_path):
    (folder / "images/a/image 30.jpg").unlink()
    with pytest.raises(DataNotFoundError, match="image 30"):
        nd.prepare_probe_set(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small set"]


@pytest.mark.parametrize("images", ["large", 0, -3, "2.5", 123456, True])
def test_sizes_are_checked(folder, images):
    with pytest.raises(SettingsError, match="images must be original or a side in pixels"):
        nd.prepare_probe_set(folder, images=images)


def test_a_url_needs_the_name_of_the_file(folder, tmp_path):
    upath = pytest.importorskip("upath")
    remote = upath.UPath("memory://bucket/remote set")
    for path in folder.rglob("*"):
        if path.is_file():
            target = remote / path.relative_to(folder).as_posix()
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    with pytest.raises(SettingsError, match="is a URL, beside which nothing is written"):
        nd.prepare_probe_set(str(remote))
    file = nd.prepare_probe_set(str(remote), tmp_path / "remote.arrow").file
    found, expected = open_probe_folder(file), nd.Broden(str(remote))
    assert (found.fingerprint, found.name) == (expected.fingerprint, expected.name)
    np.testing.assert_array_equal(found.read_labels(1).planes, expected.read_labels(1).planes)


def test_latents_travel_with_the_tables(folder, tmp_path):
    np.save(folder / "latents.npy", np.arange(80, dtype=np.float32).reshape(40, 2))
    found = open_probe_folder(nd.prepare_probe_set(folder, tmp_path / "x.arrow").file)
    assert found.fingerprint == nd.Broden(folder).fingerprint
    assert found.latent(3).tolist() == [6.0, 7.0]


@pytest.mark.parametrize("segments", [300, 70_000])
def test_many_segments_are_stored_in_16_bits_and_more_than_65_536_as_planes(tmp_path, segments):
    folder = write_probe_set(tmp_path / "set", images=2, size=(300, 300), labels=(300, 300))
    table = (folder / "label.csv").read_text()
    numbers = np.arange(90_000, dtype=np.int64).reshape(300, 300) % segments
    # With as many concepts as segments, a plane of the low and one of the high digits give every pair.
    for name, plane in (("part_1", numbers % 300), ("part_2", numbers // 300)):
        (folder / f"images/a/image 1_{name}.png").write_bytes(encode_label_map(plane))
    lines = [line.split(",") for line in table.splitlines()]
    extra = [
        ",".join([str(number), f"c{number}", "part(0)", *(["0"] * (len(lines[0]) - 3))]) for number in range(7, 301)
    ]
    (folder / "label.csv").write_text(table + "\n".join(extra) + "\n")
    parts = (folder / "c_part.csv").read_text()
    more = [f"{position},{number},c{number},1,1" for position, number in enumerate(range(7, 301), 99)]
    (folder / "c_part.csv").write_text(parts + "\n".join(more) + "\n")
    found = open_probe_folder(nd.prepare_probe_set(folder).file)
    require_equal(found, nd.Broden(folder))
    numbered = found.read_segments(1)
    assert numbered.map.dtype == (np.uint32 if segments > 2**16 else np.uint16)
    np.testing.assert_array_equal(numbered.to_labels().planes, nd.Broden(folder).read_labels(1).planes)


def test_a_label_that_is_not_listed_is_refused_as_in_the_folder(folder, tmp_path):
    (folder / "images/a/image 1_object.png").write_bytes(encode_label_map(np.full((16, 16), 99)))
    found = open_probe_folder(nd.prepare_probe_set(folder, tmp_path / "x.arrow").file)
    with pytest.raises(LabelError, match="label 99 is beyond the largest number in label.csv, 6"):
        found.read_labels(1)


# ── hostile files ─────────────────────────────────────────────────────────────────────────────────────────────────────


def make_arrow_file(table):
    out = io.BytesIO()
    with pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def rewrite(file, change, **facts):
    """Write a prepared file again with changed columns or facts, its checksums as they were."""
    reader = pa.ipc.open_file(pa.BufferReader(file.read_bytes()))
    own = json.loads(reader.schema.metadata[b"netdissect"]) | facts
    schema = reader.schema.with_metadata({**reader.schema.metadata, b"netdissect": json.dumps(own).encode()})
    out = io.BytesIO()
    with pa.ipc.new_file(out, schema) as writer:
        for number in range(reader.num_record_batches):
            columns = {name: reader.get_batch(number).column(name).to_pylist() for name in schema.names}
            change(columns)
            writer.write_batch(pa.record_batch([pa.array(columns[f.name], f.type) for f in schema], schema=schema))
    file.write_bytes(out.getvalue())


def seal(columns):
    """Make the checksums of the labels right."""
    import zlib

    pairs = zip(columns["segments"], columns["labels"], strict=True)
    columns["labels_crc32"] = [zlib.crc32(np.array(own, np.uint16).tobytes(), zlib.crc32(data)) for data, own in pairs]


def set_first(name, value):
    def change(columns):
        columns[name][1] = value
        seal(columns)

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (set_first("segments", b"\xff" * 256), "row 1 holds a segment beyond its"),
        (set_first("segments", b"\0" * 255), "the labels of row 1 have another size than index.csv says"),
        (set_first("segments", b""), "the labels of row 1 have another size"),
        (set_first("labels", [1] * 7), "the labels of row 1 have another size"),
        (set_first("row", 5), "it lists other images than its index.csv"),
        (set_first("row", None), "a field is empty"),
    ],
)
def test_impossible_rows_are_refused(alone, change, told):
    file, _ = alone
    rewrite(file, change)
    with pytest.raises(DataFileError, match=told):
        open_probe_folder(file).read_labels(1)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"version": 2}, "expected a prepared probe set of version 1, got version '2'"),
        ({"kind": "letters"}, "is not a prepared probe set"),
        ({"images": 10**12}, "its facts are impossible"),
        ({"images": 41}, "expected|its tables are others"),
        ({"images": 400}, "expected 25 batches of rows, got 3"),
        ({"rows_per_batch": 0}, "its facts are impossible"),
        ({"rows_per_batch": True}, "its facts are impossible"),
        ({"name": "../up"}, "its facts are impossible"),
        ({"size": [20]}, "its facts are impossible"),
        ({"size": [20, 20]}, "expected a column 'pixels' of type binary, got none"),
        ({"tables": "0"}, "its tables are others than it was made with"),
    ],
)
def test_impossible_facts_are_refused(alone, facts, told):
    file, _ = alone
    rewrite(file, lambda _: None, **facts)
    with pytest.raises(DataFileError, match=told):
        open_probe_folder(file)


def test_tables_with_files_outside_the_folder_are_refused(alone):
    file, _ = alone

    def change(columns):
        for entry in columns["tables"][0] or ():
            if entry["name"] == "index.csv":
                entry["data"] = entry["data"].replace(b"a/image 2.jpg", b"../../secret")

    rewrite(file, change)
    with pytest.raises(DataFileError, match="expected a file below images/"):
        open_probe_folder(file)


def test_an_image_of_another_size_than_the_tables_say_is_refused(alone):
    import zlib

    file, _ = alone
    large = encode_jpeg(np.zeros((64, 64, 3), np.uint8))

    def change(columns):
        columns["image"][1] = {"bytes": large, "path": "x.jpg"}
        columns["image_crc32"][1] = zlib.crc32(large)

    rewrite(file, change)
    with pytest.raises(DataFileError, match="expected 32 x 32 pixels as index.csv says, got 64 x 64"):
        open_probe_folder(file).read_image(1)


def test_a_compressed_file_is_refused(alone):
    file, _ = alone
    reader = pa.ipc.open_file(pa.BufferReader(file.read_bytes()))
    batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
    columns = {name: batches[0].column(name) for name in reader.schema.names}
    columns["segments"] = pa.array([bytes(2**20)] * len(batches[0]), pa.binary())
    bomb = pa.record_batch(list(columns.values()), schema=reader.schema)
    out = io.BytesIO()
    with pa.ipc.new_file(out, reader.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        for batch in (bomb, *batches[1:]):
            writer.write_batch(batch)
    file.write_bytes(out.getvalue())
    with pytest.raises(DataFileError, match="is compressed: make it again"):
        open_probe_folder(file)


def test_every_byte_may_be_wrong(alone):
    """Damage of the schema, the footer or offsets ends in an error of ours, or in the right value."""
    file, expected = alone
    good = file.read_bytes()
    rng = np.random.default_rng(0)
    tail = [len(good) - int(back) for back in rng.integers(1, 2000, 60)]
    for at in [*rng.integers(0, 4000, 60).tolist(), *tail, *rng.integers(0, len(good), 60).tolist()]:
        data = bytearray(good)
        data[at] ^= 1 << int(rng.integers(8))
        file.write_bytes(data)
        try:
            found = open_probe_folder(file)
            for index in (0, 1, 20, 39):
                np.testing.assert_array_equal(found.read_labels(index).planes, expected.read_labels(index).planes)
                np.testing.assert_array_equal(found.read_image(index), expected.read_image(index))
        except DataError:
            continue


def test_the_columns_are_those_that_the_documents_list(alone):
    schema = pa.ipc.open_file(pa.BufferReader(alone[0].read_bytes())).schema
    assert schema.names == [*prepared_schema.COLUMNS, "image"]
