"""Images of more than 8 bits in every importer: the middle of a ramp stays in the middle, or the mode is refused by name."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from tests import small_probe_set
from tests.unit.probe_sets import originals

from netdissect.errors import DataFileError
from netdissect.probe_sets import importers
from netdissect.probe_sets.broden.check import check_probe_set
from netdissect.probe_sets.broden.preview import write_preview
from netdissect.probe_sets.broden.reader import Broden

SIZE = (33, 65)
PLAIN = {"size": 33, "colors": False, "preview": 0}
RAMP = np.repeat(np.linspace(0, 1, SIZE[1])[np.newaxis], SIZE[0], axis=0)


def write(path, depth):
    """Write a ramp from black to white, in 16 bits, 32-bit integers or floating-point numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if depth == "16":
        Image.fromarray((RAMP * 65535).astype(np.uint16)).save(path.with_suffix(".png"))
    else:
        kind = np.int32 if depth == "32" else np.float32
        Image.fromarray((RAMP * (2**31 - 1 if depth == "32" else 1)).astype(kind)).save(path.with_suffix(".tif"))


def mask(path):
    originals.write_label_map(path, originals.make_halves(SIZE, 1, 2).astype(np.uint8))


def masks(folder, depth):
    write(folder / "photos" / "a.x", depth)
    mask(folder / "masks" / "a.png")
    return importers.from_masks(folder / "photos", folder / "masks", ["cat", "dog"], folder / "out", **PLAIN)


def voc(folder, depth):
    write(folder / "JPEGImages" / "a.x", depth)
    mask(folder / "SegmentationClass" / "a.png")
    return importers.from_voc(folder, folder / "out", **PLAIN)


def coco(folder, depth):
    write(folder / "photos" / "a.x", depth)
    told = {
        "images": [
            {"id": 1, "file_name": f"a.{'png' if depth == '16' else 'tif'}", "height": SIZE[0], "width": SIZE[1]}
        ],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 30, 0, 30, 30]]}],
    }
    (folder / "i.json").write_text(json.dumps(told))
    return importers.from_coco(folder / "i.json", folder / "photos", folder / "out", **PLAIN)


def labels(folder, depth):
    write(folder / "folders" / "cat" / "a.x", depth)
    return importers.from_labels(folder / "folders", folder / "out", **PLAIN)


def hf(folder, depth):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    write(folder / "a.x", depth)
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat"])})
    rows = {"image": [str(next(folder.glob("a.*")))], "label": [0]}
    return importers.from_hf(
        datasets.Dataset.from_dict(rows, features=features), folder / "out", label="label", **PLAIN
    )


def ade(folder, depth):
    root = folder / "ADEChallengeData2016"
    write(root / "images" / "training" / "a.x", depth)
    mask(root / "annotations" / "training" / "a.png")
    (root / "objectInfo150.txt").write_text("Idx\tRatio\tTrain\tVal\tName\n1\t.1\t9\t9\twall\n2\t.1\t9\t9\tsky\n")
    return importers.from_ade(root, folder / "out", **PLAIN)


class Bright:
    """A segmenter that labels bright pixels."""

    classes = ("bright",)
    about = "a threshold"

    def fingerprint(self):
        return "bright"

    def __call__(self, picture):
        return (picture[..., 0] >= 128).astype(np.uint16)


def segmenter(folder, depth):
    write(folder / "photos" / "a.x", depth)
    made = importers.from_segmenter(Bright(), folder / "photos", folder / "out", **PLAIN)
    assert abs(float((Broden(made.folder).read_labels(0).planes > 0).mean()) - 0.5) < 0.05
    return made


WAYS = [masks, voc, coco, labels, hf, ade, segmenter]


@pytest.mark.parametrize("way", WAYS)
def test_the_middle_of_a_16_bit_ramp_is_in_the_middle(tmp_path, way):
    picture = Broden(way(tmp_path, "16").folder).read_image(0)
    assert abs(int(picture[16, 16, 0]) - 128) <= 8
    assert picture[16, 0, 0] < 16
    assert picture[16, -1, 0] > 239


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("depth", "named"), [("32", "32-bit integers .mode I."), ("F", "floating-point numbers .mode F.")]
)
def test_deeper_modes_are_refused_by_name(tmp_path, way, depth, named):
    with pytest.raises(DataFileError, match=rf"its pixels are {named}, whose value for white is unknown"):
        way(tmp_path, depth)


def test_a_deep_image_of_a_probe_set_is_read_checked_and_shown_alike(tmp_path):
    folder = small_probe_set.write_probe_set(tmp_path / "set")
    path = folder / "images" / "a" / "image 0.jpg"
    ramp = np.repeat(np.linspace(0, 65535, 32)[np.newaxis], 32, axis=0).astype(np.uint16)
    Image.fromarray(ramp).save(path, format="PNG")
    assert abs(int(Broden(folder).read_image(0)[16, 16, 0]) - 128) <= 8
    assert not [problem for problem in check_probe_set(folder).problems if "image 0.jpg" in problem]
    assert write_preview(folder, tmp_path / "p.html").is_file()
    Image.fromarray(ramp.astype(np.float32)).save(path, format="TIFF")
    assert any("floating-point numbers (mode F)" in problem for problem in check_probe_set(folder).problems)
    for read in (lambda: Broden(folder).read_image(0), lambda: write_preview(folder, tmp_path / "q.html")):
        with pytest.raises(DataFileError, match="floating-point numbers .mode F."):
            read()
