"""Passes with units removed against outputs worked out image by image; interrupted ones continue and give the same."""

from __future__ import annotations

import numpy as np
import pytest
from tests.fake_ablation import LinearNetwork, NoiseImages

from netdissect.engine import removal_passes
from netdissect.engine.removal_passes import RemovalPasses
from netdissect.runtime.array_store import Store
from netdissect.stats.removals import compute_margins

IMAGES = NoiseImages(100)
LABELS = np.random.default_rng(5).integers(0, 4, 100)
POSITIONS = np.flatnonzero(np.arange(100) % 3)
SETS = np.random.default_rng(6).random((5, 6)) < 0.4
VALUES = np.random.default_rng(7).random(6).astype(np.float32)


def open_passes(network, store, done=None):
    return RemovalPasses(network, IMAGES, LABELS, store, (lambda _: None) if done is None else done.append)


def work_out_outputs(network, sets):
    units = IMAGES.pixels[POSITIONS].reshape(len(POSITIONS), -1, 3).mean(1) / 255 @ network.inward
    return np.stack([np.where(row, VALUES, units) @ network.outward for row in sets])


def test_intact_outputs_and_means_are_those_of_every_image():
    network = LinearNetwork()
    with Store(budget=2**30) as store:
        outputs, mean = open_passes(network, store).measure(POSITIONS)
    assert outputs == pytest.approx(work_out_outputs(network, np.zeros((1, 6), bool))[0], abs=1e-5)
    units = IMAGES.pixels[POSITIONS].reshape(len(POSITIONS), -1, 3).mean(1) / 255 @ network.inward
    assert mean == pytest.approx(units.mean(0), abs=1e-6)


def test_margins_and_recognized_classes_are_those_of_every_image_and_set():
    network = LinearNetwork()
    with Store(budget=2**30) as store:
        margins, right = open_passes(network, store).remove("a", POSITIONS, SETS, VALUES)
    expected = work_out_outputs(network, SETS)
    assert margins == pytest.approx(compute_margins(expected, LABELS[POSITIONS]), abs=1e-5)
    assert (right == (expected.argmax(2) == LABELS[POSITIONS])).all()


def test_counts_are_those_of_recognized_classes():
    network = LinearNetwork()
    with Store(budget=2**30) as store:
        hits, predicted = open_passes(network, store).count_recognized("a", POSITIONS, SETS, VALUES)
    expected, own = work_out_outputs(network, SETS).argmax(2), LABELS[POSITIONS]
    for row in range(len(SETS)):
        assert predicted[row].tolist() == np.bincount(expected[row], minlength=4).tolist()
        assert hits[row].tolist() == np.bincount(own[expected[row] == own], minlength=4).tolist()


def test_an_interrupted_pass_continues_at_its_checkpoint_and_gives_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(removal_passes, "_CHECKPOINT", 64)
    whole = open_passes(LinearNetwork(), Store(budget=2**30))
    with pytest.raises(KeyboardInterrupt):
        open_passes(LinearNetwork(fail_after=40), Store(tmp_path / "key")).remove("a", POSITIONS, SETS, VALUES)
    network, done = LinearNetwork(), []
    again = open_passes(network, Store(tmp_path / "key"), done)
    margins, right = again.remove("a", POSITIONS, SETS, VALUES)
    assert network.images_run == len(POSITIONS) - 32
    assert sum(done) == len(POSITIONS)
    expected, recognized = whole.remove("a", POSITIONS, SETS, VALUES)
    assert (margins == expected).all() and (right == recognized).all()
    again.remove("a", POSITIONS, SETS, VALUES)
    assert network.images_run == len(POSITIONS) - 32, "a finished pass runs no image"


def test_an_interrupted_count_counts_no_image_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(removal_passes, "_CHECKPOINT", 64)
    with pytest.raises(KeyboardInterrupt):
        open_passes(LinearNetwork(fail_after=40), Store(tmp_path / "key")).count_recognized(
            "a", POSITIONS, SETS, VALUES
        )
    again = open_passes(LinearNetwork(), Store(tmp_path / "key")).count_recognized("a", POSITIONS, SETS, VALUES)
    whole = open_passes(LinearNetwork(), Store(budget=2**30)).count_recognized("a", POSITIONS, SETS, VALUES)
    assert (again[0] == whole[0]).all() and (again[1] == whole[1]).all()
    assert (again[1].sum(axis=1) == len(POSITIONS)).all()
