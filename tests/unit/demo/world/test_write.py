import hashlib

import numpy as np
import pytest

from netdissect.demo.world import SUBJECTS, render_image, write_probe_set, write_world
from netdissect.demo.world.world_concepts import NUMBERS
from netdissect.errors import SettingsError
from netdissect.probe_sets.broden import label_pngs
from netdissect.probe_sets.broden.reader import Broden

IMAGES = len(SUBJECTS) + 3


class Counter:
    def __init__(self):
        self.tasks, self.done = [], 0

    def start(self, task, total):
        self.tasks.append((task, total))

    def advance(self, steps):
        self.done += steps


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic")
    write_probe_set(folder, images=IMAGES, size=48, seed=5, workers=1)
    return folder


def contents(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_any_number_of_workers_writes_the_same_bytes(folder, tmp_path):
    progress = Counter()
    write_probe_set(tmp_path, images=IMAGES, size=48, seed=5, workers=2, progress=progress)
    assert contents(tmp_path) == contents(folder)
    assert progress.tasks == [("draw", IMAGES)]
    assert progress.done == IMAGES


def test_fewer_images_are_the_first_of_more(folder, tmp_path):
    write_probe_set(tmp_path, images=5, size=48, seed=5, workers=1)
    few, all_ = contents(tmp_path / "images"), contents(folder / "images")
    assert len({name[:6] for name in few}) == 5
    assert few.items() <= all_.items()


def test_it_is_a_broden_folder_with_six_categories(folder):
    probe_set = Broden(folder)
    assert len(probe_set) == IMAGES
    assert set(probe_set.vocabulary.categories) == {"object", "part", "material", "texture", "color", "scene"}
    assert {row.split for row in probe_set.rows} == {"train", "val"}
    names = {concept.name: concept.category for concept in probe_set.vocabulary.concepts}
    assert names["house"] == "object"
    assert names["roof"] == "part"
    assert names["wood"] == "material"
    assert names["striped"] == "texture"
    assert names["red-c"] == "color"
    assert names["beach-s"] == "scene"


def test_what_is_read_is_what_was_drawn(folder):
    probe_set = Broden(folder)
    numbers = np.array([0, *(concept.number for concept in probe_set.vocabulary.concepts)])
    for index in (0, 50, len(SUBJECTS) - 1):
        drawn = render_image(index, size=48, seed=5)
        labels = probe_set.read_labels(index)
        planes = {plane.tobytes() for plane in numbers[labels.planes].astype(np.uint16)}
        whole = set(numbers[labels.whole].tolist())
        for label in drawn.labels.values():
            assert label in whole if isinstance(label, int) else label.tobytes() in planes
        image = probe_set.read_image(index).astype(int)
        assert np.abs(image - drawn.image).mean() < 8  # JPEG


def test_label_numbers_do_not_depend_on_the_set(folder):
    probe_set = Broden(folder)
    fixed = {number: name for names in NUMBERS.values() for name, number in names.items()}
    assert all(fixed[concept.number] == concept.name for concept in probe_set.vocabulary.concepts)


def test_an_interrupted_folder_is_no_probe_set(folder, tmp_path, monkeypatch):
    write_probe_set(tmp_path, images=2, size=48, workers=1)

    def stop(*_):
        raise KeyboardInterrupt("over a mask")

    monkeypatch.setattr(label_pngs, "encode_label_map", stop)
    with pytest.raises(KeyboardInterrupt, match="over a mask"):
        write_probe_set(tmp_path, images=2, size=48, workers=1)
    assert not (tmp_path / "index.csv").exists()


@pytest.mark.parametrize("settings", [{"images": 0}, {"images": 1, "size": 8}, {"images": 1, "workers": 0}])
def test_settings_that_mean_nothing_are_refused_in_a_sentence(tmp_path, settings):
    with pytest.raises(SettingsError, match="must"):
        write_probe_set(tmp_path / "none", **settings)
    assert not (tmp_path / "none").exists()


def test_split_follows_broden_s_rule():
    shares = [write_world.choose_split(f"{index:06d}") for index in range(2000)]
    assert 0.67 < shares.count("train") / 2000 < 0.73
