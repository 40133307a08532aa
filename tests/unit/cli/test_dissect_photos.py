"""``netdissect dissect PHOTOS MODEL``: from photos without labels to a report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests import small_probe_set
from tests.unit.cli.test_config_file import NETWORK

import netdissect as nd
from netdissect.cli import main
from netdissect.networks.labelers import open_vocabulary, segmenters
from netdissect.probe_sets.broden.reader import Broden


class Halves:
    """Labels the left half of an image with the first class."""

    about = "a network of the test"

    def __init__(self, classes, **options):
        self.classes, self.options, self.calls = list(classes), options, 0

    def fingerprint(self):
        return repr((self.classes, self.options))

    def __call__(self, image):
        self.calls += 1
        labels = np.zeros(image.shape[:2], np.uint16)
        labels[:, : image.shape[1] // 2] = 1
        return labels


@pytest.fixture
def dissect(tmp_path, monkeypatch, capsys):
    """Return a function that runs the command over photos, and returns its exit code and what it printed."""
    (tmp_path / "own_network_of_photos.py").write_text(NETWORK)
    source = small_probe_set.write_probe_set(tmp_path / "set", images=3)
    (tmp_path / "my photos").mkdir()
    for image in source.rglob("*.jpg"):
        (tmp_path / "my photos" / image.name).write_bytes(image.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(*words):
        with pytest.raises(SystemExit) as leave:
            main(["dissect", "my photos", "python:own_network_of_photos:make", "--size", "32", *words])
        captured = capsys.readouterr()
        return leave.value.code, captured.out, captured.err

    return run


def test_words_lead_to_a_report_and_the_command_continues(dissect, monkeypatch, tmp_path):
    made = []
    monkeypatch.setattr(
        open_vocabulary, "load_open_vocabulary", lambda words, **more: made.append(Halves(words, **more)) or made[-1]
    )
    words = ("--layers", "last", "--words", "dog", "red car", "--save-config", "run.toml")
    code, said, _ = dissect(*words)
    assert code == 0
    assert made[0].classes == ["dog", "red car"]
    assert made[0].options == {"model": "hf:CIDAS/clipseg-rd64-refined", "threshold": 0.5, "device": "auto"}
    result = nd.load("dissection/make-my photos")
    assert list(result.layers) == ["2"]
    assert (tmp_path / "dissection/make-my photos/html/index.html").is_file()
    assert "preview.html" in said
    code, _, said = dissect(*words)
    assert (code, made[1].calls, "already holds this run" in said) == (0, 0, True)


def test_a_limit_leaves_the_other_photos_unlabeled(dissect, monkeypatch, tmp_path):
    made = []
    monkeypatch.setattr(
        open_vocabulary, "load_open_vocabulary", lambda words, **more: made.append(Halves(words, **more)) or made[-1]
    )
    code, _, said = dissect("--layers", "last", "--words", "sky", "--limit", "2", "--no-pictures", "--out", "run")
    assert (code, made[0].calls) == (0, 2), said
    assert [folder.name for folder in (tmp_path / "dataset").iterdir() if folder.is_dir()] == ["my photos-sky-first-2"]


def test_a_folder_of_something_else_is_refused_before_anything_is_labeled(dissect, monkeypatch, tmp_path):
    monkeypatch.setattr(open_vocabulary, "load_open_vocabulary", lambda *_, **__: pytest.fail("it was loaded"))
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "diary.txt").write_text("mine")
    code, _, said = dissect("--layers", "last", "--words", "sky", "--out", "taken")
    assert code == 2 and "taken" in said


def test_a_segmenter_labels_with_its_own_classes(dissect, monkeypatch):
    monkeypatch.setattr(segmenters, "load_segmenter", lambda name, **more: Halves(["cat"], name=name, **more))
    assert dissect("--layers", "0", "--segmenter", "hf:some/model", "--no-pictures", "--probe-set", "labeled")[0] == 0
    assert "cat" in Broden(Path("labeled")).vocabulary.names


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--layers", "0"], "what is in the photos of my photos?"),
        (["--layers", "0", "--words", "a", "--segmenter", "b"], "give one of them"),
        (["--words", "a"], "which layers?"),
        (["--layers", "7", "--words", "a"], "has no layer '7'"),
    ],
)
def test_mistakes_are_told_before_anything_is_labeled(dissect, monkeypatch, tmp_path, words, said):
    monkeypatch.setattr(open_vocabulary, "load_open_vocabulary", lambda *_, **__: pytest.fail("labels were made"))
    code, _, error = dissect(*words)
    assert code == 2
    assert said in error
    assert not (tmp_path / "dataset").exists()
