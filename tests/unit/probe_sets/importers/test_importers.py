"""One probe set by every importer, from tiny files."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.unit.probe_sets import originals

from netdissect.errors import DataError, DataFileError, DataNotFoundError, LabelError, SettingsError
from netdissect.probe_sets import importers
from netdissect.probe_sets.broden import label_pngs
from netdissect.probe_sets.broden.check import check_probe_set
from netdissect.probe_sets.broden.reader import Broden

SIZE = (24, 32)


def write_mask(path, labels, mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.asarray(labels).astype(np.uint8))
    if mode == "P":
        picture.putpalette([value for color in range(256) for value in (color, 255 - color, 7)])
    picture.save(path)


def names_of(folder, image):
    """Return, per category, the names labeled in an image."""
    names = {concept.number: concept.name for concept in Broden(folder).vocabulary.concepts}
    with (folder / "index.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["image"].endswith(f"/{image}.jpg"))
    found = {}
    for category in list(row)[6:]:
        numbers = {int(item) for item in row[category].split(";") if item.isdigit()}
        for item in row[category].split(";"):
            if item and not item.isdigit():
                size = int(row["sh"]), int(row["sw"])
                numbers |= set(np.unique(label_pngs.read_label_map(folder / "images" / item, size)).tolist())
        found[category] = {names[number] for number in numbers if number}
    return found


def splits(folder):
    return {row.image.rsplit("/", 1)[1]: row.split for row in Broden(folder).rows}


@pytest.fixture
def masked(tmp_path):
    """Four images with masks: 1 on the left, 2 on the right."""
    for number in range(4):
        originals.write_image(tmp_path / "photos" / f"p{number}.jpg", SIZE, seed=number)
        write_mask(tmp_path / "masks" / f"p{number}.png", originals.make_halves(SIZE, 1, 2 if number else 0))
    return tmp_path


# ── from-masks ────────────────────────────────────────────────────────────────────────────────────────────────────────


def from_masks(folder, classes=("cat", "dog"), **options):
    return importers.from_masks(folder / "photos", folder / "masks", classes, folder / "out", **{"size": 32, **options})


def test_masks_make_a_sound_set_with_a_preview(masked):
    made = from_masks(masked)
    assert (made.images, made.concepts) == (4, 2 + len([c for c in Broden(made.folder).vocabulary.names if "-c" in c]))
    assert check_probe_set(made.folder).problems == ()
    assert names_of(made.folder, "p1")["object"] == {"cat", "dog"}
    assert names_of(made.folder, "p0")["object"] == {"cat"}
    page = (made.folder / "preview.html").read_text()
    assert page.count("<article>") == 4
    assert page.count("data:image/jpeg;base64,") == 4 * 3
    assert "cat" in page
    assert "http" not in page.replace("http-equiv", "")


def test_options_choose_names_categories_colors_size_and_split(masked):
    (masked / "rename.csv").write_text("name,as,category\ncat,fur,material\n")
    made = from_masks(
        masked, colors=False, rename=masked / "rename.csv", category="part", size=48, train=0.0, name="mine", preview=0,
        limit=3,
    )  # fmt: skip
    source = Broden(made.folder)
    assert set(source.vocabulary.categories) == {"material", "part"}
    assert names_of(made.folder, "p1") == {"material": {"fur"}, "part": {"dog"}}
    assert (source.image_size, source.label_size(0), len(source)) == ((48, 48), (24, 24), 3)
    assert {row.split for row in source.rows} == {"val"}
    assert {row.image.split("/")[0] for row in source.rows} == {"mine"}
    assert not (made.folder / "preview.html").exists()


def test_suffixes_and_folders_below_are_matched(tmp_path):
    originals.write_image(tmp_path / "photos" / "aachen" / "x_leftImg8bit.png", SIZE)
    write_mask(tmp_path / "masks" / "aachen" / "x_gtFine.png", originals.make_halves(SIZE, 1, 1))
    made = from_masks(tmp_path, photo_suffix="_leftImg8bit", mask_suffix="_gtFine")
    assert [row.image for row in Broden(made.folder).rows] == ["photos/aachen-x_leftImg8bit.jpg"]


@pytest.mark.parametrize(("suffix", "below"), [("", ""), ("_mask", ""), ("", "masks"), ("_mask", "masks")])
def test_images_and_masks_may_be_in_one_folder(tmp_path, suffix, below):
    folder = tmp_path / "both"
    for number in range(2):
        originals.write_image(folder / f"{number}.{'png' if suffix else 'jpg'}", SIZE, seed=number)
        (folder / below).mkdir(exist_ok=True)
        Image.fromarray(originals.make_halves(SIZE, 1, 2).astype(np.uint8)).save(
            folder / below / f"{number}{suffix}.PNG"
        )
    made = importers.from_masks(folder, folder / below, ["cat", "dog"], tmp_path / "out", mask_suffix=suffix, size=32)
    assert made.images == 2
    assert {"cat", "dog"} < set(Broden(tmp_path / "out").vocabulary.names)


def test_palette_and_16_bit_masks_are_numbers(masked):
    write_mask(masked / "masks" / "p1.png", originals.make_halves(SIZE, 2, 0), mode="P")
    wide = Image.fromarray(np.full(SIZE, 300, np.uint16))
    wide.save(masked / "masks" / "p2.png")
    made = from_masks(masked, classes={1: "cat", 2: "dog", 300: "cow"})
    assert names_of(made.folder, "p1")["object"] == {"dog"}
    assert names_of(made.folder, "p2")["object"] == {"cow"}


def test_an_image_that_its_camera_rotated_fits_its_mask(masked):
    path = masked / "photos" / "p1.jpg"
    picture = Image.open(path)
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(path, exif=exif)
    write_mask(masked / "masks" / "p1.png", originals.make_halves((32, 24), 1, 2))
    assert check_probe_set(from_masks(masked).folder).problems == ()


@pytest.mark.parametrize(
    ("spoil", "error", "told"),
    [
        (lambda f: (f / "photos" / "p1.jpg").unlink(), DataNotFoundError, "1 mask of .* without image in .* p1.png"),
        (lambda f: (f / "masks" / "p1.png").unlink(), DataNotFoundError, "1 image of .* without mask in .* p1.jpg"),
        (lambda f: shutil.rmtree(f / "masks"), DataNotFoundError, "there is no folder of masks"),
        (lambda f: shutil.rmtree(f / "photos"), DataNotFoundError, "there is no folder of images"),
        (lambda f: write_mask(f / "masks" / "p1.png", np.full(SIZE, 7)), LabelError, "holds number 7"),
        (lambda f: write_mask(f / "masks" / "p1.png", np.ones((9, 40))), DataFileError, "do not show the same frame"),
        (lambda f: (f / "masks" / "p1.png").write_bytes(b"no"), DataFileError, "p1.png does not decode"),
        (lambda f: (f / "photos" / "p1.jpg").write_bytes(b"no"), DataFileError, "p1.jpg does not decode"),
        (
            lambda f: Image.new("RGB", SIZE[::-1]).save(f / "masks" / "p1.png", "JPEG"),
            DataFileError,
            "cannot be a JPEG file",
        ),
        (
            lambda f: originals.write_label_map(f / "masks" / "p1.png", np.ones((*SIZE, 3))),
            LabelError,
            "names no colors",
        ),
    ],
)
def test_what_is_wrong_with_the_files_is_one_sentence(masked, spoil, error, told):
    spoil(masked)
    with pytest.raises(error, match=told) as raised:
        from_masks(masked)
    assert "\n" not in str(raised.value)


def test_missing_files_can_be_left_out(masked):
    (masked / "photos" / "p1.jpg").unlink()
    (masked / "masks" / "p2.png").unlink()
    assert from_masks(masked, skip_missing=True).images == 2


def test_masks_of_other_names_are_reported_with_an_example(masked):
    for mask in (masked / "masks").iterdir():
        mask.rename(mask.with_name(f"{mask.stem}_mask.png"))
    with pytest.raises(DataFileError, match=r"such as p0\.jpg and p0\.png \(--mask-suffix"):
        from_masks(masked)
    assert from_masks(masked, mask_suffix="_mask").images == 4


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"category": "color"}, "the label map of color names"),
        ({"category": "a b"}, "a category's name is letters"),
        ({"sise": 3}, "did you mean size"),
        ({"size": 0}, "--size must be at least 2, not 0"),
        ({"size": 10**6}, "--size must be at most 8,192, not 1,000,000"),
        ({"train": float("nan")}, "--train must lie between 0 and 1, a share of the images, not nan"),
        ({"min_coverage": float("nan")}, "--min-coverage must be a number of at least 0, not nan"),
        ({"limit": -1}, "--limit must be at least 1, not -1"),
        ({"progress": "bar"}, "progress= takes True or False, or an object with the methods start"),
        ({"preview": -1}, "--preview must be at least 0, not -1"),
        ({"workers": 100_000}, "--workers must be at most 4,096, not 100,000"),
        ({"rename": {"cow": ("x", "")}}, "no class has this name"),
    ],
)
def test_options_that_mean_nothing_are_reported(masked, options, told):
    with pytest.raises(SettingsError, match=told):
        from_masks(masked, **options)


def test_progress_true_draws_bars_of_a_set_that_is_made(masked, monkeypatch):
    from netdissect import consoles, progress_bars

    started = []
    monkeypatch.setattr(consoles, "is_terminal", lambda: True)
    monkeypatch.setattr(progress_bars.ProgressBars, "start", lambda self, task, total: started.append(task))
    from_masks(masked, progress=True)
    assert "images" in started and "preview" in started


def test_masks_without_a_single_label_are_reported(masked):
    for mask in (masked / "masks").iterdir():
        write_mask(mask, np.zeros(SIZE))
    with pytest.raises(DataError, match="no label is left"):
        from_masks(masked, colors=False)


def test_a_corrected_mask_is_read_when_the_call_is_made_again(masked):
    from_masks(masked)
    write_mask(masked / "masks" / "p0.png", np.full(SIZE, 2))
    made = from_masks(masked)
    assert made.is_new
    assert names_of(made.folder, "p0")["object"] == {"dog"}


# ── from-voc ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def voc(tmp_path):
    root = tmp_path / "voc"
    for number in range(4):
        originals.write_image(root / "JPEGImages" / f"v{number}.jpg", SIZE, seed=number)
        labels = originals.make_halves(SIZE, 15, 255 if number else 8)
        write_mask(root / "SegmentationClass" / f"v{number}.png", labels, mode="P")
    originals.write_image(root / "JPEGImages" / "unlabelled.jpg", SIZE)
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("v0\nv1\n")
    (lists / "val.txt").write_text("v2\nv3\n")
    return root


def test_voc_has_its_classes_its_void_and_its_own_split(voc, tmp_path):
    made = importers.from_voc(voc, tmp_path / "out", size=32)
    assert made.images == 4
    assert names_of(made.folder, "v0")["object"] == {"person", "cat"}
    assert names_of(made.folder, "v1")["object"] == {"person"}
    assert splits(made.folder) == {"v0.jpg": "train", "v1.jpg": "train", "v2.jpg": "val", "v3.jpg": "val"}


def test_a_labelmap_of_colors_is_found(voc, tmp_path):
    (voc / "labelmap.txt").write_text("# label:color_rgb:parts:actions\nbackground:0,0,0::\nwheel:1,2,3::\n")
    for mask in (voc / "SegmentationClass").iterdir():
        originals.write_label_map(mask, np.broadcast_to(np.array([1, 2, 3]), (*SIZE, 3)))
    made = importers.from_voc(voc, tmp_path / "out", size=32, category="part")
    assert names_of(made.folder, "v0")["part"] == {"wheel"}


def test_a_voc_folder_that_lacks_something_is_reported(voc, tmp_path):
    (voc / "JPEGImages" / "v2.jpg").unlink()
    with pytest.raises(DataNotFoundError, match=r"1 mask of .* without image in .*v2\.png"):
        importers.from_voc(voc, tmp_path / "out", size=32)
    shutil.rmtree(voc / "SegmentationClass")
    with pytest.raises(DataNotFoundError, match="SegmentationClass/ is missing"):
        importers.from_voc(voc, tmp_path / "out", size=32)


# ── from-coco ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def coco(tmp_path):
    """Two images: polygons with a small dog on a large cat, and run lengths."""
    for number in (1, 2, 3):
        originals.write_image(tmp_path / "photos" / f"{number:012d}.jpg", SIZE, seed=number)
    square = [0, 0, 31, 0, 31, 23, 0, 23]
    corner = [0, 0, 7, 0, 7, 7, 0, 7]
    told = {
        "images": [
            {"id": number, "file_name": f"{number:012d}.jpg", "height": 24, "width": 32} for number in (1, 2, 3)
        ],
        "categories": [{"id": 17, "name": "cat"}, {"id": 18, "name": "dog"}],
        "annotations": [
            {"image_id": 1, "category_id": 18, "area": 64, "iscrowd": 0, "segmentation": [corner]},
            {"image_id": 1, "category_id": 17, "area": 700, "iscrowd": 0, "segmentation": [square]},
            {"image_id": 2, "category_id": 18, "area": 24, "iscrowd": 1,
             "segmentation": {"size": [24, 32], "counts": [24, 24, 24 * 30]}},
        ],
    }  # fmt: skip
    (tmp_path / "instances.json").write_text(json.dumps(told))
    return tmp_path


def test_coco_instances_are_drawn_the_smaller_on_top(coco):
    made = importers.from_coco(coco / "instances.json", coco / "photos", coco / "out", size=64)
    assert made.images == 2
    assert names_of(made.folder, "000000000001")["object"] == {"cat", "dog"}
    assert names_of(made.folder, "000000000002")["object"] == {"dog"}
    source = Broden(made.folder)
    position = next(i for i in range(2) if source.image_name(i).endswith("1.jpg"))
    level = next(k for k, file in enumerate(source.rows[position].planes) if "_object" in file)
    plane = source.read_labels(position).planes[level]
    names = ["", *source.vocabulary.names]
    assert names[plane[1, 1]] == "dog"
    assert names[plane[20, 20]] == "cat"


def test_coco_panoptic_images_are_read_by_segment(coco):
    told = json.loads((coco / "instances.json").read_text())
    segments = np.zeros((*SIZE, 3), np.uint8)
    segments[:, :16] = (5, 1, 0)  # 261
    segments[:, 16:] = (0, 0, 1)  # 65536
    originals.write_label_map(coco / "panoptic" / "1.png", segments)
    infos = [{"id": 261, "category_id": 17}, {"id": 65536, "category_id": 18}]
    told["annotations"] = [{"image_id": 1, "file_name": "1.png", "segments_info": infos}]
    (coco / "panoptic.json").write_text(json.dumps(told))
    made = importers.from_coco(coco / "panoptic.json", coco / "photos", coco / "out", size=32)
    assert names_of(made.folder, "000000000001")["object"] == {"cat", "dog"}
    told["annotations"][0]["segments_info"] = infos[:1]
    (coco / "panoptic.json").write_text(json.dumps(told))
    with pytest.raises(DataFileError, match="segment 65536 is in the label map, and not in the JSON"):
        importers.from_coco(coco / "panoptic.json", coco / "photos", coco / "out2", size=32)
    with pytest.raises(DataNotFoundError, match="label maps are missing"):
        importers.from_coco(coco / "panoptic.json", coco / "photos", coco / "out3", masks=coco / "gone")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t.pop("categories"), "'categories' is missing"),
        (lambda t: t["annotations"][0].update(category_id=99), "of category 99, which its categories do not list"),
        (lambda t: t["annotations"][2]["segmentation"].update(counts=[5]), "its shape is damaged"),
        (lambda t: t["annotations"][0].update(segmentation=[[1, 2, 3]]), "its shape is damaged"),
        (lambda t: t["images"][0].update(file_name="../../x.jpg"), "expected a file below the folder"),
        (lambda t: t["images"][0].pop("height"), "image 1: expected its height as a whole number"),
        (lambda t: t["images"][0].update(file_name="gone.jpg"), r"images lack a file, the first of them .*gone\.jpg"),
    ],
)
def test_what_is_wrong_with_the_json_is_one_sentence(coco, change, told):
    file = coco / "instances.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    with pytest.raises(DataError, match=told):
        importers.from_coco(file, coco / "photos", coco / "out", size=32)


def test_options_are_reported_as_they_are_though_the_json_is_at_hand(coco):
    with pytest.raises(SettingsError, match="no class has this name"):
        importers.from_coco(coco / "instances.json", coco / "photos", coco / "out", rename={"cow": ("x", "")})


def test_coco_by_several_workers_is_the_same(coco):
    for workers in (1, 2):
        importers.from_coco(coco / "instances.json", coco / "photos", coco / f"out{workers}", size=64, workers=workers)
    one, two = (
        {path.name: path.read_bytes() for path in (coco / name / "images").rglob("*.*")} for name in ("out1", "out2")
    )
    assert one == two


def test_json_that_is_none_is_reported(coco):
    (coco / "instances.json").write_text("{")
    with pytest.raises(DataFileError, match="expected COCO's JSON"):
        importers.from_coco(coco / "instances.json", coco / "photos", coco / "out")
    with pytest.raises(DataNotFoundError, match="there is no annotation file"):
        importers.from_coco(coco / "gone.json", coco / "photos", coco / "out")


# ── from-ade ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_full_ade20k_is_read_by_its_index(tmp_path):
    made = importers.from_ade(originals.write_ade20k(tmp_path), tmp_path / "out", size=32)
    assert names_of(made.folder, "ADE_train_00000000") | {"color": set()} == {
        "object": {"sky", "door"}, "part": {"door", "left arm"}, "scene": {"bow_window-indoor-s"}, "color": set(),
    }  # fmt: skip
    with pytest.raises(SettingsError, match="--rename and --category do not apply"):
        importers.from_ade(tmp_path / "ade20k", tmp_path / "out2", category="part")


@pytest.mark.shared
def test_the_full_ade20k_is_read_by_the_json_beside_its_images(shared, tmp_path):
    made = importers.from_ade(shared / "data" / "originals" / "ade20k", tmp_path / "out", size=192)
    found = names_of(made.folder, "ADE_train_00016869")
    assert {"sky", "building", "car", "road"} <= found["object"]
    assert {"wheel", "door"} <= found["part"]
    assert found["scene"] == {"street-s"}


@pytest.fixture
def challenge(tmp_path):
    root = tmp_path / "ADEChallengeData2016"
    for folder in ("training", "validation"):
        for number in range(2):
            name = f"ADE_{folder[:3]}_{number}"
            originals.write_image(root / "images" / folder / f"{name}.jpg", SIZE, seed=number)
            write_mask(root / "annotations" / folder / f"{name}.png", originals.make_halves(SIZE, 1, 2 * number))
    (root / "objectInfo150.txt").write_text(
        "Idx\tRatio\tTrain\tVal\tName\n1\t0.1\t9\t9\twall\n2\t0.1\t9\t9\tbuilding, edifice\n"
    )
    (root / "sceneCategories.txt").write_text("ADE_tra_0 hotel/room\nADE_val_1 street\n")
    return root


def test_the_150_classes_of_the_challenge_have_scenes_and_splits(challenge, tmp_path):
    made = importers.from_ade(challenge, tmp_path / "out", size=32)
    assert names_of(made.folder, "ADE_tra_0")["scene"] == {"hotel-room-s"}
    assert names_of(made.folder, "ADE_val_1")["object"] == {"wall", "building"}
    assert set(splits(made.folder).values()) == {"train", "val"}
    (challenge / "objectInfo150.txt").write_text("Idx\tName\n1\twall\nx\ty\n")
    with pytest.raises(DataFileError, match="line 3: expected a number"):
        importers.from_ade(challenge, tmp_path / "out2", size=32)


# ── from-labels ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_class_folders_are_scenes_or_textures(tmp_path):
    for name in ("abbey/indoor/1", "abbey/indoor/2", "street/1"):
        originals.write_image(tmp_path / "folders" / f"{name}.jpg", SIZE)
    made = importers.from_labels(tmp_path / "folders", tmp_path / "out", size=32)
    assert names_of(made.folder, "abbey-indoor-1")["scene"] == {"abbey-indoor-s"}
    assert names_of(made.folder, "street-1")["scene"] == {"street-s"}
    assert "<br>scene: abbey-indoor" in (made.folder / "preview.html").read_text()
    textures = importers.from_labels(tmp_path / "folders", tmp_path / "out2", size=32, category="texture", colors=False)
    assert names_of(textures.folder, "street-1") == {"texture": {"street"}}


def test_class_folders_in_train_and_val_are_splits(tmp_path):
    originals.write_image(tmp_path / "folders" / "train" / "cat" / "1.jpg", SIZE)
    originals.write_image(tmp_path / "folders" / "val" / "cat" / "2.jpg", SIZE)
    made = importers.from_labels(tmp_path / "folders", tmp_path / "out", size=32)
    assert splits(made.folder) == {"train-cat-1.jpg": "train", "val-cat-2.jpg": "val"}
    assert names_of(made.folder, "val-cat-2")["scene"] == {"cat-s"}


def test_an_image_in_no_class_folder_is_reported(tmp_path):
    originals.write_image(tmp_path / "folders" / "cat" / "1.jpg", SIZE)
    originals.write_image(tmp_path / "folders" / "stray.jpg", SIZE)
    with pytest.raises(DataFileError, match=r"1 image is in no class folder .* stray\.jpg"):
        importers.from_labels(tmp_path / "folders", tmp_path / "out")


# ── from-hf ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def hf(tmp_path):
    """A data set with images, masks and classes, in two parts."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()

    def part(count, start):
        photos, found = [], []
        for number in range(start, start + count):
            originals.write_image(tmp_path / "raw" / f"{number}.png", SIZE, seed=number)
            photos.append(str(tmp_path / "raw" / f"{number}.png"))
            write_mask(tmp_path / "raw" / f"{number}_mask.png", originals.make_halves(SIZE, 0, 1))
            found.append(str(tmp_path / "raw" / f"{number}_mask.png"))
        features = datasets.Features(
            {
                "image": datasets.Image(),
                "annotation": datasets.Image(),
                "label": datasets.ClassLabel(names=["in", "out"]),
            }
        )
        rows = {"image": photos, "annotation": found, "label": [number % 2 for number in range(count)]}
        return datasets.Dataset.from_dict(rows, features=features)

    return datasets.DatasetDict({"train": part(3, 0), "validation": part(2, 3)})


