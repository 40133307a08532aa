"""The batch size is chosen by what activations take and the device holds, recorded, and kept by a run that continues."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests import nets
from tests.small_runs import dissect_small, interrupt_run, read_tables
from torch import nn

from netdissect.errors import DataFileError, FolderTakenError
from netdissect.networks.load import wrap_module
from netdissect.networks.memory_use import MemoryUse, join_memory_uses
from netdissect.results.run_folder import FILE_LIST
from netdissect.run import batch_choice
from netdissect.run.batch_choice import GpuMeter, choose_batch_size, choose_for_cpu, grow_batch

MB = 2**20


@pytest.mark.parametrize(
    ("largest", "live", "plain", "keeping"),
    [
        (0, 0, 8, 16),
        (4 * MB, 8 * MB, 8, 16),  # 32 MB exactly
        (4 * MB + 1, 8 * MB, 4, 16),
        (3 * MB, 9 * MB, 4, 16),  # 72 MB live at once
        (13 * MB, 26 * MB, 2, 16),  # VGG-16 at 224 pixels
        (20 * MB, 40 * MB, 1, 8),
        (100 * MB, 200 * MB, 1, 2),
        (1000 * MB, 2000 * MB, 1, 1),
    ],
)
def test_on_a_cpu_a_batch_stays_in_the_process(largest, live, plain, keeping):
    memory = MemoryUse(largest, live)
    assert choose_for_cpu(memory, keeps_memory=False) == plain
    assert choose_for_cpu(memory, keeps_memory=True) == keeping


def test_without_knowledge_the_batch_has_its_default_size():
    assert choose_for_cpu(None, keeps_memory=False) == 8
    assert choose_for_cpu(None, keeps_memory=True) == 8
    unknown = SimpleNamespace()
    assert choose_batch_size(unknown, None, torch.device("cpu")) == 8
    assert choose_batch_size(unknown, None, torch.device("cuda")) == 32  # a cluster's GPU, not on this machine


def test_memory_is_measured_as_far_as_the_last_probed_layer():
    module = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(16, 8, 2, stride=2), nn.ReLU(),
        nn.Conv2d(8, 64, 1),
    )  # fmt: skip
    network = wrap_module(module)

    def measure(*layers):
        return network.probe(layers, (8, 8), geometry="grid", device=torch.device("cpu")).memory

    image, wide, narrow = 4 * 3 * 64, 4 * 16 * 64, 4 * 8 * 16
    assert measure("1") == (wide, image + wide)  # the ReLU is in place
    assert measure("2") == (wide, image + wide + narrow)
    assert measure("3") == (wide, image + wide + narrow)  # the first activations are freed by then
    assert measure("4") == (wide, image + wide + narrow) or measure("4").live >= image + 2 * narrow


def test_the_larger_of_several_uses_counts_and_an_unknown_one_hides_all():
    assert join_memory_uses([MemoryUse(3, 5), MemoryUse(4, 4)]) == (4, 5)
    assert join_memory_uses([MemoryUse(3, 5), None]) is None
    assert join_memory_uses([]) is None


class FakeMeter:
    """A device on which a batch of n images takes ``seconds(n)`` and n bytes."""

    def __init__(self, seconds, free=10**6, largest=10**6):
        self.seconds, self.free, self.largest, self.tried = seconds, free, largest, []

    def measure(self, images):
        self.tried.append(images)
        return None if images > self.largest else (self.seconds(images), images)

    def count_free(self):
        return self.free


def test_a_gpu_gets_larger_batches_until_they_no_longer_pay():
    busy = FakeMeter(lambda images: 1 + images / 1000)  # a fixed cost for each batch
    assert grow_batch(busy, 10**6) == 512
    soon_full = FakeMeter(lambda images: max(1.0, images / 64))
    assert grow_batch(soon_full, 10**6) == 64
    assert soon_full.tried == [32, 64, 128]
    assert grow_batch(FakeMeter(lambda images: images), 10**6) == 32


def test_a_batch_leaves_memory_for_the_scan():
    small = FakeMeter(lambda _: 1.0, free=400)
    assert grow_batch(small, 10**6) == 128  # 256 would take more than 40 % of 400
    assert small.tried == [32, 64, 128]
    assert grow_batch(FakeMeter(lambda _: 1.0, largest=100), 10**6) == 64
    assert grow_batch(FakeMeter(lambda _: 1.0, largest=1), 10**6) == 32  # the run says that memory ran out


def test_no_batch_is_much_larger_than_the_probe_set():
    meter = FakeMeter(lambda _: 1.0)
    assert grow_batch(meter, 60) == 64
    assert meter.tried == [32, 64]


def test_the_gpu_meter_reads_time_and_peak_memory(monkeypatch):
    calls, shapes = [], []
    for name in ("synchronize", "reset_peak_memory_stats", "empty_cache"):
        monkeypatch.setattr(torch.cuda, name, lambda *_, name=name: calls.append(name))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 100)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: 350)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (7, 9))
    source = SimpleNamespace(activations=lambda batch: shapes.append(batch.shape))
    meter = GpuMeter(source, np.zeros((4, 5, 3), np.uint8), torch.device("cuda"))
    seconds, taken = meter.measure(6)
    assert seconds > 0
    assert taken == 250
    assert shapes == [(6, 4, 5, 3)] * 4
    assert meter.count_free() == 7

    def run_out(_batch):
        raise torch.cuda.OutOfMemoryError("out of memory")

    assert GpuMeter(SimpleNamespace(activations=run_out), meter.image, meter.device).measure(6) is None
    assert "empty_cache" in calls


def test_on_a_gpu_whose_first_image_is_unreadable_the_run_reports_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    def refuse(_concepts, _image):
        raise DataFileError("image a.jpg does not decode")

    source = SimpleNamespace(model_input=refuse)
    assert choose_batch_size(source, None, torch.device("cuda")) == 32


def test_the_choice_is_recorded_and_the_same_run_keeps_it(data, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    first = dissect_small(data, folder, batch_size=None)
    assert first.settings.batch_size == 8
    assert "batch_size=8" in (folder / FILE_LIST).read_text().splitlines()[1]
    monkeypatch.setattr(batch_choice, "keeps_freed_memory", lambda: True)  # such as from the command line
    again = dissect_small(data, folder, batch_size=None)
    assert again.settings.batch_size == 8
    assert again.journal["finished"] == first.journal["finished"]
    with pytest.raises(FolderTakenError, match="--batch-size 8"):
        dissect_small(data, folder, batch_size=16)
    assert dissect_small(data, folder, batch_size=None, fresh=True).settings.batch_size == 16
    assert dissect_small(data, tmp_path / "other", batch_size=None).settings.batch_size == 16


def test_an_interrupted_run_continues_with_its_batch_size(data, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    interrupt_run(data, folder, 2, batch_size=None)
    monkeypatch.setattr(batch_choice, "keeps_freed_memory", lambda: True)
    result = dissect_small(data, folder, batch_size=None)
    assert result.settings.batch_size == 8
    assert result.journal["resumed_shards"] > 0
    whole = tmp_path / "whole"
    dissect_small(data, whole, batch_size=8)
    assert read_tables(folder) == read_tables(whole)


def test_runs_of_earlier_versions_are_recognized(data, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    without = {"null": 0, "resamples": 0}  # they measured neither chance nor uncertainty
    first = dissect_small(data, folder, batch_size=8, **without)
    lines = (folder / FILE_LIST).read_text().splitlines(keepends=True)
    lines[1] = lines[1].split(" batch_size")[0] + "\n"  # they recorded no choices
    (folder / FILE_LIST).write_text("".join(lines))
    monkeypatch.setattr(batch_choice, "keeps_freed_memory", lambda: True)
    again = dissect_small(data, folder, batch_size=None, **without)
    assert again.journal["finished"] == first.journal["finished"]


def test_another_runs_choice_is_not_adopted(data, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    dissect_small(data, folder, batch_size=None)
    monkeypatch.setattr(batch_choice, "keeps_freed_memory", lambda: True)
    with pytest.raises(FolderTakenError, match="other weights"):
        dissect_small(data, folder, batch_size=None, network=nets.make_small_net(seed=5))


@pytest.mark.parametrize("words", ["batch_size=0", "batch_size=x", "quantile=3", "="])
def test_a_damaged_record_is_no_choice(data, tmp_path, words):
    folder = tmp_path / "run"
    dissect_small(data, folder, batch_size=8)
    lines = (folder / FILE_LIST).read_text().splitlines(keepends=True)
    lines[1] = lines[1].split(" batch_size")[0] + f" {words}\n"
    (folder / FILE_LIST).write_text("".join(lines))
    assert dissect_small(data, folder, batch_size=None).settings.batch_size == 8
