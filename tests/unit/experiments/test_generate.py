"""A generator's units are labeled with what they draw."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests import painter
from tests.oracle import dissection as oracle
from torch import nn

import netdissect as nd
from netdissect.errors import DataFileError, ModelError, SettingsError
from netdissect.experiments.generate import ImageLabeler, generate_probe_set
from netdissect.networks.units.generator import Generator
from netdissect.probe_sets.broden.reader import LATENTS_FILE, Broden

OPTIONS = {"quantile": 0.06, "batch_size": 4, "images_per_unit": 3}
LABELER = ImageLabeler(painter.label_squares, painter.CLASSES, "a rule of colors")


@pytest.fixture(scope="module")
def generator():
    return Generator(painter.Painter(), latent=(5,))


@pytest.fixture(scope="module")
def data(generator, tmp_path_factory):
    out = tmp_path_factory.mktemp("generated") / "painted"
    return generate_probe_set(generator, LABELER, out, images=24, seed=3, batch_size=7, preview=0, colors=False)


def test_every_image_keeps_its_latent(generator, data):
    probe_set = Broden(data)
    assert len(probe_set) == 24
    assert probe_set.image_size == (32, 32)
    for index in range(len(probe_set)):
        image = generator.make_images(probe_set.latent(index)[None])[0].astype(int)
        assert np.abs(probe_set.read_image(index).astype(int) - image).mean() < 12  # a JPEG


def test_units_are_named_after_what_they_draw(generator, data, tmp_path):
    result = nd.dissect(generator, ["canvas"], data, out=tmp_path / "run", **OPTIONS)
    assert [unit.label for unit in sorted(result["canvas"].units, key=lambda unit: unit.unit)] == painter.CLASSES
    assert min(unit.score for unit in result["canvas"].units) > 0.3
    assert result.network.preprocessing == "latents as they are"
    assert (tmp_path / "run" / "html" / "index.html").is_file()


def test_counts_equal_those_of_a_naive_dissection(generator, data):
    probe_set = Broden(data)
    latents = np.stack([probe_set.latent(index) for index in range(len(probe_set))])
    seen = []
    handle = generator.module.canvas.register_forward_hook(lambda *call: seen.append(call[2].detach().numpy()))
    generator.module(torch.from_numpy(latents))
    handle.remove()
    found = nd.dissect(generator, ["canvas"], data, pictures=False, **OPTIONS)["canvas"]
    entries = [probe_set.read_labels(index) for index in range(len(probe_set))]
    truth = oracle.dissect(
        seen[0], [(entry.planes, entry.whole) for entry in entries], probe_set.vocabulary.primary,
        len(probe_set.vocabulary.categories), found.layer.field, (32, 32), "0.06", k=3,
    )  # fmt: skip
    np.testing.assert_array_equal(found.thresholds, truth.thresholds)
    np.testing.assert_array_equal(found.counts.I, truth.I)
    np.testing.assert_array_equal(found.counts.A, truth.A)
    np.testing.assert_array_equal(found.counts.G, truth.G)


def test_two_workers_write_the_same_bytes(generator, data, tmp_path):
    for workers in (1, 2):
        nd.dissect(generator, ["canvas"], data, out=tmp_path / str(workers), workers=workers, threads=1,
                   pictures=False, **OPTIONS)  # fmt: skip
    name = "canvas.parquet"
    assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_a_function_that_returns_a_generator_is_a_model(data, tmp_path, monkeypatch):
    text = "from tests import painter\nfrom netdissect.networks.units.generator import Generator\n"
    (tmp_path / "my_gan.py").write_text(text + "def generator():\n    return Generator(painter.Painter(), (5,))\n")
    monkeypatch.chdir(tmp_path)
    result = nd.dissect("python:my_gan:generator", ["canvas"], data, pictures=False, **OPTIONS)
    assert result.network.source == "python:my_gan:generator"
    assert {unit.label for unit in result["canvas"].units} == set(painter.CLASSES)


def test_a_probe_set_of_given_latents_and_its_replacement(generator, tmp_path):
    latents = generator.draw_latents(6, 0)
    out = tmp_path / "set"
    generate_probe_set(generator, LABELER, out, latents=latents, preview=0, colors=False)
    first = np.load(out / LATENTS_FILE)
    np.testing.assert_array_equal(np.sort(first, axis=0), np.sort(latents, axis=0))
    generate_probe_set(generator, LABELER, out, images=6, seed=9, preview=0, colors=False)
    assert (np.load(out / LATENTS_FILE) != first).any()


def test_a_generator_that_adds_noise_is_refused(tmp_path):
    class Noisy(painter.Painter):
        def forward(self, z):
            return super().forward(z) + torch.randn(1)

    with pytest.raises(ModelError, match="makes a different image from the same latent every time: fix its noise"):
        generate_probe_set(Generator(Noisy(), (5,)), LABELER, tmp_path / "set", images=4)
    assert not (tmp_path / "set").exists()


def test_a_label_beyond_the_classes_is_refused(generator, tmp_path):
    with pytest.raises(DataFileError, match="values beyond its 1 classes"):
        generate_probe_set(
            generator, ImageLabeler(painter.label_squares, ["red"]), tmp_path / "set", images=4, preview=0, colors=False
        )


def test_options_out_of_range_are_refused(generator, tmp_path):
    with pytest.raises(SettingsError, match="must be at least 1, not 0 and 32"):
        generate_probe_set(generator, LABELER, tmp_path / "set", images=0)
    with pytest.raises(SettingsError, match=r"expected latents of shape \(N, 5\), got \(2, 4\)"):
        generate_probe_set(generator, LABELER, tmp_path / "set", latents=np.zeros((2, 4), np.float32))
    with pytest.raises(SettingsError, match="there is no option 'image'"):
        generate_probe_set(generator, LABELER, tmp_path / "set", images=2, image=3)

    class Wide(nn.Module):
        def forward(self, z):
            return z.reshape(-1, 1, 1, 5).expand(-1, 3, 4, 5)

    with pytest.raises(ModelError, match="makes images of 5 x 4: probe sets are square"):
        generate_probe_set(Generator(Wide(), (5,)), LABELER, tmp_path / "set", images=2)
