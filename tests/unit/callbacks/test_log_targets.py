import json
import struct
from typing import ClassVar

import numpy as np
import pytest
from tests import made_up_runs, small_training
from tests.processes import wait_until
from tests.small_training import OPTIONS, train_plain

from netdissect.callbacks import Dissect
from netdissect.callbacks.log_images import draw_images
from netdissect.callbacks.log_numbers import collect_numbers
from netdissect.callbacks.log_targets import MlflowTarget
from netdissect.errors import SettingsError
from netdissect.experiments.track import TrackedRuns

UNIQUE = "netdissect/conv/unique_detectors"


def list_unique(watch):
    return [(int(point.step), point.counts["conv"].total) for point in watch.track.checkpoints]


def test_the_numbers_are_those_of_the_run_with_its_zeros():
    result = made_up_runs.make_run((24,), seed=1, trusted=True)[0]
    track = TrackedRuns()
    track.append(result)
    numbers = collect_numbers(result, track.checkpoints[0], 1.5)
    ((name, layer),) = result.layers.items()
    found, trust = layer.detectors(), layer.summarize_trust(0.04)
    assert numbers["netdissect/seconds"] == 1.5
    assert numbers[f"netdissect/{name}/unique_detectors"] == found.unique
    assert numbers[f"netdissect/{name}/detectors"] == found.units
    assert numbers[f"netdissect/{name}/unique_sd"] == trust.counts.unique_sd
    assert numbers[f"netdissect/{name}/times_chance"] == trust.times
    assert numbers[f"netdissect/{name}/beyond_chance"] == trust.beyond
    by_category = {
        kind: numbers[f"netdissect/{name}/by_category/{kind}"] for kind in result.probe_set.vocabulary.categories
    }
    assert {kind: units for kind, units in by_category.items() if units} == found.units_by_category
    assert 0.0 in by_category.values() or len(found.units_by_category) == len(by_category)


def test_the_images_show_bars_and_the_masks_of_the_best_units(data):
    watch = Dissect("conv", data, **OPTIONS)
    watch.start(small_training.make_learner())
    images = draw_images(watch.result, 2)
    assert list(images) == ["netdissect/conv/bar_graph", "netdissect/conv/unit_cards"]
    for image in images.values():
        assert (image.dtype, image.shape[2]) == (np.uint8, 3)
        assert image.min() < 50
        assert image.max() > 250
    assert (
        draw_images(watch.result, 1)["netdissect/conv/unit_cards"].shape[0]
        < images["netdissect/conv/unit_cards"].shape[0]
    )
    assert list(draw_images(watch.result, 0)) == ["netdissect/conv/bar_graph"]


@pytest.mark.slow
def test_tensorboard_gets_numbers_and_images(data, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(tmp_path))
    watch = Dissect("conv", data, every_steps=2, cards=1, log_to=writer, **OPTIONS)
    train_plain(watch, steps=4)
    writer.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in events.Scalars(UNIQUE)] == list_unique(watch)
    assert [event.step for event in events.Images("netdissect/conv/unit_cards")] == [0, 2, 4]
    assert events.Images("netdissect/conv/bar_graph")[0].encoded_image_string.startswith(b"\x89PNG")


def read_wandb_rows(folder):
    """Return the rows of an offline run of Weights & Biases, whose file has the format of LevelDB's logs."""
    from wandb.proto import wandb_internal_pb2 as records

    data, rows, place, whole = next(folder.rglob("*.wandb")).read_bytes(), [], 7, b""
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:  # no header has room in the rest of the block
            place += 32768 - place % 32768
            continue
        length, kind = struct.unpack_from("<HB", data, place + 4)
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # full, or the last part
            record = records.Record.FromString(whole)
            items = record.history.item if record.WhichOneof("record_type") == "history" else ()
            rows += (
                [{item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}]
                if items
                else []
            )
            whole = b""
    return rows


