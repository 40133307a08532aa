"""Exports of activations, per-image counts, quantiles and maxima, checked against the run's own tables."""

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from tests.nets import make_small_net
from tests.small_probe_set import write_probe_set
from tests.small_runs import dissect_small

import netdissect as nd
from netdissect.analyses import activation_pass
from netdissect.analyses.export import export_activations
from netdissect.analyses.export_parts import compute_quantiles
from netdissect.errors import ActivationError, FolderTakenError, SettingsError


@pytest.fixture
def run(tmp_path):
    data = write_probe_set(tmp_path / "set", images=21)
    # The last bits of activations depend on the other images of a batch, so that exact comparisons take batches of one.
    dissect_small(data, tmp_path / "run", null=0, resamples=0, image_maxima=True, quantiles=(0.2,), batch_size=1)
    return tmp_path / "run"


def compute_activations(run, layer):
    """Return the layer's activations of every image, computed by torch alone."""
    net, probe_set = make_small_net(), nd.load(run).open_probe_set()
    batch = np.stack([probe_set.read_image(image) for image in range(len(probe_set))]) / np.float32(255)
    mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    x = torch.from_numpy(((batch - mean) / std).transpose(0, 3, 1, 2).astype(np.float32))
    found = {}
    for name, module in net.named_modules():
        module.register_forward_hook(lambda _, __, y, name=name: found.setdefault(name, y.detach().clone()))
    with torch.no_grad():
        net(x)
    return found[layer].numpy()


def test_activations_are_those_of_the_network_and_can_be_mapped(run, tmp_path):
    out = export_activations(run, make_small_net(), out=tmp_path / "out", layers="conv2")
    values = np.load(out / "conv2-activations.npy", mmap_mode="r")
    assert (values.shape, values.dtype) == ((21, 8, 8, 8), np.float32)
    np.testing.assert_allclose(values, compute_activations(run, "conv2"), atol=1e-5)
    lines = list(csv.DictReader((out / "images.csv").read_text().splitlines()))
    probe_set = nd.load(run).open_probe_set()
    assert [int(line["row"]) for line in lines] == [probe_set.row(at) for at in range(21)]
    assert [line["image"] for line in lines] == [probe_set.image_name(at) for at in range(21)]
    record = json.loads((out / "export.json").read_text())
    assert record["finished"]
    assert record["layers"]["conv2"]["shape"] == [21, 8, 8, 8]
    assert sorted(path.name for path in out.iterdir() if path.name != ".lock") == [
        "conv2-activations.npy", "export.json", "images.csv",
    ]  # fmt: skip


def test_parquet_has_the_same_activations(run, tmp_path, monkeypatch):
    monkeypatch.setattr(activation_pass, "PART_IMAGES", 8)
    export_activations(run, make_small_net(), out=tmp_path / "npy", layers="conv1")
    out = export_activations(run, make_small_net(), out=tmp_path / "out", layers="conv1", activations="parquet")
    file = pq.ParquetFile(out / "conv1-activations.parquet")
    assert file.metadata.num_row_groups == 3
    table = file.read()
    values = table["activations"].combine_chunks().flatten().to_numpy().reshape(21, 5, 16, 16)
    assert np.array_equal(values, np.load(tmp_path / "npy" / "conv1-activations.npy"))
    file.close()


def test_counts_of_images_add_up_to_those_of_the_run(run, tmp_path):
    """Over the images that have the category of the label, counts of single images are I, A and G exactly."""
    result = nd.load(run)
    out = export_activations(run, make_small_net(), out=tmp_path / "out", activations=None, counts=True)
    for name, layer in result.layers.items():
        table = pq.read_table(out / f"{name}-image-counts.parquet")
        units = layer.layer.units
        columns = {
            key: table[key].to_numpy().reshape(21, units) for key in ("mask_pixels", "label_pixels", "both_pixels")
        }
        counted = table["counted"].to_numpy(zero_copy_only=False).reshape(21, units)
        assert table["unit"].to_numpy().reshape(21, units)[0].tolist() == list(range(1, units + 1))
        labeled = np.flatnonzero(layer.labels >= 0)
        at = layer.labels[labeled]
        assert labeled.size
        assert ((columns["mask_pixels"] * counted).sum(0)[labeled] == layer.counts.A[labeled, at]).all()
        assert (columns["both_pixels"].sum(0)[labeled] == layer.counts.I[labeled, at]).all()
        assert (columns["label_pixels"].sum(0)[labeled] == layer.counts.G[at]).all()
        names = table["label"].to_pylist()[:units]
        assert [names[unit] for unit in labeled] == [layer.vocabulary.names[column] for column in at]


