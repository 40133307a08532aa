"""Tables of the library datasets: their columns, class names and splits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import netdissect as nd
from netdissect.errors import SettingsError
from netdissect.probe_sets.given.given_items import GivenItems
from netdissect.probe_sets.given.known_concepts import find_known_concepts

datasets = pytest.importorskip("datasets")
RANDOM = np.random.default_rng(1)
SCENES = ["beach", "street"]


def make_table(count=2, *, classes=SCENES, **columns):
    """Return a table of images, label maps and the scene of every image."""
    rows = {
        "image": [Image.fromarray(RANDOM.integers(0, 256, (8, 8, 3)).astype(np.uint8)) for _ in range(count)],
        "annotation": [Image.fromarray(RANDOM.integers(1, 3, (8, 8)).astype(np.uint8)) for _ in range(count)],
        "scene_category": [number % len(classes) for number in range(count)],
        **columns,
    }
    features = datasets.Features(
        image=datasets.Image(), annotation=datasets.Image(), scene_category=datasets.ClassLabel(names=classes)
    )
    return datasets.Dataset.from_dict(rows, features=features)


def test_concepts_are_those_of_the_column_that_is_taken_as_masks():
    table = make_table()
    with pytest.raises(SettingsError, match="does not say what its masks mean"):
        nd.open_probe_set(table, progress=False)  # the scenes are not what the annotations mean
    found = nd.open_probe_set(table, mask="scene_category", progress=False)
    assert found.vocabulary.names == ("beach-s", "street-s")
    assert len(nd.open_probe_set(table, ["sky", "sea"], progress=False)) == 2


def test_class_names_of_the_parts_are_found_if_they_agree():
    parts = datasets.DatasetDict(train=make_table(), validation=make_table())
    assert find_known_concepts(parts, "scene_category", whole_images=True) == {0: "beach", 1: "street"}
    parts["test"] = make_table(classes=["street", "beach"])
    with pytest.raises(SettingsError, match="does not say"):
        find_known_concepts(parts, "scene_category", whole_images=True)


@pytest.mark.parametrize("split", ["val", "validation"])
def test_a_split_is_read_alone_by_any_of_its_names(split):
    parts = datasets.DatasetDict(train=make_table(), validation=make_table(1))
    parts["train"].set_transform(lambda _: 1 / 0)  # no row of it may be decoded
    found = nd.open_probe_set(parts, ["sky", "sea"], split=split, progress=False)
    assert (len(found), found.split, {row.split for row in found.rows}) == (1, "val", {"val"})
    assert found.select(split="validation") is found
    assert GivenItems(parts, split=split).count() == 1


def test_splits_that_are_not_there_are_refused_before_anything_is_read():
    parts = datasets.DatasetDict(train=make_table(), unsupervised=make_table(1))
    with pytest.raises(SettingsError, match="has the splits train, unsupervised"):
        nd.open_probe_set(parts, ["sky", "sea"], split="val", progress=False)
    with pytest.raises(SettingsError, match="has no splits"):
        nd.open_probe_set((1 / 0 for _ in range(1)), ["sky"], split="val", progress=False)
    assert nd.open_probe_set(parts, ["sky", "sea"], split="unsupervised", progress=False).split == "unsupervised"


@pytest.mark.slow  # two worker processes
def test_a_table_is_dissected_by_workers_with_a_report(tmp_path):
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()).eval()
    parts = datasets.DatasetDict(train=make_table(3), validation=make_table(4))
    options = {"preprocess": nd.Preprocess(), "split": "validation", "progress": False, "quantile": 0.1}
    run = nd.dissect(net, "1", parts, ["sky", "sea"], out=tmp_path / "run", workers=2, **options)
    assert (run.settings.split, run.probe_set.images) == ("val", 4)
    drawn = sorted((tmp_path / "run" / "html" / "image" / "probe").glob("*.png"))
    for path, row in zip(drawn, parts["validation"], strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(path)), np.asarray(row["image"]))
    loaded = nd.load(tmp_path / "run")
    np.testing.assert_array_equal(loaded["1"].counts.I, run["1"].counts.I)
    assert [unit.label for unit in loaded["1"].units] == [unit.label for unit in run["1"].units]
