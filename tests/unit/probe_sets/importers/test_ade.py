"""ADE20K's release of 2021: the JSON next to every image, and the copy as a Hugging Face data set, give the same probe set."""

from __future__ import annotations

import io
import json
import pickle

import numpy as np
import pytest
from PIL import Image
from tests.unit.probe_sets import originals

from netdissect.errors import DataFileError, DataNotFoundError, SettingsError
from netdissect.probe_sets import importers
from netdissect.probe_sets.broden.reader import Broden
from netdissect.probe_sets.compile.build_broden import build_broden
from netdissect.probe_sets.importers.ade_rows import open_ade_rows

SIZE = (24, 32)
CAR, WHEEL, RIM, SKY = 401, 3035, 2200, 2420
NAMES = {CAR: "car, auto, automobile, machine, motorcar", WHEEL: "wheel", RIM: "rim", SKY: "sky"}


def class_map(left, right):
    """Return a class map of two halves: class = (R // 10) · 256 + G, B the instance."""
    classes = originals.make_halves(SIZE, left, right)
    return np.stack([classes // 256 * 10, classes % 256, classes * 0 + 1], axis=-1).astype(np.uint8)


MAPS = [class_map(CAR, SKY), class_map(WHEEL, 0), class_map(0, RIM)]


def things():
    return [
        {"id": at, "name": NAMES[number], "name_ndx": number, "hypernym": [], "raw_name": NAMES[number], "attributes": "",
         "depth_ordering_rank": at, "occluded": False, "crop": False,
         "parts": {"is_part_of": 0 if level else None, "part_level": level, "has_parts": []},
         "polygon": {"x": [1, 2, 3], "y": [1, 2, 3], "click_date": []}, "saved_date": None}
        for at, (number, level) in enumerate(((CAR, 0), (SKY, 0), (WHEEL, 1), (RIM, 2)))
    ]  # fmt: skip


@pytest.fixture
def release(tmp_path):
    """Two images of the release, in training and validation; the second has no parts."""
    root = tmp_path / "ade" / "ADE20K_2021_17_01" / "images" / "ADE"
    for split, name, maps in (("training", "ADE_train_00000001", MAPS), ("validation", "ADE_val_00000002", MAPS[:1])):
        folder = root / split / "urban" / "street"
        originals.write_image(folder / f"{name}.jpg", SIZE)
        for ending, pixels in zip(("seg", "parts_1", "parts_2"), maps, strict=False):
            originals.write_label_map(folder / f"{name}_{ending}.png", pixels)
        told = {"filename": f"{name}.jpg", "folder": f"ADE20K_2021_17_01/images/ADE/{split}/urban/street",
                "scene": ["outdoor", "urban", "street"], "object": things()[: 2 + 2 * (len(maps) > 1)]}  # fmt: skip
        (folder / f"{name}.json").write_text(json.dumps({"annotation": told}), encoding="latin-1")
    return tmp_path / "ade"


def png(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return {"bytes": out.getvalue(), "path": None}


@pytest.fixture
def rows(release, tmp_path):
    """The same two images as rows, in the columns of the copy on the hub; Parquet files in a folder."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    image = datasets.Image(mode="RGB")
    number, text = datasets.Value("uint16"), datasets.Value("string")
    features = datasets.Features({
        "image": image, "segmentations": datasets.Sequence(image), "instances": datasets.Sequence(datasets.Image(mode="L")),
        "filename": text, "folder": text,
        "source": {"folder": text, "filename": text, "origin": text}, "scene": datasets.Sequence(text),
        "objects": [{
            "id": number, "name": text, "name_ndx": number, "hypernym": datasets.Sequence(text), "raw_name": text,
            "attributes": text, "depth_ordering_rank": number, "occluded": datasets.Value("bool"),
            "crop": datasets.Value("bool"),
            "parts": {"is_part_of": number, "part_level": datasets.Value("uint8"), "has_parts": datasets.Sequence(number)},
            "polygon": {"x": datasets.Sequence(number), "y": datasets.Sequence(number), "click_date": datasets.Sequence(text)},
            "saved_date": text,
        }],
    })  # fmt: skip
    for split in ("train", "validation"):
        path = next(release.rglob(f"ADE_{split[:3]}*.json"))
        told = json.loads(path.read_text())["annotation"]
        row = {
            "image": {"bytes": path.with_suffix(".jpg").read_bytes(), "path": None},
            "segmentations": [png(pixels) for pixels in (MAPS if split == "train" else MAPS[:1])],
            "instances": [png(np.full(SIZE, 255, np.uint8))],
            "filename": told["filename"],
            "folder": told["folder"],
            "source": {"folder": "static_sun_database/s/street", "filename": "x.jpg", "origin": ""},
            "scene": told["scene"],
            "objects": told["object"],
        }
        (tmp_path / "rows" / "data").mkdir(parents=True, exist_ok=True)
        datasets.Dataset.from_list([row], features=features).to_parquet(
            str(tmp_path / "rows" / "data" / f"{split}-00000-of-00001.parquet")
        )
    return tmp_path / "rows"


def meaning(folder):
    """Return, per image, its split, its whole labels and its label maps as names."""
    source = Broden(folder)
    names = np.array(["", *source.vocabulary.names])
    return {
        row.image.rsplit("/", 1)[1]: (
            row.split,
            sorted(names[source.read_labels(at).whole]),
            [names[plane][:, [0, -1]].tolist() for plane in source.read_labels(at).planes],
        )
        for at, row in enumerate(source.rows)
    }


PLAIN = {"size": 32, "colors": False, "preview": 0}


def test_the_release_of_2021_keeps_names_parts_scenes_and_splits(release, tmp_path):
    found = meaning(importers.from_ade(release, tmp_path / "out", **PLAIN).folder)
    assert found == {
        "ADE_train_00000001.jpg": (
            "train", ["street-s"], [[["car", "sky"]] * 16, [["wheel", ""]] * 16, [["", "rim"]] * 16],
        ),
        "ADE_val_00000002.jpg": ("val", ["street-s"], [[["car", "sky"]] * 16]),
    }  # fmt: skip


def test_its_copy_as_a_hugging_face_set_gives_the_same_label_maps(release, rows, tmp_path):
    expected = meaning(importers.from_ade(release, tmp_path / "a", **PLAIN).folder)
    assert meaning(importers.from_ade(rows, tmp_path / "b", **PLAIN).folder) == expected
    datasets = pytest.importorskip("datasets")
    datasets.load_dataset(str(rows)).save_to_disk(str(tmp_path / "saved"))
    assert meaning(importers.from_ade(tmp_path / "saved", tmp_path / "c", **PLAIN).folder) == expected
    with pytest.raises(SettingsError, match="the data set is ADE20K's release of 2021 .* from-ade takes it"):
        importers.from_hf(rows, tmp_path / "d", classes=["a"], **PLAIN)


def test_its_rows_travel_to_other_processes(rows):
    there = pickle.loads(pickle.dumps(open_ade_rows(rows, "ade20k", splits=True)))
    first, second = there.list_images()
    assert (first.file, first.split) == ("ADE_train_00000001.jpg", "train")
    assert there.read_image(second).shape == (*SIZE, 3)
    assert set(there.read_labels(first)) == {"object", "part", "scene"}


def test_broden_is_built_of_any_of_its_forms(release, rows, tmp_path):
    sets = []
    for name, folder in (("json", release), ("rows", rows)):
        (tmp_path / f"of {name}").mkdir()
        (tmp_path / f"of {name}" / "ade20k").symlink_to(folder)
        made = build_broden(
            tmp_path / f"of {name}", tmp_path / f"{name} built", size=32, min_frequency=1, min_coverage=0
        )
        sets.append({image: maps for image, (_, *maps) in meaning(made.folder).items()})
    assert sets[0] == sets[1]
    assert "car" in str(sets[0])


def test_a_list_of_one_that_matlab_writes_as_that_one_is_a_list(release, tmp_path):
    path = next(release.rglob("ADE_val*.json"))
    told = json.loads(path.read_text())
    told["annotation"] |= {"object": things()[0], "scene": "/outdoor/urban/street"}
    path.write_text(json.dumps(told))
    assert meaning(importers.from_ade(release, tmp_path / "out", **PLAIN).folder)["ADE_val_00000002.jpg"][1] == [
        "street-s"
    ]


@pytest.mark.parametrize("number", [0, -1, 10**9, True, "7", None])
def test_a_class_that_no_class_map_can_hold_is_reported_before_any_work(release, tmp_path, number):
    path = next(release.rglob("ADE_val*.json"))
    told = json.loads(path.read_text())
    told["annotation"]["object"][0]["name_ndx"] = number
    path.write_text(json.dumps(told))
    with pytest.raises(DataFileError, match=r"ADE_val_00000002\.json: .* a class from 1 to 6655 as 'name_ndx'"):
        importers.from_ade(release, tmp_path / "out", **PLAIN)


def test_a_photo_that_its_camera_rotated_fits_its_class_map(release, tmp_path):
    photo = next(release.rglob("ADE_train*.jpg"))
    upright = np.full((*SIZE, 3), 255, np.uint8)
    upright[:, :16] = (255, 0, 0)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(upright).transpose(Image.Transpose.ROTATE_90).save(photo, quality=95, exif=exif)
    source = Broden(importers.from_ade(release, tmp_path / "out", **PLAIN).folder)
    at = next(at for at in range(len(source)) if "train" in source.image_name(at))
    picture = source.read_image(at, source.label_size(at)).astype(int)
    red = (picture[..., 0] - picture[..., 1]) > 100
    car = source.read_labels(at).planes[0] == 1 + source.vocabulary.names.index("car")
    assert (red & car).sum() / (red | car).sum() > 0.9


def test_a_folder_that_is_none_is_reported(tmp_path):
    with pytest.raises(DataNotFoundError, match="expected a release of ADE20K, or the name of a copy of it"):
        importers.from_ade(tmp_path / "gone", tmp_path / "out")
