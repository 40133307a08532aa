"""A generator is given latents, and its layers lie on the image it makes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests import nets, painter, small_probe_set
from torch import nn

import netdissect as nd
from netdissect.errors import ActivationError, DataFileError, DataNotFoundError, ModelError, SettingsError
from netdissect.networks.units.generator import Generator
from netdissect.probe_sets.broden.reader import LATENTS_FILE, Broden

CPU = torch.device("cpu")


@pytest.fixture
def generator():
    return Generator(painter.Painter(), latent=(5,))


def test_latents_follow_from_their_seed(generator):
    assert generator.draw_latents(3, 1).shape == (3, 5)
    np.testing.assert_array_equal(generator.draw_latents(3, 1), generator.draw_latents(3, 1))
    assert (generator.draw_latents(3, 1) != generator.draw_latents(3, 2)).any()


def test_black_and_white_are_the_ends_of_its_span():
    class Ends(nn.Module):
        def forward(self, z):
            return z.reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2)

    made = Generator(Ends(), (1,), span=(-2, 2)).make_images(np.array([[-3], [-2], [0], [2], [9]], np.float32))
    assert made.shape == (5, 2, 2, 3)
    assert made[:, 0, 0, 0].tolist() == [0, 0, 128, 255, 255]


def test_layers_lie_evenly_over_the_image(generator):
    found = {layer.name: layer for layer in generator.layers((32, 32))}
    canvas = found["canvas"]
    assert (canvas.units, canvas.grid, canvas.geometry) == (3, (8, 8), "grid")
    assert (canvas.field.step, canvas.field.size) == ((4, 4), (4, 4))
    assert "lie evenly" in canvas.note
    assert found["place"].grid == (1, 1)


def test_activations_are_those_that_made_the_image(generator):
    latents = generator.draw_latents(3, 0)
    with generator.probe(["canvas"], (32, 32), geometry="receptive-field", device=CPU) as source:
        found = nets.move_channels_first(source.activations(latents))["canvas"]
    seen = []
    handle = generator.module.canvas.register_forward_hook(lambda *call: seen.append(call[2]))
    generator.module(torch.from_numpy(latents))
    handle.remove()
    assert torch.equal(found, seen[0])


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (nn.Linear(5, 3), r"must return images of shape \(B, 3, H, W\), and returns \(2, 3\)"),
        (nn.Linear(4, 3), r"Linear does not run on latents of shape \(5,\)"),
    ],
)
def test_a_module_that_makes_no_images_is_reported(module, sentence):
    with pytest.raises(ModelError, match=sentence):
        Generator(module, (5,)).make_images(np.zeros((2, 5), np.float32))


def test_what_cannot_be_a_generator_is_reported():
    with pytest.raises(SettingsError, match=r"expected a torch.nn.Module that generates images, got function"):
        Generator(lambda z: z, (5,))
    with pytest.raises(SettingsError, match="span is the output for black and for white"):
        Generator(painter.Painter(), (5,), span=(1, 1))


def test_a_probe_set_of_photographs_is_reported(generator, tmp_path):
    folder = small_probe_set.write_probe_set(tmp_path / "small")
    with pytest.raises(DataNotFoundError, match=r"holds no latents.npy: its images were not made by a generator"):
        nd.dissect(generator, ["canvas"], folder, pictures=False)
    with pytest.raises(ActivationError, match=r"makes images from latents, and other has none: make a probe set"):
        generator.model_input(type("Other", (), {"name": "other"})(), 0, (32, 32))


def test_latents_of_another_generator_are_reported(generator, tmp_path):
    folder = small_probe_set.write_probe_set(tmp_path / "small")
    np.save(folder / LATENTS_FILE, np.zeros((6, 7), np.float32))
    with pytest.raises(DataFileError, match=r"takes latents of shape \(5,\), and those of small have \(7,\)"):
        nd.dissect(generator, ["canvas"], folder, pictures=False)


def test_a_damaged_table_of_latents_is_reported(tmp_path):
    folder = small_probe_set.write_probe_set(tmp_path / "small")
    (folder / LATENTS_FILE).write_bytes(b"none")
    with pytest.raises(DataFileError, match=r"latents.npy: expected a table of latents"):
        Broden(folder).latent(0)
    np.save(folder / LATENTS_FILE, np.zeros((2, 5), np.float32))
    with pytest.raises(DataFileError, match="expected a latent for every image, got 2"):
        Broden(folder).latent(5)


def test_latents_decide_the_fingerprint_of_a_set(tmp_path):
    folder = small_probe_set.write_probe_set(tmp_path / "small")
    before = Broden(folder).fingerprint
    np.save(folder / LATENTS_FILE, np.zeros((6, 5), np.float32))
    between = Broden(folder).fingerprint
    np.save(folder / LATENTS_FILE, np.ones((6, 5), np.float32))
    assert len({before, between, Broden(folder).fingerprint}) == 3
