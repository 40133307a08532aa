"""A photo with an EXIF orientation fits its label map, in every importer with label maps."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tests.unit.probe_sets import originals

from netdissect.probe_sets import importers
from netdissect.probe_sets.broden.reader import Broden

PLAIN = {"size": 240, "colors": False, "preview": 0}
BACK = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270, 3: Image.Transpose.ROTATE_180}


def scene():
    """Return an upright image of a red box, 120 rows of 80, and its mask."""
    pixels = np.full((120, 80, 3), 255, np.uint8)
    pixels[10:50, 10:40] = (255, 0, 0)
    return pixels, (pixels[..., 1] == 0).astype(np.uint8)


def write(photo, mask, turn, *, upright):
    """Write the image with an EXIF orientation, and its mask on the upright image or on the image as stored."""
    pixels, labels = scene()
    exif = Image.Exif()
    exif[0x0112] = turn
    photo.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).transpose(BACK[turn]).save(photo, quality=95, exif=exif)
    drawn = Image.fromarray(labels)
    originals.write_label_map(mask, np.asarray(drawn if upright else drawn.transpose(BACK[turn])))


def masks(folder, turn, *, upright):
    write(folder / "photos" / "a.jpg", folder / "masks" / "a.png", turn, upright=upright)
    return importers.from_masks(folder / "photos", folder / "masks", ["box"], folder / "out", **PLAIN)


def voc(folder, turn, *, upright):
    write(folder / "JPEGImages" / "a.jpg", folder / "SegmentationClass" / "a.png", turn, upright=upright)
    return importers.from_voc(folder, folder / "out", classes=["box"], **PLAIN)


def challenge(folder, turn, *, upright):
    write(
        folder / "images" / "training" / "a.jpg", folder / "annotations" / "training" / "a.png", turn, upright=upright
    )
    (folder / "objectInfo150.txt").write_text("Idx\tRatio\tTrain\tVal\tName\n1\t.1\t9\t9\tbox\n")
    return importers.from_ade(folder, folder / "out", **PLAIN)


def hf(folder, turn, *, upright):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    write(folder / "a.jpg", folder / "a.png", turn, upright=upright)
    features = datasets.Features({"image": datasets.Image(), "mask": datasets.Image()})
    rows = {"image": [str(folder / "a.jpg")], "mask": [str(folder / "a.png")]}
    return importers.from_hf(
        datasets.Dataset.from_dict(rows, features=features), folder / "out", classes=["box"], **PLAIN
    )


class Red:
    """A segmenter that labels red pixels."""

    classes = ("box",)
    about = "a threshold"

    def fingerprint(self):
        return "red"

    def __call__(self, picture):
        return (picture[..., 1] < 128).astype(np.uint16)


def segmenter(folder, turn, *, upright):
    write(folder / "photos" / "a.jpg", folder / "masks" / "a.png", turn, upright=upright)
    return importers.from_segmenter(Red(), folder / "photos", folder / "out", **PLAIN)


@pytest.mark.parametrize("way", [masks, voc, challenge, hf, segmenter])
@pytest.mark.parametrize(("turn", "upright"), [(6, True), (8, True), (3, True), (6, False), (8, False)])
def test_image_and_label_cover_each_other(tmp_path, way, turn, upright):
    source = Broden(way(tmp_path, turn, upright=upright).folder)
    picture = source.read_image(0, source.label_size(0)).astype(int)
    red = (picture[..., 0] - picture[..., 1]) > 100
    label = source.read_labels(0).planes[0] > 0
    assert (red & label).sum() / (red | label).sum() > 0.9
