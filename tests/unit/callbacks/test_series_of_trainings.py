"""One folder, or one callback, and several trainings: resumed, begun anew, or refused."""

import shutil

import pytest
from tests import small_training
from tests.small_training import OPTIONS, train_plain

import netdissect as nd
from netdissect.callbacks import Dissect
from netdissect.errors import FolderTakenError, SettingsError


def watch_steps(data, out=None, **options):
    return Dissect("conv", data, out=out, **{"every_steps": 2, **OPTIONS, **options})


def list_steps(watch):
    return [int(point.step) for point in watch.track.checkpoints]


def list_runs(folder):
    return {path.name: nd.load(path).network.fingerprint for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def earlier(data, tmp_path_factory):
    """The folder of a training of five steps, which no test changes."""
    out = tmp_path_factory.mktemp("earlier") / "out"
    train_plain(watch_steps(data, out), steps=5)
    return out


@pytest.fixture
def out(earlier, tmp_path):
    shutil.copytree(earlier, tmp_path / "out")
    return tmp_path / "out"


def test_a_resumed_training_continues_the_series(data, out):
    before = list_runs(out)
    assert list(before) == ["step-0", "step-2", "step-4", "step-5"]
    watch = watch_steps(data, out)
    train_plain(watch, start=2, steps=4)  # from a checkpoint before the last dissections, with other weights
    assert list_steps(watch) == [0, 2, 4]
    after = list_runs(out)
    assert list(after) == ["step-0", "step-2", "step-4"]
    assert [after[name] == before[name] for name in after] == [True, False, False]
    with pytest.raises(SettingsError, match="with the same settings"):
        watch_steps(data, out, quantile=0.1).start(small_training.make_learner(), at=2)
    assert list_runs(out)["step-4"] == after["step-4"]


def test_a_new_training_does_not_mix_with_an_earlier_one(data, out):
    before, module = list_runs(out), small_training.make_learner(1)
    with pytest.raises(
        FolderTakenError, match=r"dissections of an earlier training \(step 0 to 5\), and this one is new"
    ):
        watch_steps(data, out).start(module)
    with pytest.raises(FolderTakenError, match=r"where the training is resumed with start\(model, at=\.\.\.\)"):
        watch_steps(data, out).step(module)
    with pytest.raises(FolderTakenError):
        watch_steps(data, out)(module, step=5)
    assert list_runs(out) == before


def test_a_fresh_training_replaces_all_runs_of_an_earlier_one(data, out):
    (out / "step-5/notes.txt").write_text("mine")
    (out / "step-x").mkdir()
    watch = watch_steps(data, out, fresh=True, every_steps=100)
    watch.start(small_training.make_learner(1))
    assert sorted(path.name for path in out.iterdir()) == ["step-0", "step-5", "step-x"]
    assert [path.name for path in (out / "step-5").iterdir()] == ["notes.txt"]
    assert [point.step for point in nd.track(out).checkpoints] == [0]


def test_a_fresh_training_that_fails_at_once_leaves_the_earlier_runs(data, out):
    before = list_runs(out)
    with pytest.raises(nd.NetdissectError):
        Dissect("cnv", data, out=out, every_steps=2, fresh=True, **OPTIONS).start(small_training.make_learner())
    assert list_runs(out) == before


def test_a_second_training_with_one_callback_is_another_series(data, tmp_path):
    watch = watch_steps(data, every_steps=100)
    with watch:
        watch.start(small_training.make_learner())
    first = watch.result.network.fingerprint
    with watch:
        watch.start(small_training.make_learner(1))
        watch.step(small_training.make_learner(2))
    assert list_steps(watch) == [0, 1]
    assert watch.cost.dissections == 2
    assert watch.result.network.fingerprint != first


def test_a_second_training_with_one_callback_does_not_replace_the_runs_of_the_first(data, tmp_path):
    watch, module = watch_steps(data, tmp_path / "out", every_steps=100), small_training.make_learner()
    with watch:
        watch.start(module)
    before = list_runs(tmp_path / "out")
    for begin in (watch.start, watch.step, watch):
        with pytest.raises(FolderTakenError, match="earlier training"):
            begin(small_training.make_learner(1))
    watch.finish(module)  # a second time, which does nothing
    assert list_runs(tmp_path / "out") == before
    assert list_steps(watch) == [0]
    with watch:
        watch.start(small_training.make_learner(1), at=3)
    assert list_steps(watch) == [0, 3]


def test_the_same_start_once_more_is_no_other_training(data, tmp_path):
    watch, module = watch_steps(data, tmp_path / "out"), small_training.make_learner()
    watch.start(module)
    watch.start(module)
    assert (list_steps(watch), watch.cost.dissections) == ([0], 1)


def test_a_training_that_is_resumed_in_an_epoch_is_dissected_at_its_end(data, tmp_path):
    out = tmp_path / "out"
    with Dissect("conv", data, out=out, **OPTIONS) as watch:
        for seed in range(4):
            watch(small_training.make_learner(seed), step=seed)
    before = list_runs(out)
    watch, module = Dissect("conv", data, out=out, **OPTIONS), small_training.make_learner(7)
    watch.begin(module, 1, is_resumed=True, is_between=True)
    assert (list_steps(watch), watch.cost.dissections) == ([0, 1], 0)
    assert list_runs(out) == before
    watch.epoch(module)
    after = list_runs(out)
    assert list(after) == ["epoch-0", "epoch-1", "epoch-2"]
    assert [after[name] == before[name] for name in after] == [True, True, False]
