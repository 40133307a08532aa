"""Unusual names and files: reported before any work, or written so that every file system accepts them."""

from __future__ import annotations

import json
import os
import sys

import numpy as np
import pytest
from PIL import Image
from tests.unit.probe_sets import originals

from netdissect.errors import DataError, DataFileError, SettingsError
from netdissect.probe_sets import importers
from netdissect.probe_sets.broden.check import check_probe_set
from netdissect.probe_sets.broden.reader import Broden

SIZE = (24, 32)
PLAIN = {"size": 32, "colors": False, "preview": 0}


def masked(folder, name="a"):
    """Write an image and its mask; return the importer's arguments."""
    originals.write_image(folder / "photos" / "x.jpg", SIZE)
    (folder / "photos" / "x.jpg").rename(folder / "photos" / f"{name}.jpg")
    originals.write_label_map(folder / "masks" / "x.png", originals.make_halves(SIZE, 1, 0).astype(np.uint8))
    (folder / "masks" / "x.png").rename(folder / "masks" / f"{name}.png")
    return folder / "photos", folder / "masks"


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text exist on Linux only")
def test_a_byte_in_a_name_that_is_no_text_is_written_in_a_visible_form(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    made = importers.from_masks(*masked(folder, os.fsdecode(b"a\xff")), ["cat"], folder / "out", **PLAIN)
    assert [row.image for row in Broden(made.folder).rows] == ["photos/a_.jpg"]
    assert "caf\\xe9" in (made.folder / "README.txt").read_text(encoding="utf-8")
    assert check_probe_set(made.folder).problems == ()


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text exist on Linux only")
@pytest.mark.parametrize("name", [b"caf\xe9", b"cat\x1b[2J"])
def test_a_class_folder_whose_name_cannot_be_written_is_reported_before_any_work(tmp_path, name):
    originals.write_image(tmp_path / "folders" / "x" / "1.jpg", SIZE)
    (tmp_path / "folders" / "x").rename(tmp_path / "folders" / os.fsdecode(name))
    with pytest.raises(DataFileError, match="the class name .* holds a character that cannot be written"):
        importers.from_labels(tmp_path / "folders", tmp_path / "out", **PLAIN)
    assert not (tmp_path / "out").exists()


def test_long_names_are_cut_and_distinguished(tmp_path):
    folders = ["d" * 60] * 4
    for name in ("1", "2"):
        masked(tmp_path, name)
    deep = [tmp_path / kind / "/".join(folders) for kind in ("photos", "masks")]
    for folder, kind in zip(deep, ("photos", "masks"), strict=True):
        folder.mkdir(parents=True)
        for path in (tmp_path / kind).glob("?.*"):
            path.rename(folder / path.name)
    made = importers.from_masks(tmp_path / "photos", tmp_path / "masks", ["cat"], tmp_path / "out", **PLAIN)
    names = {row.image for row in Broden(made.folder).rows}
    assert len(names) == 2
    assert max(map(len, names)) < 160
    assert check_probe_set(made.folder).problems == ()


def test_categories_and_new_names_that_cannot_be_written_are_reported(tmp_path):
    given = masked(tmp_path)
    with pytest.raises(SettingsError, match="a category's name has at most 60 letters"):
        importers.from_masks(*given, ["cat"], tmp_path / "out", category="c" * 300, **PLAIN)
    with pytest.raises(SettingsError, match="a category's name is letters, digits, - and _, not '../x'"):
        importers.from_masks(*given, ["cat"], tmp_path / "out", category="../x", **PLAIN)
    with pytest.raises(DataFileError, match="the renaming: the class name .* cannot be written"):
        importers.from_masks(*given, ["cat"], tmp_path / "out", rename={"cat": ("c\x1bt", "")}, **PLAIN)


def pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes in folders are of Unix")
def test_what_is_no_regular_file_is_refused_and_never_waited_for(tmp_path):
    photos, masks = masked(tmp_path)
    (tmp_path / "c.txt").write_text("cat\n")
    told = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 24, "width": 32}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 9, 0, 9, 9]]}],
    }
    (tmp_path / "i.json").write_text(json.dumps(told))
    for path in (tmp_path / "c.txt", masks / "a.png", photos / "a.jpg"):
        before = path.read_bytes()
        pipe(path)
        with pytest.raises(DataError, match="got a named pipe"):
            importers.from_masks(photos, masks, tmp_path / "c.txt", tmp_path / "out", **PLAIN)
        path.unlink()
        path.write_bytes(before)
    pipe(photos / "a.jpg")
    with pytest.raises(DataError, match="got a named pipe"):
        importers.from_coco(tmp_path / "i.json", photos, tmp_path / "out2", **PLAIN)
    pipe(tmp_path / "i.json")
    with pytest.raises(DataFileError, match="got a named pipe"):
        importers.from_coco(tmp_path / "i.json", photos, tmp_path / "out3", **PLAIN)


def test_a_folder_whose_name_means_nothing_is_reported(tmp_path):
    for name in ("cat/1", "unknown/2"):
        originals.write_image(tmp_path / "folders" / f"{name}.jpg", SIZE)
    said = []
    made = importers.from_labels(tmp_path / "folders", tmp_path / "out", say=said.append, **PLAIN)
    assert any("1 image in unknown without a label" in line for line in said)
    assert len(Broden(made.folder)) == 1


def test_more_classes_than_a_label_map_can_hold_are_reported(tmp_path):
    with pytest.raises(DataFileError, match="70,000 classes are more than a label map can hold, 65,535"):
        importers.from_masks(*masked(tmp_path), [f"c{number}" for number in range(70_000)], tmp_path / "out", **PLAIN)


def test_an_eps_file_that_is_named_as_an_image_starts_no_other_program(tmp_path):
    photos, masks = masked(tmp_path)
    Image.new("RGB", SIZE[::-1]).save(photos / "a.jpg", format="EPS")
    with pytest.raises(DataFileError, match=r"a\.jpg does not decode: expected .* got another format"):
        importers.from_masks(photos, masks, ["cat"], tmp_path / "out", **PLAIN)
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat"])})
    rows = datasets.Dataset.from_dict({"image": [str(photos / "a.jpg")], "label": [0]}, features=features)
    with pytest.raises(DataFileError, match="does not decode: expected .* got another format"):
        importers.from_hf(rows, tmp_path / "out2", label="label", **PLAIN)
