"""from-hf writes a prepared probe set back: from its file, and from a data set of the library `datasets`."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from tests.small_probe_set import write_probe_set

import netdissect as nd
from netdissect import importers
from netdissect.errors import DataError, DataFileError, SettingsError
from netdissect.probe_sets.broden.check import check_probe_set


@pytest.fixture
def folder(tmp_path):
    return write_probe_set(tmp_path / "small", images=40)


@pytest.fixture
def file(folder):
    return nd.prepare_probe_set(folder).file


@pytest.fixture
def datasets():
    library = pytest.importorskip("datasets")
    library.disable_progress_bars()
    return library


def require_equal_folders(back, folder):
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".png":
            assert (back / path.relative_to(folder)).read_bytes() == path.read_bytes()
    found, expected = nd.Broden(back), nd.Broden(folder)
    assert found.fingerprint == expected.fingerprint
    for index in range(len(expected)):
        np.testing.assert_array_equal(found.read_labels(index).planes, expected.read_labels(index).planes)
    problems = [problem.replace(str(back), str(folder)) for problem in check_probe_set(back).problems]
    assert problems == list(check_probe_set(folder).problems)


def test_a_file_is_written_back_as_the_folder(file, folder, tmp_path):
    made = importers.from_hf(file, tmp_path / "back")
    assert (made.images, made.concepts, made.is_new) == (40, 6, True)
    require_equal_folders(tmp_path / "back", folder)
    assert (tmp_path / "back" / "preview.html").is_file()
    assert sorted(path.name for path in (tmp_path / "back").iterdir() if path.name.startswith(".")) == []


def test_the_library_opens_the_file_and_what_it_read_is_written_back(file, folder, tmp_path, datasets):
    rows = datasets.load_dataset("arrow", data_files=str(file), cache_dir=str(tmp_path / "cache"))["train"]
    assert len(rows) == 40
    assert type(rows.features["image"]).__name__ == "Image"
    expected = nd.Broden(folder)
    row = rows[1]
    np.testing.assert_array_equal(np.asarray(row["image"].convert("RGB")).shape, expected.read_image(1).shape)
    # As docs/broden.md says how to read labels without this package.
    segments = np.frombuffer(row["segments"], np.uint8).reshape(row["label_height"], row["label_width"])
    table = np.array(row["labels"]).reshape(int(segments.max()) + 1, -1)
    np.testing.assert_array_equal(table[segments].transpose(2, 0, 1), expected.read_labels(1).planes)
    importers.from_hf(rows, tmp_path / "back", preview=0)
    require_equal_folders(tmp_path / "back", folder)


def test_a_saved_and_shuffled_data_set_and_its_parquet_are_written_back(file, folder, tmp_path, datasets):
    rows = datasets.load_dataset("arrow", data_files=str(file), cache_dir=str(tmp_path / "cache"))["train"]
    rows.shuffle(seed=1).save_to_disk(str(tmp_path / "saved"))
    importers.from_hf(tmp_path / "saved", tmp_path / "back", preview=0)
    require_equal_folders(tmp_path / "back", folder)
    rows.to_parquet(str(tmp_path / "hub" / "train.parquet"))
    importers.from_hf(tmp_path / "hub", tmp_path / "from_parquet", preview=0)
    require_equal_folders(tmp_path / "from_parquet", folder)


def test_a_part_of_the_rows_is_refused(file, tmp_path, datasets):
    rows = datasets.load_dataset("arrow", data_files=str(file), cache_dir=str(tmp_path / "cache"))["train"]
    with pytest.raises(DataFileError, match="expected a row for every image of its index.csv"):
        importers.from_hf(rows.select(range(30)), tmp_path / "back")
    with pytest.raises(DataFileError, match="no row holds the tables"):
        importers.from_hf(rows.select(range(1, 40)), tmp_path / "other")


def test_an_unfinished_folder_is_continued_and_a_finished_or_foreign_one_is_left_alone(
    file, folder, tmp_path, monkeypatch
):
    from netdissect.probe_sets.prepared import restore

    def stop(plane):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(restore, "encode_label_map", stop)
        with pytest.raises(KeyboardInterrupt):
            importers.from_hf(file, tmp_path / "back", preview=0)
    assert not (tmp_path / "back" / "index.csv").exists()
    importers.from_hf(file, tmp_path / "back", preview=0)
    require_equal_folders(tmp_path / "back", folder)
    with pytest.raises(DataError, match="choose an empty or a new folder"):
        importers.from_hf(file, tmp_path / "back", preview=0)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"size": 64}, "leave --size out"),
        ({"min_frequency": 2}, "leave --min-frequency out"),
        ({"part": "train"}, "leave columns"),
    ],
)
def test_options_that_would_change_it_are_refused(file, tmp_path, options, told):
    with pytest.raises(SettingsError, match=f"is written back as it was: {told}"):
        importers.from_hf(file, tmp_path / "back", **options)


def test_scaled_images_are_not_written_back(folder, tmp_path):
    file = nd.prepare_probe_set(folder, tmp_path / "scaled.arrow", images=20).file
    with pytest.raises(SettingsError, match="holds images that were scaled"):
        importers.from_hf(file, tmp_path / "back")


def test_images_below_a_link_are_not_written(file, tmp_path):
    (tmp_path / "back" / "images").mkdir(parents=True)
    (tmp_path / "back" / ".restoring").write_bytes(b"netdissect is writing a probe set here\n")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "back" / "images" / "a").symlink_to(tmp_path / "theirs")
    with pytest.raises(OSError, match="links inside this folder are not followed"):
        importers.from_hf(file, tmp_path / "back")
    assert list((tmp_path / "theirs").iterdir()) == []


def test_the_schema_names_its_image_column_to_the_library(file):
    schema = pa.ipc.open_file(pa.BufferReader(file.read_bytes())).schema
    assert json.loads(schema.metadata[b"huggingface"])["info"]["features"] == {"image": {"_type": "Image"}}
