"""A path that is no probe set is refused with the command that makes one; names in other spellings are expanded."""

from __future__ import annotations

import pytest
from PIL import Image

from netdissect.errors import DataNotFoundError, ModelNotFoundError, SettingsError
from netdissect.probe_sets.broden.not_broden import explain_not_broden
from netdissect.probe_sets.download.groups import expand_names
from netdissect.probe_sets.download.paths import require_downloaded, resolve_probe_set
from netdissect.probe_sets.download.registry import find_entry, load_registry

ENTRIES = load_registry()


def image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path, format="PNG")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            ["a.jpg", "b.PNG"],
            "{0} holds images and no labels, so it is no probe set; three ways on: with masks of yours, netdissect data from-masks {0} MASKS",
        ),
        (["a.jfif"], "{0} holds images and no labels"),
        (["images/a.jpg"], "{0}/images holds images and no labels"),
        (["cat/a.jpg", "dog/b.webp"], "netdissect data from-labels {0} --out DIR makes one of class folders"),
        (["JPEGImages/a.jpg", "SegmentationClass/a.png"], "netdissect data from-voc {0} --out DIR makes one"),
        (["broden1_227/index.csv"], "{0} is no probe set, but {0}/broden1_227 below it may be one: give that folder"),
        ([], "expected a folder in Broden's format; netdissect data list shows what can be downloaded"),
    ],
    ids=str,
)
def test_a_folder_that_is_no_probe_set_is_reported_for_what_it_is(tmp_path, files, message):
    for name in files:
        image(tmp_path / name)
    assert message.format(tmp_path) in explain_not_broden(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"), [("a.json", "from-coco {0} IMAGES"), ("set.zip", "unpack it"), ("index.csv", "that holds it")]
)
def test_a_file_that_is_no_probe_set_is_reported_for_what_it_is(tmp_path, name, message):
    (tmp_path / name).touch()
    assert message.format(tmp_path / name) in explain_not_broden(tmp_path / name)


def test_a_folder_with_some_of_the_tables_is_left_to_their_reader(tmp_path):
    (tmp_path / "label.csv").touch()
    assert explain_not_broden(tmp_path) is None
    assert explain_not_broden(tmp_path / "nowhere") is None


def test_a_probe_set_that_can_be_downloaded_is_reported_with_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for given in ("broden1_227", "dataset/broden1_227", "elsewhere/broden1_227"):
        with pytest.raises(
            DataNotFoundError, match=f"{given} has not been downloaded: netdissect data download broden1_227 fetches"
        ):
            resolve_probe_set(given)


@pytest.mark.parametrize(
    "model",
    [
        "zoo/vgg16_places365",
        "elsewhere/vgg16_places365",
        "zoo/vgg16_places365.caffemodel",
        "zoo/vgg16_places365.prototxt,zoo/vgg16_places365.caffemodel",
    ],
)
def test_a_network_that_can_be_downloaded_is_reported_with_the_command(tmp_path, monkeypatch, model):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ModelNotFoundError, match="has not been downloaded: netdissect zoo download vgg16_places365 fetches it"
    ):
        require_downloaded(model)
    (tmp_path / model.split(",")[0]).parent.mkdir()
    (tmp_path / model.split(",")[0]).touch()
    require_downloaded(model)
    require_downloaded("my/own")


BRODEN = ["broden1_224", "broden1_227", "broden1_384"]


@pytest.mark.parametrize(
    ("names", "networks", "entries"),
    [
        (["broden"], False, BRODEN),
        (["Broden1"], False, BRODEN),
        (["all"], False, BRODEN),
        (["all-sources", "dtd"], False, ["ade20k", "dtd", "opensurfaces", "pascal"]),
        (["broden1-227", "broden_227", "Broden 227"], False, ["broden1_227"]),
        (["example"], True, ["caffe_reference_places365"]),
        (["VGG16-Places365"], True, ["vgg16_places365"]),
        (["all"], True, [name for name, entry in ENTRIES.items() if entry.kind == "network"]),
    ],
    ids=str,
)
def test_names_with_sense_stand_for_what_the_released_scripts_fetch(names, networks, entries):
    assert expand_names(names, ENTRIES, networks=networks) == entries
    assert all(find_entry(ENTRIES, name, networks=networks) for name in entries)


def test_names_without_sense_are_reported_as_they_were_typed():
    with pytest.raises(SettingsError, match="nothing called 'brodem' can be downloaded: did you mean broden1_"):
        find_entry(ENTRIES, expand_names(["brodem"], ENTRIES, networks=False)[0], networks=False)