def test_a_hugging_face_set_with_a_mask_column(hf, tmp_path):
    made = importers.from_hf(hf, tmp_path / "out", classes=["wall", "sky"], first=0, size=32, name="hf")
    assert made.images == 5
    assert names_of(made.folder, "0_0000000")["object"] == {"wall", "sky"}
    assert sorted(splits(made.folder).values()) == ["train"] * 3 + ["val"] * 2


def test_a_hugging_face_set_saved_to_a_folder_by_two_workers(hf, tmp_path):
    hf["train"].save_to_disk(str(tmp_path / "saved"))
    made = importers.from_hf(tmp_path / "saved", tmp_path / "out", classes={1: "sky"}, size=32, workers=2)
    assert made.images == 3
    assert names_of(made.folder, "0000001")["object"] == {"sky"}


def test_a_hugging_face_set_with_classes_of_whole_images(hf, tmp_path):
    made = importers.from_hf(hf, tmp_path / "out", label="label", part="train", size=32)
    assert names_of(made.folder, "0000001")["scene"] == {"out-s"}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "give a class list with --classes"),
        ({"mask": "masks"}, "no column 'masks': choose from image, annotation, label"),
        ({"part": "test"}, "no part 'test': choose from train, validation"),
    ],
)
def test_what_a_hugging_face_set_lacks_is_reported(hf, tmp_path, options, told):
    with pytest.raises(SettingsError, match=told):
        importers.from_hf(hf, tmp_path / "out", size=32, **options)


