"""A linear classifier on a layer's activations, beside its unique detectors."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tests.nets import make_small_net
from tests.small_probe_set import write_probe_set
from tests.small_runs import dissect_small

from netdissect.analyses import activation_pass
from netdissect.analyses.activation_pass import pool_cells
from netdissect.analyses.discriminate import discriminate
from netdissect.analyses.linear_probe import choose_classes, measure_accuracy, predict_held_out
from netdissect.cli.app import main
from netdissect.errors import RunFileError, RunNotFoundError, SettingsError, UnknownLayerError
from netdissect.results.discrimination import Discrimination, LayerDiscrimination, read_discrimination

pytest.importorskip("sklearn")


@pytest.fixture
def run(tmp_path):
    dissect_small(write_probe_set(tmp_path / "set", images=24), tmp_path / "run", null=0, resamples=0)
    return tmp_path / "run"


@pytest.fixture
def photos(tmp_path):
    """Three classes of images that differ in color, with noise."""
    rng = np.random.default_rng(0)
    for label, color in {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200)}.items():
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(12):
            noise = rng.normal(0, 10, (32, 32, 3))
            pixels = (np.array(color) + noise).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{number}.png")
    return tmp_path / "photos"


def make_features(rng, labels, shift):
    return (rng.normal(size=(labels.size, 6)) + shift * np.eye(6)[labels]).astype(np.float32)


def test_separable_classes_are_told_apart_and_noise_is_not():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 50)
    clear = measure_accuracy(predict_held_out(make_features(rng, labels, 8), labels, 5, 0), labels)
    noise = measure_accuracy(predict_held_out(make_features(rng, labels, 0), labels, 5, 0), labels)
    assert clear.mean > 0.99
    assert abs(noise.mean - 0.25) < 4 * noise.sd


def test_copies_of_an_image_do_not_leak_into_other_folds():
    """Noise is memorized where copies lie in other folds, and is not where copies are one group."""
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(40), 5)
    labels = np.repeat(rng.permutation(np.repeat([0, 1], 20)), 5)
    features = np.repeat(rng.normal(size=(40, 60)), 5, axis=0).astype(np.float32)
    leaking = measure_accuracy(predict_held_out(features, labels, 5, 0), labels)
    grouped = measure_accuracy(predict_held_out(features, labels, 5, 0, groups), labels)
    assert leaking.mean > 0.95
    assert grouped.mean < 0.75


def test_accuracy_is_averaged_over_classes():
    predicted, labels = np.array([0, 0, 0, 1, 0]), np.array([0, 0, 0, 0, 1])
    found = measure_accuracy(predicted, labels)
    assert (found.mean, found.overall) == (0.375, 0.6)
    assert found.sd == pytest.approx(np.sqrt(0.75 * 0.25 / 4) / 2)


def test_constant_features_are_no_error():
    labels = np.repeat([0, 1], 10)
    features = np.stack([np.ones(20), np.repeat([0.0, 5.0], 10)], axis=1).astype(np.float32)
    assert (predict_held_out(features, labels, 2, 0) == labels).all()


def test_classes_with_too_few_images_are_left_out():
    labels = np.array([0] * 5 + [1] * 5 + [2] * 2 + [-1] * 3)
    found, notes = choose_classes(labels, ("a", "b", "c", "d"), 5)
    assert found.tolist() == list(range(10))
    assert notes == ["1 class has fewer than 5 images and is left out: c"]
    with pytest.raises(SettingsError, match="needs two classes of at least 6 images"):
        choose_classes(labels, ("a", "b", "c", "d"), 6)


def test_features_are_means_and_maxima_over_cells():
    cells = torch.arange(24, dtype=torch.float32).reshape(1, 2, 3, 4)
    assert pool_cells(cells).tolist() == [[10, 11, 12, 13, 20, 21, 22, 23]]


def test_an_answer_is_written_beside_the_run_and_read_back(run, photos):
    answer = discriminate(run, make_small_net(), photos, folds=3)
    assert (answer.images, answer.classes, answer.folds, answer.chance) == (36, 3, 3, 1 / 3)
    assert [layer.layer for layer in answer.layers] == ["conv1", "conv2"]
    assert answer.layers[0].accuracy == 1.0
    assert answer.layers[0].unique_sd is None
    assert read_discrimination(run) == answer
    rows = list(csv.DictReader((run / "discrimination.csv").read_text().splitlines()))
    assert [float(row["accuracy"]) for row in rows] == [layer.accuracy for layer in answer.layers]
    assert list(answer.get_column("layer").cells) == [row["layer"] for row in rows]
    assert answer.to_pandas()["accuracy"].tolist() == [layer.accuracy for layer in answer.layers]
    assert (run / "discrimination.svg").read_text().startswith("<?xml")
    assert {"discrimination.json", "discrimination.csv", "discrimination.png", "discrimination.svg"} <= set(
        (run / "files.txt").read_text().splitlines()
    )
    assert not (run / ".work").exists()


def test_detectors_are_those_of_the_run(run, photos):
    import netdissect as nd

    result = nd.load(run)
    answer = discriminate(result, make_small_net(), photos, layers="conv2")
    detectors = result["conv2"].detectors(result.settings.threshold)
    assert answer.layers[0].detectors == detectors.units
    assert answer.layers[0].unique_detectors == detectors.unique
    assert not (run / "discrimination.json").exists()


def test_an_interrupted_pass_goes_on_where_it_was(run, photos, monkeypatch):
    monkeypatch.setattr(activation_pass, "PART_IMAGES", 8)
    calls = []

    class Stopping:
        def start(self, task, total):
            calls.append((task, total))

        def advance(self, steps):
            calls.append(steps)
            if len(calls) == 6:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        discriminate(run, make_small_net(), photos, folds=3, progress=Stopping())
    stored = sorted(path.name for path in (run / ".work").glob("features-*/*"))
    assert stored
    stamps = [path.stat().st_mtime_ns for path in sorted((run / ".work").glob("features-*/*"))]

    class Counting:
        def start(self, task, total):
            after = [path.stat().st_mtime_ns for path in sorted((run / ".work").glob("features-*/*"))]
            assert after[: len(stamps)] == stamps

        def advance(self, steps): ...

    resumed = discriminate(run, make_small_net(), photos, folds=3, progress=Counting())
    assert not (run / ".work").exists()
    assert resumed == discriminate(run, make_small_net(), photos, folds=3)


def test_networks_are_compared_over_the_same_images_only(run, photos, tmp_path):
    discriminate(run, make_small_net(), photos, folds=3)
    other = tmp_path / "other"
    dissect_small(tmp_path / "set", other, network=make_small_net(1), null=0, resamples=0)
    with pytest.raises(SettingsError, match="other images or folds"):
        discriminate(other, make_small_net(1), photos, folds=4, beside=[run])
    discriminate(other, make_small_net(1), photos, folds=3, beside=[run])
    assert len(list(csv.DictReader((other / "discrimination.csv").read_text().splitlines()))) == 4
    with pytest.raises(RunNotFoundError, match=r"holds no discrimination.json"):
        discriminate(other, make_small_net(1), photos, folds=3, beside=[photos])


def test_wrong_calls_are_refused_in_a_sentence(run, photos):
    with pytest.raises(SettingsError, match="is not the network of this run"):
        discriminate(run, make_small_net(1), photos)
    with pytest.raises(UnknownLayerError, match="no layer 'conv9'"):
        discriminate(run, make_small_net(), photos, layers=["conv9"])
    with pytest.raises(SettingsError, match="--folds must be at least 2"):
        discriminate(run, make_small_net(), photos, folds=1)


ANSWER = Discrimination(
    "net", "photos", "f", 10, 2, 5, 0, 0.04, (LayerDiscrimination("conv1", 5, 0.9, 0.01, 0.9, 4, 3, 0.5, 1),)
)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"classes": 0},
        {"layers": []},
        {"layers": [{"layer": "conv1"}]},
        {"images": "10"},
        {"threshold": None},
        {"notes": 5},
        {"more": 1},
    ],
)
def test_a_damaged_answer_is_refused(tmp_path, change):
    ANSWER.save(tmp_path)
    assert read_discrimination(tmp_path) == ANSWER
    record = json.loads((tmp_path / "discrimination.json").read_text())
    (tmp_path / "discrimination.json").write_text(json.dumps(record | change))
    with pytest.raises(RunFileError, match="is damaged"):
        read_discrimination(tmp_path)


def test_an_answer_is_described_in_sentences():
    assert ANSWER.describe() == [
        "linear classifier on 10 images of 2 classes of photos, 5 folds; chance is 50.0 %",
        "  conv1: accuracy 90.0 ± 1.0 %, 3 ± 0.5 unique detectors",
    ]
    alone = replace(ANSWER, layers=(replace(ANSWER.layers[0], unique_sd=None),))
    assert alone.describe()[1].endswith(", 3 unique detectors")


def test_the_command_asks_for_the_network_of_a_run(run, photos, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["discriminate", str(run), "--data", str(photos)])
    assert stop.value.code == 2
    assert "which network?" in capsys.readouterr().err


def test_names_of_near_points_do_not_cover_each_other():
    from netdissect.report.figures import style
    from netdissect.report.figures.discrimination_graph import _label_points

    with style.open_figure("text", 22) as (figure, (axes,)):
        axes.set_xlim(0, 60)
        axes.set_ylim(0, 102)
        points = [(f"layer{at}", 50 + at, 95 + at / 2, "k") for at in range(4)]
        _label_points(axes, points)
        boxes = [text.get_window_extent(figure.canvas.get_renderer()) for text in axes.texts]
        assert [text.get_text() for text in axes.texts] == [name for name, *_ in points]
        assert not any(one.overlaps(other) for at, one in enumerate(boxes) for other in boxes[:at])
