"""Images whose class is known, from folders, tables and probe sets."""

import numpy as np
import pytest
from PIL import Image
from tests.small_probe_set import write_probe_set

from netdissect.analyses.image_classes import open_labeled_images
from netdissect.concepts import Concept, Labels, Vocabulary
from netdissect.errors import DataFileError, DataNotFoundError, SettingsError
from netdissect.probe_sets.broden.reader import Broden
from netdissect.probe_sets.unlabeled_images import UnlabeledImages
from netdissect.protocols import ConceptSource


def write_images(folder, names, size=(8, 6)):
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (number, 0, 0)).save(path)
    return folder


class PaintedSet:
    """A probe set in memory: whole-image labels and one plane per image."""

    name, path, fingerprint, image_size = "painted", "", "f", (2, 2)
    vocabulary = Vocabulary(
        ("object", "scene"),
        (Concept(1, "cow", "object"), Concept(2, "cat", "object"), Concept(3, "farm-s", "scene"), Concept(4, "town-s", "scene")),
    )  # fmt: skip

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def row(self, index):
        return index

    def image_name(self, index):
        return f"{index}.jpg"

    def label_size(self, index):
        return (2, 2)

    def read_image(self, index, size=None):
        return np.zeros((2, 2, 3), np.uint8)

    def read_image_file(self, index):
        return b""

    def read_labels(self, index):
        plane, whole = self.images[index]
        return Labels(np.array([[[plane, 0], [0, 0]]], np.uint16), np.array(whole, np.int64))


def test_class_folders_are_labels_in_the_order_of_the_network(tmp_path):
    root = write_images(tmp_path, ["cat/1.png", "cat/2.png", "living_room/1.png", "emu/1.png"])
    images = open_labeled_images(root, ["dog", "Living Room", "cat"])
    assert images.classes == ("dog", "Living Room", "cat")
    assert images.labels.tolist() == [2, 2, 1]
    assert images.counts.tolist() == [0, 1, 2]
    assert "emu" in images.notes[0]
    assert isinstance(images.source, ConceptSource)
    assert [images.source.image_name(at) for at in range(3)] == ["cat/1.png", "cat/2.png", "living_room/1.png"]
    assert images.source.read_image(2, (4, 4)).shape == (4, 4, 3)
    assert images.source.read_image(2)[0, 0].tolist() == [2, 0, 0]


def test_splits_of_class_folders_can_be_chosen(tmp_path):
    root = write_images(tmp_path, ["train/cat/1.png", "val/cat/2.png", "val/dog/3.png"])
    images = open_labeled_images(root, split="val")
    assert images.classes == ("cat", "dog")
    assert images.labels.tolist() == [0, 1]
    with pytest.raises(SettingsError, match="no folder of .* is named like the split 'test'"):
        open_labeled_images(root, split="test")


def test_a_limit_takes_images_of_all_classes(tmp_path):
    root = write_images(tmp_path, [f"{name}/{number}.png" for name in ("a", "b", "c") for number in range(4)])
    images = open_labeled_images(root, limit=5)
    assert images.counts.tolist() == [2, 2, 1]
    assert len(images) == 5


@pytest.mark.parametrize(
    "text",
    [
        "image,class\ncat/1.png,cat\nx/2.png,dog\n",
        "filename;label\n1.png;cat\n2.png;dog\n",
        "1.png cat\n2.png dog\n",
        "path\tscene\nsomewhere/else/1.jpg\t0\n./2.jpg\t1\n",
    ],
)
def test_a_table_gives_images_their_classes(tmp_path, text):
    root = write_images(tmp_path / "images", ["cat/1.png", "x/2.png", "x/3.png"])
    (tmp_path / "labels.csv").write_text(text)
    images = open_labeled_images(root, ["cat", "dog"], tmp_path / "labels.csv")
    assert [images.source.image_name(at) for at in range(len(images))] == ["cat/1.png", "x/2.png"]
    assert images.labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,class\n9.png,cat\n", "names the image 9.png, and there is no such image"),
        ("image,class\n1.png,cat\n1.png,dog\n", "line 3: 1.png is already listed in line 2"),
        ("image,class\n1.png,cat\ncat/1.png,dog\n", "twice, under different names"),
        ("image,class\n2.png,cat\n", "2 images have that name"),
        ("image,class\n1.png,\n", "line 2: expected an image and its class"),
        ("a,b,c\n1,2,3\n", "expected a column of images"),
        ("", "got none"),
    ],
)
def test_a_wrong_table_is_refused_in_a_sentence(tmp_path, text, message):
    root = write_images(tmp_path / "images", ["cat/1.png", "a/2.png", "b/2.png"])
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises((DataFileError, DataNotFoundError), match=message):
        open_labeled_images(root, ["cat", "dog"], tmp_path / "labels.csv")


