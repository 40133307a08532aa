import sys

import pytest
import torch
from tests import small_training
from tests.small_training import LAYERS, OPTIONS, require_equal
from torch.nn import functional as F

import netdissect as nd
from netdissect.callbacks import Dissect
from netdissect.errors import ModelError

lightning = pytest.importorskip("lightning.pytorch")
pytestmark = pytest.mark.filterwarnings(
    "ignore::Warning"
)  # Lightning warns of loaders, loggers and its own dependencies


class Task(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.net = small_training.make_learner()

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, _):
        loss = F.cross_entropy(self.net(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD([p for p in self.parameters() if p.requires_grad], lr=0.05, momentum=0.9)


def make_loader():
    images, labels = torch.randn(12, 3, 32, 32, generator=torch.Generator().manual_seed(3)), torch.arange(12) % 3
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), batch_size=4, shuffle=True)


def fit(
    folder, watch=None, *, epochs=2, logger=False, task=None, library=lightning, checkpoint=None, more=(), **options
):
    task = task or Task()
    small_training.seed_all()
    trainer = library.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=logger, callbacks=[*([watch] if watch else []), *more], default_root_dir=folder,
        enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1, **{"enable_checkpointing": False, **options},
    )  # fmt: skip
    trainer.fit(task, make_loader(), ckpt_path=checkpoint)
    return task, trainer


def list_steps(watch):
    return [int(point.step) for point in watch.track.checkpoints]


@pytest.mark.parametrize("precision", [pytest.param("32-true", marks=pytest.mark.slow), "bf16-mixed"])
def test_a_training_with_dissections_ends_with_the_same_weights(data, tmp_path, precision):
    watch = Dissect(LAYERS, data, every_steps=2, network="net", preprocess=nd.Preprocess(), **OPTIONS)
    assert isinstance(watch, lightning.Callback)
    ours, _ = fit(tmp_path, watch, precision=precision)
    theirs, _ = fit(tmp_path, precision=precision)
    require_equal(ours, theirs)
    assert list_steps(watch) == [0, 2, 4, 6]
    alone = nd.dissect(
        ours.net, LAYERS, data, preprocess=nd.Preprocess(), **OPTIONS
    )  # in float32, whatever the training's precision
    assert (watch.result["last"].iou == alone["last"].iou).all()


def test_epochs_are_lightnings_and_dissections_go_to_its_loggers(data, tmp_path):
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

    watch = Dissect("net.conv", data, every_epochs=1, cards=0, **OPTIONS)
    loggers = [TensorBoardLogger(tmp_path / "board"), CSVLogger(tmp_path / "csv")]
    fit(tmp_path, watch, logger=loggers)
    assert list_steps(watch) == [0, 1, 2]
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(loggers[0].log_dir).Reload()
    assert [(event.step, event.value) for event in events.Scalars("netdissect/net.conv/unique_detectors")] == [
        (3 * epoch, entry.total) for epoch, entry in enumerate(watch.track.entries)
    ]
    assert [event.step for event in events.Images("netdissect/net.conv/bar_graph")] == [0, 3, 6]
    assert "netdissect/net.conv/detectors" in next(tmp_path.rglob("metrics.csv")).read_text().splitlines()[0]


@pytest.mark.slow
def test_a_resumed_training_continues_the_series(data, tmp_path):
    watch = Dissect("net.conv", data, every_steps=2, out=tmp_path / "out", **OPTIONS)
    _, trainer = fit(tmp_path, watch, epochs=1)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    watch = Dissect("net.conv", data, every_steps=2, out=tmp_path / "out", **OPTIONS)
    fit(tmp_path, watch, epochs=2, checkpoint=tmp_path / "last.ckpt")
    assert list_steps(watch) == [0, 2, 3, 4, 6]


def list_runs(folder):
    return {path.name: nd.load(path).network.fingerprint for path in sorted(folder.iterdir())}


def test_a_training_that_is_resumed_in_an_epoch_keeps_the_run_of_the_last_whole_one(data, tmp_path):
    class Saving(lightning.Callback):
        def on_train_batch_end(self, trainer, *_):
            if trainer.global_step == 4:
                trainer.save_checkpoint(tmp_path / "4.ckpt")

    watch = Dissect("net.conv", data, out=tmp_path / "out", **OPTIONS)
    fit(tmp_path, watch, more=[Saving()])
    before = list_runs(tmp_path / "out")
    assert list(before) == ["epoch-0", "epoch-1", "epoch-2"]
    watch = Dissect("net.conv", data, out=tmp_path / "out", **OPTIONS)
    fit(tmp_path, watch, checkpoint=tmp_path / "4.ckpt")
    assert list_steps(watch) == [0, 1, 2]
    assert list_runs(tmp_path / "out")["epoch-1"] == before["epoch-1"]


def test_a_wrong_layer_ends_the_training_before_its_first_step(data, tmp_path):
    task = Task()
    with pytest.raises(ModelError, match=r"net\.cnv"):
        fit(tmp_path, Dissect("net.cnv", data, **OPTIONS), task=task)
    require_equal(task, Task())


@pytest.mark.slow
def test_the_other_lightning_takes_the_same_callback(data, tmp_path):
    early = Dissect("conv", data, every_steps=2, **OPTIONS)
    library = pytest.importorskip("pytorch_lightning")

    class OtherTask(library.LightningModule):
        forward, training_step, configure_optimizers = Task.forward, Task.training_step, Task.configure_optimizers

        def __init__(self) -> None:
            super().__init__()
            self.net = small_training.make_learner()

    watch = Dissect("net.conv", data, every_steps=3, **OPTIONS)
    assert isinstance(watch, library.Callback) and isinstance(watch, lightning.Callback)
    fit(tmp_path, watch, library=library, task=OtherTask())
    assert list_steps(watch) == [0, 3, 6]
    assert early.state_key and isinstance(early, lightning.Callback)
    assert "transformers.trainer_callback" in sys.modules or not hasattr(early, "on_substep_end")
