"""Folders of images: splits by any of their names, every image that can be opened; other files are counted."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image
from tests.unit.probe_sets import originals

from netdissect.errors import DataFileError
from netdissect.probe_sets import importers
from netdissect.probe_sets.broden.reader import Broden
from netdissect.probe_sets.importers import split_names

SIZE = (24, 32)
PLAIN = {"size": 32, "colors": False, "preview": 0}


def frequencies(folder):
    with (folder / "label.csv").open(newline="") as file:
        return {row["name"]: int(row["frequency"]) for row in csv.DictReader(file)}


def split_of_each(folder):
    return {row.image.rsplit("/", 1)[1]: row.split for row in Broden(folder).rows}


SPELLINGS = [
    ("train", "train"), ("val", "val"), ("valid", "val"), ("validation", "val"), ("test", "test"), ("dev", "val"),
    ("Train", "train"), ("VAL", "val"), ("training", "train"), ("testing", "test"), ("train2017", "train"),
]  # fmt: skip


@pytest.mark.parametrize(("spelled", "split"), SPELLINGS)
def test_every_name_of_a_split_is_one_forevery_importer(tmp_path, spelled, split):
    assert split_names.parse_split(spelled) == split
    originals.write_image(tmp_path / "folders" / "train" / "cat" / "1.jpg", SIZE)
    originals.write_image(tmp_path / "folders" / spelled / "cat" / "2.jpg", SIZE)
    made = importers.from_labels(tmp_path / "folders", tmp_path / "labels", **PLAIN)
    assert frequencies(made.folder) == {"cat-s": 2}
    assert split_of_each(made.folder) == {"train-cat-1.jpg": "train", f"{spelled}-cat-2.jpg": split}
    for folder, name in (("train", "1"), (spelled, "2")):
        originals.write_image(tmp_path / "photos" / folder / f"{name}.jpg", SIZE)
        originals.write_label_map(
            tmp_path / "masks" / folder / f"{name}.png", originals.make_halves(SIZE, 1, 0).astype(np.uint8)
        )
    made = importers.from_masks(tmp_path / "photos", tmp_path / "masks", ["cat"], tmp_path / "masked", **PLAIN)
    assert split_of_each(made.folder) == {"train-1.jpg": "train", f"{spelled}-2.jpg": split}
    originals.write_image(tmp_path / "voc" / "JPEGImages" / "2.jpg", SIZE)
    originals.write_label_map(
        tmp_path / "voc" / "SegmentationClass" / "2.png", originals.make_halves(SIZE, 1, 0).astype(np.uint8)
    )
    (tmp_path / "voc" / "ImageSets" / "Segmentation").mkdir(parents=True)
    (tmp_path / "voc" / "ImageSets" / "Segmentation" / f"{spelled}.txt").write_text("2\n")
    made = importers.from_voc(tmp_path / "voc", tmp_path / "vocs", **PLAIN)
    assert split_of_each(made.folder) == {"2.jpg": split}


def test_splits_below_the_classes_are_no_part_of_their_names(tmp_path):
    for name in ("cat/train/1", "cat/test/2", "dog/train/3", "dog/test/4"):
        originals.write_image(tmp_path / "folders" / f"{name}.jpg", SIZE)
    made = importers.from_labels(tmp_path / "folders", tmp_path / "out", **PLAIN)
    assert frequencies(made.folder) == {"cat-s": 2, "dog-s": 2}
    assert set(split_of_each(made.folder).values()) == {"train", "test"}


def test_a_class_called_train_is_a_class(tmp_path):
    for name in ("train/1", "bus/2"):
        originals.write_image(tmp_path / "folders" / f"{name}.jpg", SIZE)
    made = importers.from_labels(tmp_path / "folders", tmp_path / "out", **PLAIN)
    assert frequencies(made.folder) == {"train-s": 1, "bus-s": 1}


def test_splits_beside_a_folder_that_is_none_are_refused(tmp_path):
    for name in ("train/cat/1", "valid/cat/2", "extra/cat/3"):
        originals.write_image(tmp_path / "folders" / f"{name}.jpg", SIZE)
    with pytest.raises(DataFileError, match="train and valid are splits, and extra is not"):
        importers.from_labels(tmp_path / "folders", tmp_path / "out", **PLAIN)


def test_trainval_lists_both_splits_and_an_image_in_two_lists_is_reported(tmp_path):
    for name in "12":
        originals.write_image(tmp_path / "voc" / "JPEGImages" / f"{name}.jpeg", SIZE)
        originals.write_label_map(
            tmp_path / "voc" / "SegmentationClass" / f"{name}.png", originals.make_halves(SIZE, 1, 0).astype(np.uint8)
        )
    lists = tmp_path / "voc" / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    for name, text in (("trainval", "1\n2\n"), ("train", "1\n"), ("val", "2\n"), ("test", "2\n")):
        (lists / f"{name}.txt").write_text(text)
    told = []
    made = importers.from_voc(tmp_path / "voc", tmp_path / "out", say=told.append, **PLAIN)
    assert split_of_each(made.folder) == {"1.jpg": "train", "2.jpg": "val"}
    assert any("1 image is listed in several splits" in line for line in told)


@pytest.mark.parametrize("ending", ["jfif", "jpe", "JPG", "apng", "dib", "webp", "tif", "gif", "pgm"])
def test_every_ending_of_an_image_is_read(tmp_path, ending):
    kinds = {"jfif": "JPEG", "jpe": "JPEG", "jpg": "JPEG", "apng": "PNG", "dib": "BMP", "tif": "TIFF", "pgm": "PPM"}
    originals.write_image(tmp_path / "folders" / "cat" / "a.jpg", SIZE)
    image = Image.open(tmp_path / "folders" / "cat" / "a.jpg")
    for place in ("cat/b", "dog/c"):
        (tmp_path / "folders" / place).parent.mkdir(exist_ok=True)
        image.convert("L").save(tmp_path / "folders" / f"{place}.{ending}", kinds.get(ending.lower(), ending.upper()))
    made = importers.from_labels(tmp_path / "folders", tmp_path / "out", category="object", **PLAIN)
    assert frequencies(made.folder) == {"cat": 2, "dog": 1}


def test_what_is_left_out_is_counted_and_reported(tmp_path):
    originals.write_image(tmp_path / "folders" / "cat" / "a.jpg", SIZE)
    for name in ("cat/a.txt", "cat/b.heic", "dog/c.heic", "dog/plain"):
        (tmp_path / "folders" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "folders" / name).write_text("x")
    told = []
    importers.from_labels(tmp_path / "folders", tmp_path / "out", say=told.append, **PLAIN)
    assert told[0].endswith("4 files are left out, going by their endings (no ending 1, .heic 2, .txt 1)")


@pytest.mark.parametrize("ending", ["tif", "bmp", "pgm"])
def test_masks_may_be_of_any_format_that_keeps_numbers(tmp_path, ending):
    originals.write_image(tmp_path / "photos" / "a.jpg", SIZE)
    (tmp_path / "masks").mkdir()
    Image.fromarray(originals.make_halves(SIZE, 1, 2).astype(np.uint8)).save(tmp_path / "masks" / f"a.{ending}")
    made = importers.from_masks(tmp_path / "photos", tmp_path / "masks", ["cat", "dog"], tmp_path / "out", **PLAIN)
    assert frequencies(made.folder) == {"cat": 1, "dog": 1}


@pytest.mark.parametrize("ending", ["gif", "jpg"])
def test_masks_of_formats_that_change_numbers_are_refused_by_their_ending(tmp_path, ending):
    originals.write_image(tmp_path / "photos" / "a.jpg", SIZE)
    (tmp_path / "masks").mkdir()
    Image.fromarray(originals.make_halves(SIZE, 1, 2).astype(np.uint8)).save(tmp_path / "masks" / f"a.{ending}")
    with pytest.raises(DataFileError, match=rf"keeps numbers .*\.png.* files there end in \.{ending}"):
        importers.from_masks(tmp_path / "photos", tmp_path / "masks", ["cat", "dog"], tmp_path / "out", **PLAIN)


@pytest.mark.parametrize(("spelled", "split"), SPELLINGS)
def test_parts_of_a_hugging_face_set_are_splits_by_the_same_names(tmp_path, spelled, split):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat"])})
    for name in "12":
        originals.write_image(tmp_path / f"{name}.jpg", SIZE, seed=int(name))
    parts = {
        part: datasets.Dataset.from_dict({"image": [str(tmp_path / f"{name}.jpg")], "label": [0]}, features=features)
        for part, name in (("other", "1"), (spelled, "2"))
    }
    made = importers.from_hf(datasets.DatasetDict(parts), tmp_path / "out", label="label", train=0.0, **PLAIN)
    assert split_of_each(made.folder) == {"0_0000000.jpg": "val", "1_0000000.jpg": split}


@pytest.mark.parametrize(("spelled", "split"), SPELLINGS)
def test_folders_of_ade20k_are_splits_by_the_same_names(tmp_path, spelled, split):
    root = tmp_path / "ade"
    originals.write_image(root / "images" / spelled / "a.jfif.jpg", SIZE)
    (root / "images" / spelled / "a.jfif.jpg").rename(root / "images" / spelled / "a.jfif")
    originals.write_label_map(
        root / "annotations" / spelled / "a.png", originals.make_halves(SIZE, 1, 0).astype(np.uint8)
    )
    (root / "objectInfo150.txt").write_text("Idx\tRatio\tTrain\tVal\tName\n1\t.1\t9\t9\twall\n")
    made = importers.from_ade(root, tmp_path / "out", **PLAIN)
    assert split_of_each(made.folder) == {"a.jpg": split}