def test_files_and_arrays_are_labeled_from_python(tmp_path):
    root = write_images(tmp_path, ["1.png"])
    gray = np.full((5, 5, 3), 7, np.uint8)
    images = open_labeled_images([root / "1.png", gray], ["cat", "dog"], [1, 0])
    assert images.labels.tolist() == [1, 0]
    assert images.source.read_image(1).tolist() == gray.tolist()
    with pytest.raises(SettingsError, match="expected 1, got 2"):
        open_labeled_images([gray], ["cat", "dog"], [1, 0])
    with pytest.raises(SettingsError, match="takes a table"):
        open_labeled_images(root, ["cat", "dog"], [1, 0])


def test_labels_of_whole_images_are_classes_of_a_probe_set(tmp_path):
    source = Broden(write_probe_set(tmp_path / "set", images=30))
    images = open_labeled_images(source, ["dotted", "street"])
    whole = [{source.vocabulary.names[code - 1] for code in source.read_labels(at).whole} for at in range(len(source))]
    expected = [
        0 if own & {"dotted", "street-s"} == {"dotted"} else 1 if own & {"dotted", "street-s"} == {"street-s"} else -1
        for own in whole
    ]
    assert images.labels.tolist() == expected
    assert set(expected) == {0, 1, -1}
    assert any("several classes" in note for note in images.notes) == any(
        {"dotted", "street-s"} <= own for own in whole
    )


def test_a_probe_set_without_whole_labels_has_no_classes():
    with pytest.raises(DataFileError, match="labels no whole image"):
        open_labeled_images(PaintedSet([(1, [])]), ["farm"])


def test_shares_are_over_images_with_the_category():
    source = PaintedSet([(1, [3]), (2, [3]), (0, [3]), (1, [4]), (0, [])])
    images = open_labeled_images(source, ["town", "farm"])
    assert images.labels.tolist() == [1, 1, 1, 0, -1]
    # Two of three farms have an object at all; one of the two has a cow.
    assert images.find_concept_shares(source.vocabulary).tolist() == [[1, 0, 0, 1], [0.5, 0.5, 1, 0]]
    shuffled = Vocabulary(("object",), (Concept(1, "emu", "object"), Concept(2, "cat", "object")))
    assert images.find_concept_shares(shuffled).tolist() == [[0, 0], [0, 0.5]]


def test_images_without_concepts_have_no_shares(tmp_path):
    images = open_labeled_images(write_images(tmp_path, ["cat/1.png"]))
    assert images.find_concept_shares(PaintedSet.vocabulary) is None


def test_the_fingerprint_depends_on_images_labels_and_classes(tmp_path):
    root = write_images(tmp_path, ["cat/1.png", "dog/1.png"])
    first = open_labeled_images(root)
    assert open_labeled_images(root).fingerprint == first.fingerprint
    assert open_labeled_images(root, ["dog", "cat"]).fingerprint != first.fingerprint
    assert open_labeled_images(root, limit=1).fingerprint != first.fingerprint


def test_arrays_of_another_shape_are_refused():
    with pytest.raises(DataFileError, match="expected an RGB image"):
        UnlabeledImages("images", [np.zeros((4, 4), np.uint8)], ["1"])


def test_images_without_a_class_are_marked_by_minus_one_in_python():
    gray = np.zeros((4, 4, 3), np.uint8)
    images = open_labeled_images([gray, gray, gray], ["cat", "dog"], np.array([-1, 1, 0]))
    assert images.labels.tolist() == [-1, 1, 0]
    assert images.labeled.tolist() == [1, 2]
    with pytest.raises(SettingsError, match="gives no image a class"):
        open_labeled_images([gray], ["cat", "dog"], [-1])
    with pytest.raises(SettingsError, match="gives no image a class"):
        open_labeled_images([], ["cat", "dog"], [])


def test_what_was_opened_before_is_taken_as_it_is(tmp_path):
    opened = open_labeled_images(write_images(tmp_path, ["cat/1.png", "dog/1.png"]))
    assert open_labeled_images(opened) is opened
    assert open_labeled_images(opened, limit=1).labels.tolist() == [0, -1]
    with pytest.raises(SettingsError, match="opened before"):
        open_labeled_images(opened, ["cat"])
