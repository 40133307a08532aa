"""Groups of images in probe sets: the column group of index.csv, from its writers to its readers."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from tests.small_probe_set import write_probe_set
from tests.unit.probe_sets.importers.test_own_source import QUICK, Dots

import netdissect as nd
from netdissect.cli import main
from netdissect.engine.image_groups import read_group_names
from netdissect.errors import DataFileError, SettingsError
from netdissect.probe_sets import importers
from netdissect.probe_sets.broden.check import check_probe_set
from netdissect.probe_sets.broden.index_rows import read_index_rows
from netdissect.probe_sets.broden.writer import write_index
from netdissect.probe_sets.decoded import decode_once
from netdissect.probe_sets.prepared.probe_folder import open_probe_folder
from netdissect.protocols import GroupedSource

GROUPS = ["film 1", "film 2", "", "film 1", "", 'a;b, "c"']


@pytest.fixture
def folder(tmp_path):
    return write_probe_set(tmp_path / "small set", groups=GROUPS)


def groups_of(folder):
    """Return the group of every image by the end of its name."""
    probe_set = nd.Broden(folder)
    names = read_group_names(probe_set, None)
    return {probe_set.image_name(index).rpartition("/")[2]: names[index] for index in range(len(probe_set))}


def test_a_set_without_groups_has_the_columns_that_it_always_had(tmp_path):
    probe_set = nd.Broden(write_probe_set(tmp_path / "plain"))
    assert probe_set.columns == ("image", "split", "ih", "iw", "sh", "sw", *probe_set.vocabulary.categories)
    assert read_group_names(probe_set, None) is None


def test_groups_are_written_and_read(folder):
    probe_set = nd.Broden(folder)
    assert isinstance(probe_set, GroupedSource)
    assert probe_set.columns[6] == "group"
    assert probe_set.read_column("group") == GROUPS
    rows, _ = read_index_rows(folder, probe_set.vocabulary.categories)
    assert [row.group for row in rows] == GROUPS
    before = (folder / "index.csv").read_bytes()
    write_index(folder, iter(rows), probe_set.vocabulary.categories)
    assert (folder / "index.csv").read_bytes() == before


def test_any_column_is_read_for_the_images_that_were_chosen(folder):
    probe_set = nd.Broden(folder, split="train", limit=3)
    assert probe_set.read_column("group") == ["film 2", "", ""]
    assert probe_set.read_column("image") == [probe_set.image_name(index) for index in range(3)]
    assert read_group_names(probe_set, "split") == ["train"] * 3


def test_an_index_that_changes_in_between_is_reported(folder):
    probe_set = nd.Broden(folder)
    lines = (folder / "index.csv").read_text().splitlines()
    (folder / "index.csv").write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    with pytest.raises(DataFileError, match=r"index\.csv has changed since the probe set was opened: open it again"):
        probe_set.read_column("group")


def test_groups_are_part_of_the_fingerprint(folder, tmp_path):
    assert nd.Broden(folder).fingerprint != nd.Broden(write_probe_set(tmp_path / "plain")).fingerprint


def test_a_category_of_that_name_holds_labels(tmp_path):
    folder = write_probe_set(tmp_path / "set")
    for table in ("index.csv", "category.csv", "label.csv"):
        (folder / table).write_text((folder / table).read_text().replace("object", "group"))
    (folder / "c_object.csv").rename(folder / "c_group.csv")
    for plane in (folder / "images" / "a").glob("*_object.png"):
        plane.rename(plane.with_name(plane.name.replace("object", "group")))
    probe_set = nd.Broden(folder)
    assert "group" in probe_set.vocabulary.categories
    assert read_group_names(probe_set, None) is None
    rows, _ = read_index_rows(folder, probe_set.vocabulary.categories)
    assert {row.group for row in rows} == {""}
    rows[0] = type(rows[0])(**{name: getattr(rows[0], name) for name in rows[0].__slots__} | {"group": "x"})
    with pytest.raises(SettingsError, match="a category cannot be called 'group' where images have groups"):
        write_index(folder, rows, probe_set.vocabulary.categories)


def test_a_prepared_file_and_the_folder_written_back_have_the_groups(folder, tmp_path):
    file = nd.prepare_probe_set(folder, tmp_path / "alone.arrow").file
    assert open_probe_folder(file).read_column("group") == GROUPS
    made = importers.from_hf(file, tmp_path / "back")
    assert nd.Broden(made.folder).read_column("group") == GROUPS


def test_a_probe_set_that_is_decoded_once_has_them_too(folder):
    with decode_once(nd.Broden(folder), 2**20) as decoded:
        assert isinstance(decoded, GroupedSource)
        assert read_group_names(decoded, None) == GROUPS


def test_a_check_counts_groups_and_identical_files(folder):
    report = check_probe_set(folder)
    assert report.groups == {"film 1": 2, "film 2": 1, 'a;b, "c"': 1}
    assert report.copies == ()
    for other in (3, 4):
        shutil.copyfile(folder / "images" / "a" / "image 0.jpg", folder / "images" / "a" / f"image {other}.jpg")
    shutil.copyfile(folder / "images" / "a" / "image 1.jpg", folder / "images" / "a" / "image 2.jpg")
    assert check_probe_set(folder, workers=2).copies == (2, 3)


def test_a_source_of_ones_own_says_which_images_belong_together(tmp_path):
    class Film(Dots):
        def list_images(self):
            return [nd.SourceImage(f"{n}.png", group=("one", "one", "two", "")[n]) for n in range(4)]

    made = nd.make_probe_set(Film(), tmp_path / "set", **QUICK)
    assert groups_of(made.folder) == {"0.jpg": "dots/one", "1.jpg": "dots/one", "2.jpg": "dots/two", "3.jpg": ""}
    assert (
        Film().fingerprint() != type("Film", (Dots,), {"list_images": lambda _: Dots().list_images()})().fingerprint()
    )


def test_videos_of_coco_are_groups(tmp_path):
    (tmp_path / "photos").mkdir()
    for n in range(4):
        Image.fromarray(np.full((40, 40, 3), 20 * n, np.uint8)).save(tmp_path / "photos" / f"{n}.png")
    square = [[5, 5, 30, 5, 30, 30, 5, 30]]
    told = {
        "images": [
            {"id": n, "file_name": f"{n}.png", "width": 40, "height": 40} | ({} if n == 3 else {"video_id": n // 2})
            for n in range(4)
        ],
        "categories": [{"id": 1, "name": "plate"}],
        "annotations": [{"id": n, "image_id": n, "category_id": 1, "segmentation": square} for n in range(4)],
    }
    (tmp_path / "set.json").write_text(json.dumps(told))
    made = importers.from_coco(tmp_path / "set.json", tmp_path / "photos", tmp_path / "out", size=32, preview=0)
    here = f"photos/{tmp_path.name}"
    assert groups_of(made.folder) == {"0.jpg": f"{here}/0", "1.jpg": f"{here}/0", "2.jpg": f"{here}/1", "3.jpg": ""}


def test_a_column_of_a_hugging_face_set_is_the_groups(tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    images = [Image.fromarray(np.full((32, 32, 3), 40 * n, np.uint8)) for n in range(4)]
    rows = {"image": images, "label": [0, 1, 0, 1], "group": ["x", "y", "x", None]}
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=["in", "out"]),
            "group": datasets.Value("string"),
        }
    )
    dataset = datasets.Dataset.from_dict(rows, features=features)
    made = importers.from_hf(dataset, tmp_path / "out", label="label", size=32, preview=0)
    assert list(dict(sorted(groups_of(made.folder).items())).values()) == ["hf/x", "hf/y", "hf/x", ""]


def test_the_check_says_how_many_images_belong_together(folder, capsys):
    shutil.copyfile(folder / "images" / "a" / "image 0.jpg", folder / "images" / "a" / "image 4.jpg")
    with pytest.raises(SystemExit):
        main(["data", "check", str(folder), "--quiet", "--workers", "1"])
    out = " ".join(capsys.readouterr().out.split())
    assert "4 images belong to 3 groups" in out
    assert "2 images are copies of 1 image" in out