def test_a_hugging_face_set_that_is_none_is_reported(hf, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataNotFoundError, match="cannot be opened"):
        importers.from_hf(tmp_path / "empty", tmp_path / "out", classes=["a"])


# ── from-segmenter, from-words: the part that knows no network ────────────────────────────────────────────────────────


class Halves:
    """A segmenter: the left half is a cat, the right a dog; planes if asked."""

    classes = ("cat", "dog")
    about = "two halves"

    def __init__(self, planes=1, wrong=None):
        self.planes, self.wrong, self.calls = planes, wrong, 0

    def fingerprint(self):
        return "halves"

    def __call__(self, picture):
        self.calls += 1
        if self.wrong is not None:
            return self.wrong
        plane = originals.make_halves(picture.shape[:2], 1, 2).astype(np.uint16)
        return plane if self.planes == 1 else np.stack([plane] * self.planes)


@pytest.fixture
def photos(tmp_path):
    for number in range(3):
        originals.write_image(tmp_path / "photos" / f"{number}.jpg", SIZE, seed=number)
    return tmp_path / "photos"


def test_a_segmenter_labels_images_and_the_set_says_so(photos, tmp_path):
    made = importers.from_segmenter(Halves(), photos, tmp_path / "out", size=32, workers=2)
    assert names_of(made.folder, "1")["object"] == {"cat", "dog"}
    assert "Labeled by two halves." in (made.folder / "README.txt").read_text()
    assert check_probe_set(made.folder).problems == ()


