import logging
import pickle

import pytest
import torch
from tests import small_training
from tests.small_training import LAYERS, OPTIONS, require_equal, train_plain
from torch import nn

import netdissect as nd
from netdissect.callbacks import Dissect
from netdissect.errors import DataNotFoundError, ModelError, SettingsError, UnknownLayerError
from netdissect.probe_sets.broden.reader import Broden


@pytest.fixture(scope="module")
def untouched():
    """A network that was trained without a callback."""
    return train_plain()


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A network that was trained with a callback, the callback, and its folder."""
    out = tmp_path_factory.mktemp("training") / "out"
    watch = Dissect(LAYERS, data, every_steps=2, out=out, preprocess=nd.Preprocess(), **OPTIONS)
    return train_plain(watch, steps=5), watch, out


def list_steps(watch):
    return [int(point.step) for point in watch.track.checkpoints]


def test_a_training_with_dissections_ends_with_the_same_weights(data, untouched):
    require_equal(train_plain(Dissect(LAYERS, data, every_steps=2, **OPTIONS)), untouched)


def test_the_start_every_few_steps_and_the_end_are_dissected_and_each_gets_a_run_folder(trained):
    module, watch, out = trained
    assert list_steps(watch) == [0, 2, 4, 5]
    assert sorted(path.name for path in out.iterdir()) == ["step-0", "step-2", "step-4", "step-5"]
    ours, last = (
        nd.load(out / "step-5"),
        nd.dissect(module, LAYERS, watch._concepts, preprocess=nd.Preprocess(), **OPTIONS),
    )
    for layer in LAYERS:
        assert (ours[layer].iou == last[layer].iou).all()
        assert (watch.result[layer].iou == last[layer].iou).all()
    assert ours.network.fingerprint == last.network.fingerprint != nd.load(out / "step-0").network.fingerprint
    assert not (out / "step-5" / "html").exists()


@pytest.mark.slow
def test_the_series_is_a_track(trained, tmp_path):
    _, watch, out = trained
    paths = watch.write_track(tmp_path / "training.svg")
    assert paths[0].name == "training.svg"
    tracked = nd.track(out)
    assert [point.step for point in tracked.checkpoints] == list_steps(watch)
    assert [entry.total for entry in tracked.entries] == [entry.total for entry in watch.track.entries]
    assert "every 2 steps" in repr(watch) and "step-4" in repr(watch)


def test_the_cost_is_measured_and_said(data, capfd):
    watch = Dissect("conv", data, every_steps=100, **OPTIONS)
    train_plain(watch, steps=2)
    assert watch.cost.dissections == 2
    assert 0 < watch.cost.seconds < watch.cost.training_seconds
    assert "netdissect: 2 dissections took " in capfd.readouterr().err


def test_epochs_are_counted_too(data):
    watch = Dissect("conv", data, every_epochs=1, **OPTIONS)
    train_plain(watch, steps=6, per_epoch=3)
    assert list_steps(watch) == [0, 1, 2]
    assert watch.track.axis == "epoch"
    assert Dissect("conv", data, **OPTIONS).unit == "epoch"


def test_images_are_decoded_once(data, monkeypatch):
    read = []
    plain = Broden.read_image
    monkeypatch.setattr(
        Broden, "read_image", lambda self, index, *size: read.append(index) or plain(self, index, *size)
    )
    watch = Dissect("conv", data, every_steps=1, **OPTIONS)
    train_plain(watch, steps=3)
    assert len(read) == len(set(read)) == 12
    assert watch.result["conv"].unit(1).strip() is not None  # the images can still be seen


def test_a_block_ends_with_a_dissection_and_without_start_the_first_step_is_the_first(data):
    module = small_training.make_learner()
    with Dissect("conv", data, every_steps=10, **OPTIONS) as watch:
        for _ in range(3):
            watch.step(module)
    assert list_steps(watch) == [1, 3]
    watch = Dissect("conv", data, every_steps=10, **OPTIONS)

    def fail():
        with watch:
            watch.step(module)
            watch.step(module)
            raise KeyError("the training's own")

    with pytest.raises(KeyError):
        fail()
    assert list_steps(watch) == [1]


def test_a_call_dissects_now(data):
    module = small_training.make_learner()
    watch = Dissect("conv", data, every_steps=10, **OPTIONS)
    assert watch(module, step=7) is watch.result is not None
    assert watch(module, step=7) is None
    watch(module, step=8)
    assert list_steps(watch) == [7, 8]


def compile_eagerly(module):
    return torch.compile(module, backend="eager")


@pytest.mark.parametrize(
    "wrap",
    [
        nn.DataParallel,
        pytest.param(compile_eagerly, marks=pytest.mark.slow),
        lambda module: nn.DataParallel(compile_eagerly(module)),
    ],
    ids=["data parallel", "compiled", "both"],
)
def test_layers_have_the_names_of_the_bare_network(data, wrap):
    watch = Dissect(LAYERS, data, every_steps=100, preprocess=nd.Preprocess(), **OPTIONS)
    module = small_training.make_learner()
    watch.start(wrap(module))
    assert list(watch.result.layers) == LAYERS
    assert (
        watch.result.network.fingerprint
        == nd.dissect(module, LAYERS, data, preprocess=nd.Preprocess(), **OPTIONS).network.fingerprint
    )


class Task(nn.Module):
    """A network inside a module that has no forward pass, such as a Lightning module."""

    def __init__(self) -> None:
        super().__init__()
        self.net = small_training.make_learner()


@pytest.mark.parametrize("part", ["net", lambda task: task.net])
def test_a_part_of_the_model_is_dissected(data, part):
    watch = Dissect(LAYERS, data, network=part, **OPTIONS)
    watch.start(Task())
    assert list(watch.result.layers) == LAYERS
    with pytest.raises(SettingsError, match="network='nett': Task has no such part: did you mean net"):
        Dissect(LAYERS, data, network="nett", **OPTIONS).start(Task())


def test_mistakes_are_told_before_the_training(data, tmp_path):
    module = small_training.make_learner()
    with pytest.raises(DataNotFoundError):
        Dissect("conv", tmp_path / "missing")
    with pytest.raises(SettingsError, match="there is no setting 'quantil'"):
        Dissect("conv", data, quantil=0.1)
    with pytest.raises(SettingsError, match="exclude each other"):
        Dissect("conv", data, every_steps=1, every_epochs=1)
    with pytest.raises(SettingsError, match="every_steps"):
        Dissect("conv", data, every_steps=0)
    with pytest.raises(SettingsError, match="log_to= takes a SummaryWriter"):
        Dissect("conv", data, log_to="tensorboard")
    with pytest.raises(UnknownLayerError, match="no layer 'cnv'"):
        Dissect("cnv", data, **OPTIONS).start(module)
    with pytest.raises(UnknownLayerError, match="no layer 'cnv'"):
        Dissect("cnv", data, every_steps=50, **OPTIONS).step(module)
    with pytest.raises(SettingsError, match="takes the torch.nn.Module that is trained"):
        Dissect("conv", data, **OPTIONS).start("resnet18")


def fail_after(monkeypatch, times):
    """Let dissections fail after some that succeed."""
    from netdissect import api

    plain, done = api.dissect_checked, []

    def dissect(*args, **options):
        done.append(1)
        if len(done) > times:
            raise RuntimeError("CUDA out of memory")
        return plain(*args, **options)

    monkeypatch.setattr(api, "dissect_checked", dissect)


def test_a_later_error_is_a_warning_and_the_training_goes_on(data, monkeypatch, caplog, untouched):
    fail_after(monkeypatch, 1)
    watch = Dissect(LAYERS, data, every_steps=2, **OPTIONS)
    require_equal(train_plain(watch), untouched)
    assert list_steps(watch) == [0]
    assert "step 2: the dissection failed (CUDA out of memory); the training goes on" in caplog.text
    assert caplog.text.count("goes on") == 3


def test_a_later_error_ends_the_training_on_request(data, monkeypatch):
    fail_after(monkeypatch, 1)
    with pytest.raises(RuntimeError, match="CUDA out of memory"):
        train_plain(Dissect(LAYERS, data, every_steps=2, on_failure="raise", **OPTIONS))


class Follower(Dissect):
    """A user's subclass."""


def test_a_callback_survives_pickling_in_the_middle_of_a_training(data):
    watch = Follower("conv", data, every_steps=2, **OPTIONS)
    watch.start(small_training.make_learner())
    watch.result = None
    again = pickle.loads(pickle.dumps(watch))
    assert isinstance(again, Follower)
    assert (again.every, list_steps(again), again._shared) == (2, [0], None)
    again.close()
    assert watch._shared is not None
    with pytest.raises(AttributeError, match="no attribute 'on_nothing'"):
        watch.on_nothing  # noqa: B018


class FullyShardedDataParallel(nn.Module):
    """What FSDP's class is called."""


def test_weights_that_are_split_over_processes_are_refused(data):
    with pytest.raises(ModelError, match="split over processes"):
        Dissect("conv", data, **OPTIONS).start(FullyShardedDataParallel())


def test_dissections_are_logged_as_lines(data, caplog):
    caplog.set_level(logging.INFO, "netdissect")
    Dissect(LAYERS, data, every_steps=2, **OPTIONS).start(small_training.make_learner())
    assert "step-0:" in caplog.text
    assert "units detect" in caplog.text