@pytest.mark.slow
def test_weights_and_biases_gets_them_beside_the_users_own_rows(data, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    for name, value in (("WANDB_MODE", "offline"), ("WANDB_SILENT", "true"), ("WANDB_DIR", str(tmp_path))):
        monkeypatch.setenv(name, value)
    run = wandb.init(dir=str(tmp_path), settings=wandb.Settings(console="off"))
    watch = Dissect("conv", data, every_steps=1, cards=1, log_to=run, **OPTIONS)
    module = small_training.make_learner()
    watch.start(module)
    for step in range(4):
        if step != 1:  # two dissections without a row of the user's between them
            run.log({"loss": step / 2})
        watch.step(module)
    run.finish()
    wait_until(lambda: read_wandb_rows(tmp_path), "the file of the run, which another process writes")
    rows = read_wandb_rows(tmp_path)
    assert [row["loss"] for row in rows if "loss" in row] == [0, 1, 1.5]
    assert [(row["netdissect/step"], row[UNIQUE]) for row in rows if UNIQUE in row] == list_unique(watch)
    assert sum("netdissect/conv/unit_cards/path" in row for row in rows) == 5
    assert len(list(tmp_path.rglob("*.png"))) >= 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # MLflow advises a database
def test_mlflow_gets_numbers_and_images(data, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    client = mlflow.MlflowClient()
    experiment = client.create_experiment("training", artifact_location=(tmp_path / "artifacts").as_uri())
    with mlflow.start_run(experiment_id=experiment) as run:
        watch = Dissect("conv", data, every_steps=2, log_to=mlflow, cards=0, **OPTIONS)
        train_plain(watch, steps=2)
    watch = Dissect("conv", data, every_steps=2, log_to=run, cards=0, **OPTIONS)
    watch(small_training.make_learner(), step=9)
    history = client.get_metric_history(run.info.run_id, UNIQUE)
    assert [point.step for point in history] == [0, 2, 9]
    assert len(list((tmp_path / "artifacts").rglob("bar_graph/step-*.png"))) == 3
    with pytest.raises(SettingsError, match=r"call mlflow\.start_run first"):
        Dissect("conv", data, log_to=mlflow, **OPTIONS).start(small_training.make_learner())


class Writer:
    """A SummaryWriter that fails from its so-manieth number on."""

    def __init__(self, most, message="disk is full"):
        self.most, self.message, self.steps = most, message, []

    def add_scalar(self, name, value, step):
        self.steps.append(step)
        if len(self.steps) > self.most:
            raise OSError(self.message)

    def add_image(self, *_, dataformats):
        assert dataformats == "HWC"

    def flush(self):
        pass


def test_a_logger_that_fails_later_is_a_warning_and_the_others_are_written(data, caplog):
    good = Writer(10**6)
    watch = Dissect(
        "conv", data, every_steps=1, cards=0, log_to=[Writer(20), good, Writer(20, "no network")], **OPTIONS
    )
    train_plain(watch, steps=3)
    assert [step for step, _ in list_unique(watch)] == [0, 1, 2, 3]
    assert sorted(set(good.steps)) == [0, 1, 2, 3]
    assert "it could not be logged (disk is full; no network); the training goes on" in caplog.text
    with pytest.raises(OSError, match="disk is full"):
        Dissect("conv", data, log_to=[Writer(0), good], **OPTIONS).start(small_training.make_learner())


def test_the_images_of_epochs_are_called_epochs(data):
    class Client:
        files: ClassVar[list[str]] = []

        def log_metric(self, *_, step):
            assert step == 3

        def log_image(self, run, image, artifact_file):
            self.files.append(artifact_file)

    watch = Dissect("conv", data, cards=0, **OPTIONS)
    watch._log_to._targets = [MlflowTarget(None, "run", Client())]
    watch(small_training.make_learner(), step=3)
    assert Client.files == ["netdissect/conv/bar_graph/epoch-3.png"]