def test_several_planes_of_a_segmenter_are_kept(photos, tmp_path):
    made = importers.from_words(Halves(planes=2), photos, tmp_path / "out", size=32, colors=False)
    assert [len(row.planes) for row in Broden(made.folder).rows] == [2, 2, 2]


def test_images_that_were_labelled_are_not_labelled_again(photos, tmp_path):
    class Once(Halves):
        def __call__(self, picture):
            if self.calls == 2:
                raise KeyboardInterrupt
            return super().__call__(picture)

    first = Once()
    with pytest.raises(KeyboardInterrupt, match="run the same command again to continue"):
        importers.from_segmenter(first, photos, tmp_path / "out", size=32)
    second = Halves()
    importers.from_segmenter(second, photos, tmp_path / "out", size=32)
    assert (first.calls, second.calls) == (2, 1)
    third = Halves()
    assert not importers.from_segmenter(third, photos, tmp_path / "out", size=32).is_new
    assert third.calls == 0


def test_a_bare_function_is_no_segmenter_and_an_image_labeler_of_it_is_one(photos, tmp_path):
    from netdissect import ImageLabeler

    def label(image):
        return originals.make_halves(image.shape[:2], 1, 2).astype(np.uint16)

    with pytest.raises(
        SettingsError, match=r"expected a segmenter, .* got function: netdissect\.ImageLabeler makes one"
    ):
        importers.from_segmenter(label, photos, tmp_path / "out")
    made = importers.from_segmenter(ImageLabeler(label, ["cat", "dog"]), photos, tmp_path / "out", size=32)
    assert names_of(made.folder, "1")["object"] == {"cat", "dog"}


@pytest.mark.parametrize("wrong", [np.full((4, 4), 3), np.zeros((4, 4)), np.zeros((0, 4, 4), int), np.array([-1])])
def test_labels_that_no_segmenter_may_give_are_reported(photos, tmp_path, wrong):
    with pytest.raises(DataFileError, match=r"0\.jpg: the network gave"):
        importers.from_segmenter(Halves(wrong=wrong), photos, tmp_path / "out")


def test_the_room_of_data_loads_no_torch():
    import subprocess
    import sys

    code = "import sys, netdissect.probe_sets.importers, netdissect.probe_sets.compile.build_broden, netdissect.probe_sets.broden.check; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parent
    )
    assert done.stdout.strip() == "False"