def test_quantiles_are_exact_and_maxima_those_of_the_run(run, tmp_path):
    result = nd.load(run)
    out = export_activations(run, make_small_net(), out=tmp_path / "out", activations=None, quantiles=True, maxima=True)
    assert not (out / "conv1-activations.npy").exists()
    for name, layer in result.layers.items():
        lines = csv.DictReader((out / f"{name}-activation-quantiles.csv").read_text().splitlines())
        found = {(int(line["unit"]), float(line["fraction_above"])): np.float32(line["activation"]) for line in lines}
        units = range(1, layer.layer.units + 1)
        assert [found[unit, 0.05] for unit in units] == layer.thresholds.tolist()
        assert [found[unit, 0.2] for unit in units] == layer.at_quantile(0.2).thresholds.tolist()
        assert [found[unit, 0.0] for unit in units] == layer.activity.maximum.tolist()
        maxima = pq.read_table(out / f"{name}-image-maxima.parquet")
        assert maxima.column_names == [str(unit) for unit in units]
        assert np.array_equal(np.stack([maxima[str(unit)].to_numpy() for unit in units], axis=1), layer.image_maxima)


def test_quantiles_are_positions_in_falling_order():
    values = np.arange(10, dtype=np.float32).reshape(5, 1, 2, 1)
    assert compute_quantiles(values, (0.0, 0.1, 0.25, 1.0)).tolist() == [[9, 8, 7, 0]]


def test_any_folder_of_images_can_be_exported(run, tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(3):
        Image.new("RGB", (20 + number, 30), (9, 9, 9)).save(tmp_path / "photos" / f"{number}.png")
    out = export_activations(run, make_small_net(), tmp_path / "photos", out=tmp_path / "out", limit=2)
    assert np.load(out / "conv1-activations.npy").shape == (2, 5, 16, 16)
    with pytest.raises(SettingsError, match="data= takes|is not the probe set|there is no|expected"):
        export_activations(run, make_small_net(), [1], out=tmp_path / "more", counts=True)


def test_an_interrupted_export_goes_on_and_gives_the_same_files(run, tmp_path, monkeypatch):
    monkeypatch.setattr(activation_pass, "PART_IMAGES", 8)
    options = {"counts": True, "maxima": True, "quantiles": True}

    class Stopping:
        done = 0

        def start(self, task, total): ...

        def advance(self, steps):
            self.done += steps
            if self.done >= 16:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_activations(run, make_small_net(), out=tmp_path / "out", progress=Stopping(), **options)
    assert not json.loads((tmp_path / "out" / "export.json").read_text())["finished"]
    stored = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / ".work").rglob("*.arrays")}
    assert len(stored) == 2
    with pytest.raises(FolderTakenError, match="holds another export"):
        export_activations(run, make_small_net(), out=tmp_path / "out", maxima=True)
    read = []
    original = activation_pass.ActivationPass.run
    monkeypatch.setattr(
        activation_pass.ActivationPass, "run", lambda self, images, log: read.append(images.size) or original(self, images, log)
    )  # fmt: skip
    export_activations(run, make_small_net(), out=tmp_path / "out", **options)
    assert read == [5]
    export_activations(run, make_small_net(), out=tmp_path / "whole", **options)
    names = sorted(path.name for path in (tmp_path / "out").iterdir() if path.name != ".lock")
    assert names == sorted(path.name for path in (tmp_path / "whole").iterdir() if path.name != ".lock")
    for name in names:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    read.clear()
    export_activations(run, make_small_net(), out=tmp_path / "out", **options)
    assert read == []


def test_a_folder_with_something_else_is_left_as_it_is(run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("text")
    with pytest.raises(FolderTakenError, match="thesis.txt"):
        export_activations(run, make_small_net(), out=tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_an_export_of_nothing_is_refused(run, tmp_path):
    with pytest.raises(SettingsError, match="nothing is to be exported"):
        export_activations(run, make_small_net(), out=tmp_path / "out", activations=None)
    assert not (tmp_path / "out").exists()


def test_the_command_writes_the_same_files(tmp_path, capsys):
    from netdissect.cli.app import main

    with pytest.raises(SystemExit) as stop:
        main(["export", str(tmp_path / "none"), "--out", str(tmp_path / "out"), "--maxima"])
    assert stop.value.code == 2
    assert "expected a folder that netdissect run wrote" in capsys.readouterr().err


def test_an_activation_that_is_nan_names_layer_unit_and_image(run, tmp_path):
    net = make_small_net()
    batches = []

    def spoil(_, __, output):
        batches.append(len(output))
        if sum(batches) > 4:
            output[0, 2, 0, 0] = float("nan")

    result = nd.load(run)
    probed = export_activations(result, net, out=tmp_path / "good", layers="conv1", limit=2)
    assert probed.is_dir()
    net.conv1.register_forward_hook(spoil)
    with pytest.raises(ActivationError, match=r"conv1.*unit 3"):
        export_activations(result, net, out=tmp_path / "bad", layers="conv1", limit=10)
