"""From original files to labeled units: a Broden of all four sources and an own set of each kind, dissected."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from tests import nets
from tests.unit.probe_sets import originals

from netdissect.api import dissect
from netdissect.networks.labelers.segmenters import TorchSegmenter
from netdissect.probe_sets import importers
from netdissect.probe_sets.broden.check import check_probe_set
from netdissect.probe_sets.compile.build_broden import build_broden

SIZE = (24, 32)


def dissected(folder):
    """Check a set, dissect a small network on it, and return the names its units may get."""
    assert check_probe_set(folder).problems == ()
    result = dissect(nets.make_small_net(), ["conv1", "conv2"], folder, quantile=0.1, batch_size=4, images_per_unit=2)
    units = result["conv2"].units
    assert len(list(units)) == 8
    assert np.isfinite(np.asarray(result["conv2"].iou)).all()
    assert (np.asarray(result["conv2"].iou) > 0).any()
    return {unit.label for unit in units}


@pytest.fixture
def photos(tmp_path):
    for number in range(6):
        originals.write_image(tmp_path / "photos" / f"{number}.jpg", SIZE, seed=number)
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(originals.make_halves(SIZE, 1, 1 + number % 2).astype(np.uint8)).save(
            tmp_path / "masks" / f"{number}.png"
        )
    return tmp_path


def test_broden_of_all_four_sources_is_built_checked_and_dissected(tmp_path):
    originals.write_ade20k(tmp_path / "sources", 5)
    originals.write_dtd(tmp_path / "sources")
    originals.write_opensurfaces(tmp_path / "sources", processed=False)
    originals.write_pascal(tmp_path / "sources")
    made = build_broden(tmp_path / "sources", tmp_path / "out", size=32, min_frequency=1, min_coverage=0)
    assert set(made.categories) == {"color", "object", "part", "material", "texture", "scene"}
    assert dissected(tmp_path / "out")


@pytest.mark.shared
def test_broden_of_genuine_samples_and_fixtures_is_built_checked_and_dissected(shared, tmp_path):
    sources = tmp_path / "sources"
    originals.write_dtd(sources)
    originals.write_opensurfaces(sources)
    samples = shared / "data" / "originals" / "pascal_part"
    (sources / "pascal" / "part").mkdir(parents=True)
    shutil.copy(shared / "reference" / "broden" / "pascal_part2ind.m", sources / "pascal" / "part" / "part2ind.m")
    (sources / "pascal" / "part" / "Annotations_Part").symlink_to(samples / "Annotations_Part")
    (sources / "pascal" / "JPEGImages").symlink_to(samples / "JPEGImages")
    build_broden(sources, tmp_path / "out", size=64, min_frequency=2, min_coverage=0.01, workers=2)
    assert dissected(tmp_path / "out")


def test_a_set_from_masks(photos):
    importers.from_masks(photos / "photos", photos / "masks", ["cat", "dog"], photos / "out", size=32, colors=False)
    assert dissected(photos / "out") <= {"cat", "dog"}


def test_a_set_from_voc(photos):
    (photos / "photos").rename(photos / "JPEGImages")
    (photos / "masks").rename(photos / "SegmentationClass")
    importers.from_voc(photos, photos / "out", size=32, colors=False)
    assert dissected(photos / "out") <= {"airplane", "bicycle"}


def test_a_set_from_coco(photos):
    shape = [[0, 0, 15, 0, 15, 23, 0, 23]]
    told = {
        "images": [{"id": n, "file_name": f"{n}.jpg", "height": 24, "width": 32} for n in range(6)],
        "categories": [{"id": 3, "name": "wheel"}],
        "annotations": [{"image_id": n, "category_id": 3, "area": 9, "segmentation": shape} for n in range(6)],
    }
    (photos / "coco.json").write_text(json.dumps(told))
    importers.from_coco(photos / "coco.json", photos / "photos", photos / "out", size=32, colors=False)
    assert dissected(photos / "out") == {"wheel"}


def test_a_set_from_ade(tmp_path):
    importers.from_ade(originals.write_ade20k(tmp_path, 4), tmp_path / "out", size=32)
    assert dissected(tmp_path / "out")


def test_a_set_from_class_folders(photos):
    for photo in sorted((photos / "photos").iterdir()):
        target = photos / "folders" / ("attic" if int(photo.stem) % 2 else "cellar") / photo.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, target)
    importers.from_labels(photos / "folders", photos / "out", size=32, colors=False)
    assert dissected(photos / "out") <= {"attic-s", "cellar-s"}


def test_a_set_from_hugging_face(photos):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "mask": datasets.Image()})
    rows = {name: [str(path) for path in sorted((photos / f"{folder}").iterdir())] for name, folder in
            (("image", "photos"), ("mask", "masks"))}  # fmt: skip
    made = datasets.Dataset.from_dict(rows, features=features)
    importers.from_hf(made, photos / "out", classes=["cat", "dog"], size=32, colors=False)
    assert dissected(photos / "out") <= {"cat", "dog"}


def test_a_set_from_a_segmenter_and_one_from_words(photos):
    import torch

    class Channels(torch.nn.Module):
        def forward(self, x):
            return x[:, :2]

    network = TorchSegmenter(Channels(), ["reddish", "greenish"], name="channels")
    importers.from_segmenter(network, photos / "photos", photos / "out", size=32, colors=False)
    assert dissected(photos / "out") <= {"reddish", "greenish"}
    importers.from_words(network, photos / "photos", photos / "words", size=32, colors=False)
    assert dissected(photos / "words") <= {"reddish", "greenish"}
