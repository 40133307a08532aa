from types import SimpleNamespace

import pytest
import torch
from tests import small_training
from tests.small_training import LAYERS, OPTIONS, require_equal
from torch import nn
from torch.nn import functional as F

import netdissect as nd
from netdissect.callbacks import Dissect
from netdissect.errors import FolderTakenError, ModelError

transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = small_training.make_learner()

    def forward(self, pixel_values, labels=None):
        logits = self.net(pixel_values)
        return {"loss": F.cross_entropy(logits, labels), "logits": logits} if labels is not None else {"logits": logits}


def make_images():
    images = torch.randn(12, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    return [{"pixel_values": image, "labels": number % 3} for number, image in enumerate(images)]


def train(folder, watch=None, *, model=None, epochs=2, resume=None, **options):
    model = model or Classifier()
    small_training.seed_all()
    settings = {
        "output_dir": str(folder / "trainer"), "num_train_epochs": epochs, "per_device_train_batch_size": 4, "use_cpu": True, "report_to": [],
        "save_strategy": "no", "disable_tqdm": True, "logging_steps": 1, "learning_rate": 0.01, "dataloader_pin_memory": False,
    }  # fmt: skip
    arguments = transformers.TrainingArguments(**{**settings, **options})
    trainer = transformers.Trainer(
        model, arguments, train_dataset=make_images(), eval_dataset=make_images(), callbacks=[watch] if watch else []
    )
    trainer.train(resume_from_checkpoint=resume)
    return model


def list_steps(watch):
    return [int(point.step) for point in watch.track.checkpoints]


@pytest.mark.slow
@pytest.mark.parametrize("bf16", [False, True])
def test_a_training_with_dissections_ends_with_the_same_weights(data, tmp_path, bf16):
    watch = Dissect(["net.conv", "net.last"], data, every_steps=4, preprocess=nd.Preprocess(), **OPTIONS)
    ours = train(tmp_path, watch, bf16=bf16)
    require_equal(ours, train(tmp_path, bf16=bf16))
    assert list_steps(watch) == [0, 4, 6]
    alone = nd.dissect(
        ours.net, LAYERS, data, preprocess=nd.Preprocess(), **OPTIONS
    )  # in float32, whatever the training's precision
    assert (watch.result["net.last"].iou == alone["last"].iou).all()


def test_epochs_are_the_trainers_and_dissections_go_to_tensorboard(data, tmp_path):
    watch = Dissect("net.conv", data, every_epochs=1, cards=0, **OPTIONS)
    train(tmp_path, watch, report_to=["tensorboard"])
    assert list_steps(watch) == [0, 1, 2]
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "trainer" / "runs" / "netdissect")).Reload()
    found = [(event.step, event.value) for event in events.Scalars("netdissect/net.conv/unique_detectors")]
    assert found == [(3 * epoch, entry.total) for epoch, entry in enumerate(watch.track.entries)]


@pytest.mark.slow
def test_a_resumed_training_continues_the_series(data, tmp_path):
    train(
        tmp_path,
        Dissect("net.conv", data, every_steps=2, out=tmp_path / "out", **OPTIONS),
        epochs=1,
        save_strategy="epoch",
    )
    watch = Dissect("net.conv", data, every_steps=2, out=tmp_path / "out", **OPTIONS)
    train(tmp_path, watch, resume=True)
    assert list_steps(watch) == [0, 2, 3, 4, 6]


def list_runs(folder):
    return {path.name: nd.load(path).network.fingerprint for path in sorted(folder.iterdir())}


def test_a_training_that_is_resumed_in_an_epoch_keeps_the_run_of_the_last_whole_one(data, tmp_path):
    saved = {"save_strategy": "steps", "save_steps": 4}
    train(tmp_path, Dissect("net.conv", data, out=tmp_path / "out", **OPTIONS), **saved)
    before = list_runs(tmp_path / "out")
    assert list(before) == ["epoch-0", "epoch-1", "epoch-2"]
    watch = Dissect("net.conv", data, out=tmp_path / "out", **OPTIONS)
    train(tmp_path, watch, model=Classifier(), resume=str(tmp_path / "trainer/checkpoint-4"))
    assert list_steps(watch) == [0, 1, 2]
    assert watch.cost.dissections == 1
    after = list_runs(tmp_path / "out")
    assert after["epoch-1"] == before["epoch-1"]


def test_a_second_training_of_one_trainer_does_not_replace_the_runs_of_the_first(data, tmp_path):
    watch = Dissect("net.conv", data, every_steps=100, out=tmp_path / "out", **OPTIONS)
    model = train(tmp_path, watch, max_steps=1)
    before = list_runs(tmp_path / "out")
    with pytest.raises(FolderTakenError, match="earlier training"):
        train(tmp_path, watch, model=model, max_steps=1)
    assert list_runs(tmp_path / "out") == before


@pytest.mark.parametrize("log_to", [None, ()])
def test_the_users_logging_folder_is_taken_and_only_if_something_is_logged(data, tmp_path, log_to):
    pytest.importorskip("tensorboard")
    watch, model = Dissect("net.conv", data, every_steps=100, log_to=log_to, cards=0, **OPTIONS), Classifier()
    state = SimpleNamespace(is_world_process_zero=True, global_step=0, epoch=0)
    arguments = SimpleNamespace(
        report_to=["tensorboard"], logging_dir=str(tmp_path / "mine"), load_best_model_at_end=False
    )
    for _ in range(2):
        watch.on_train_begin(arguments, state, None, model=model)
        watch.on_train_end(arguments, state, None, model=model)
    found = list(tmp_path.rglob("events.*"))
    assert {path.parent for path in found} == (set() if log_to == () else {tmp_path / "mine/netdissect"})
    assert all(target._writer is None for target in watch._log_to._targets)  # closed


@pytest.mark.slow
def test_the_best_weights_are_not_taken_for_the_last(data, tmp_path):
    watch = Dissect("net.conv", data, every_steps=4, **OPTIONS)
    best = {
        "load_best_model_at_end": True,
        "metric_for_best_model": "loss",
        "greater_is_better": True,
    }  # the first is the best
    saved = {"eval_strategy": "steps", "eval_steps": 2, "save_strategy": "steps", "save_steps": 2}
    model = train(tmp_path, watch, max_steps=6, **best, **saved)
    assert list_steps(watch) == [0, 4, 6]
    plain = train(tmp_path / "plain", max_steps=6, **saved)
    assert not torch.equal(model.net.conv.weight, plain.net.conv.weight)
    assert watch.result.network.fingerprint == nd.dissect(plain, "net.conv", data, **OPTIONS).network.fingerprint


def test_a_wrong_layer_ends_the_training_before_its_first_step(data, tmp_path):
    with pytest.raises(ModelError, match=r"net\.cnv"):
        train(tmp_path, Dissect("net.cnv", data, **OPTIONS))


def test_a_vision_transformer_is_dissected_by_its_own_names(data, tmp_path):
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        num_labels=3,
    )
    torch.manual_seed(0)
    model = transformers.ViTForImageClassification(config)
    layer = next(name for name, _ in model.named_modules() if name.startswith("vit.") and name.endswith(".0"))
    watch = Dissect(layer, data, every_steps=100, **OPTIONS)
    train(tmp_path, watch, model=model, max_steps=1)
    assert list_steps(watch) == [0, 1]
    assert watch.result[layer].layer.units == 16
