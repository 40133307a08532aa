"""A source of one's own: the example of docs/extending.md, and what `make_probe_set` checks."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from tests import nets

import netdissect as nd
from netdissect.errors import DataError, DataFileError, SettingsError
from netdissect.probe_sets.broden.check import check_probe_set

PAGE = Path(__file__).resolve().parents[4] / "docs" / "extending.md"
QUICK = {"size": 32, "colors": False, "preview": 1}


class Dots(nd.Source):
    """Two images with a dot each; `read` replaces what is read."""

    name = "dots"

    def __init__(self, **read):
        self.read = read

    def list_images(self):
        return [nd.SourceImage("a.png"), nd.SourceImage("b.png", split="val")]

    def list_names(self, category, label):
        return [f"{category}dot"] if label else []

    def read_image(self, entry):
        return self.read.get("image", np.full((24, 32, 3), 90, np.uint8))

    def read_labels(self, entry):
        plane = np.zeros((24, 32), int)
        plane[4:12, 4:12] = 1
        return self.read.get("labels", {"object": plane})


def test_the_example_of_the_page_makes_a_probe_set_that_a_network_is_dissected_with(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scans").mkdir()
    for number in range(4):
        cells = np.zeros((48, 64), np.uint8)
        cells[:, 16:40], cells[:, 40:44] = 1, 2
        image = np.random.default_rng(number).integers(0, 256, (48, 64, 3), np.uint8)
        np.savez(tmp_path / "scans" / f"{number}.npz", image=image, cells=cells)
    section = PAGE.read_text(encoding="utf-8").partition("\n## An importer of your own\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    script = "\n".join(blocks).replace('"torchvision:resnet18", ["layer4"]', 'network, ["conv1"]').replace("227", "64")
    assert all(len(block.splitlines()) < 30 for block in blocks)
    found = {"network": nets.make_small_net()}
    exec(compile(script, str(PAGE), "exec"), found)
    assert check_probe_set(found["made"].folder).problems == ()
    names = [concept.name for concept in found["probe_set"].vocabulary.concepts if concept.category == "part"]
    assert names == ["nucleus", "membrane"]
    assert found["result"]["conv1"].layer.units > 0


def test_splits_and_an_unchanged_source_are_known(tmp_path):
    made = nd.make_probe_set(Dots(), tmp_path / "set", note="Dots for a test.", **QUICK)
    assert made.is_new
    assert [row.split for row in nd.Broden(made.folder).rows if row.image.endswith("b.jpg")] == ["val"]
    assert "Dots for a test." in (made.folder / "README.txt").read_text()
    assert not nd.make_probe_set(Dots(), tmp_path / "set", note="Dots for a test.", **QUICK).is_new


@pytest.mark.parametrize(
    ("read", "words"),
    [
        ({"image": np.zeros((24, 32))}, r"dots, a\.png: expected an RGB image, uint8, shape \(H, W, 3\), got float64"),
        ({"image": None}, "expected an RGB image, uint8, .* got NoneType"),
        ({"labels": [1]}, "expected labels by category as a dict, got list"),
        ({"labels": {"object": np.zeros((24, 32))}}, r"object: expected a label map of integers, .* got float64 \(24, 32\)"),
        ({"labels": {"object": np.zeros((9, 32), int)}}, "the object map is 32 x 9 pixels and the image 32 x 24"),
        ({"labels": {"object": np.full((24, 32), -1)}}, "holds numbers from -1 to -1"),
        ({"labels": {"scene": ("street",)}}, "scene: expected a label map of integers"),
        ({"labels": {"a b": (1,)}}, "a category's name is letters"),
        ({"labels": {}}, "no label is left"),
    ],
)  # fmt: skip
def test_what_a_source_reads_is_checked(tmp_path, read, words):
    with pytest.raises((DataError, SettingsError), match=words):
        nd.make_probe_set(Dots(**read), tmp_path / "set", **QUICK)


def test_a_source_needs_a_name_and_the_methods_and_decides_names_and_categories_itself(tmp_path):
    class Nameless(Dots):
        name = "a/b"

    class Half(nd.Source):
        name = "half"

    with pytest.raises(SettingsError, match=r"Nameless\.name is 'a/b'"):
        nd.make_probe_set(Nameless(), tmp_path)
    with pytest.raises(SettingsError, match=r"expected a source that is a netdissect\.Source, got list"):
        nd.make_probe_set([], tmp_path)
    with pytest.raises(SettingsError, match="leave category= out"):
        nd.make_probe_set(Dots(), tmp_path, category="part")
    with pytest.raises(SettingsError, match="did you mean size"):
        nd.make_probe_set(Dots(), tmp_path, sise=3)
    with pytest.raises(TypeError, match="abstract"):
        Half()
    with pytest.raises(DataFileError, match="lists no image"):
        nd.make_probe_set(type("None_", (Dots,), {"list_images": lambda _: []})(), tmp_path / "none")
