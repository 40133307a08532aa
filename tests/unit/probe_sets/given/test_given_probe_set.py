"""Data in a program is the same probe set in whatever form it comes."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from tests import nets
from torch.utils.data import DataLoader, TensorDataset

import netdissect as nd
from netdissect.arguments import check_layers_early
from netdissect.errors import DataError, DataFileError, LabelError, SettingsError, UnknownLayerError
from netdissect.networks.load import wrap_module
from netdissect.probe_sets.given.normalization import Denormalizer

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (4, 16, 20, 3)).astype(np.uint8)
MASKS = RANDOM.integers(0, 3, (4, 8, 10)).astype(np.int64)
NAMES = ["cat", "dog"]
MEAN, STD = (torch.tensor(values)[:, None, None] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
FLOATS = torch.from_numpy(IMAGES).permute(0, 3, 1, 2).float() / 255
BINARY = np.stack([MASKS == 1, MASKS == 2], axis=1)
PIL_PAIRS = [
    (Image.fromarray(image), Image.fromarray(mask.astype(np.uint8))) for image, mask in zip(IMAGES, MASKS, strict=True)
]
FORMS = {
    "pairs of PIL images": lambda: PIL_PAIRS,
    "arrays": lambda: (IMAGES, MASKS),
    "tensors": lambda: (FLOATS, torch.from_numpy(MASKS)),
    "normalized loader": lambda: DataLoader(
        TensorDataset((FLOATS - MEAN) / STD, torch.from_numpy(MASKS)), batch_size=3
    ),
    "loader of half precision": lambda: DataLoader(TensorDataset((FLOATS - 0.5) / 0.5, torch.from_numpy(MASKS))),
    "data set": lambda: TensorDataset(FLOATS, torch.from_numpy(MASKS)),
    "dicts": lambda: ({"pixel_values": image, "labels": mask} for image, mask in zip(FLOATS, MASKS, strict=True)),
    "binary masks": lambda: (IMAGES, BINARY),
    "instances": lambda: [
        (image, {"masks": torch.from_numpy(own), "labels": torch.tensor([1, 2])})
        for image, own in zip(FLOATS, BINARY, strict=True)
    ],
    "nested lists": lambda: [(image.tolist(), mask.tolist()) for image, mask in zip(IMAGES, MASKS, strict=True)],
    "binary masks by category": lambda: [(image, {"object": own}) for image, own in zip(IMAGES, BINARY, strict=True)],
    "by category": lambda: [(image, {"object": mask}) for image, mask in zip(IMAGES, MASKS, strict=True)],
    "endless": lambda: itertools.cycle(PIL_PAIRS),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_images_is_the_same_probe_set(form):
    first = nd.open_probe_set(PIL_PAIRS, NAMES, limit=4)
    found = nd.open_probe_set(FORMS[form](), NAMES, limit=4)
    assert found.fingerprint == first.fingerprint
    assert found.path == ""
    for index in range(4):
        np.testing.assert_array_equal(found.read_image(index), IMAGES[index])
        np.testing.assert_array_equal(found.read_labels(index).planes.max(axis=0), MASKS[index])


def test_other_pixels_have_another_fingerprint_and_workers_can_open_it():
    changed = IMAGES.copy()
    changed[0, 0, 0, 0] ^= 1
    first = nd.open_probe_set((IMAGES, MASKS), NAMES)
    assert first.fingerprint != nd.open_probe_set((changed, MASKS), NAMES).fingerprint
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(first)).read_image(1), IMAGES[1])


HOSTILE = {
    "halves": (lambda: (IMAGES, MASKS / 2), DataFileError, "whole numbers"),
    "negative": (lambda: (IMAGES, MASKS - 5), LabelError, "-5"),
    "beyond": (lambda: (IMAGES, MASKS + 7), LabelError, "names 2 numbers"),
    "lengths": (lambda: (IMAGES, MASKS[:2]), DataFileError, "4 images and 2 masks"),
    "nothing": (list, DataFileError, "gave no image"),
    "no masks": (lambda: [(IMAGES[0], None)], DataFileError, "none has labels"),
    "scaled floats": (lambda: (FLOATS * 0.77, MASKS), DataFileError, "no 8-bit image"),
    "raises": (lambda: (1 / 0 for _ in range(2)), DataFileError, "division by zero"),
    "only zeros": (lambda: (IMAGES, MASKS * 0), LabelError, "no pixel of any mask"),
    "another frame": (lambda: (IMAGES, MASKS[:, :3]), DataFileError, "same frame"),
    "stacks of numbers": (lambda: (IMAGES, np.stack([MASKS, MASKS], axis=1)), DataFileError, "are binary"),
    "stacks of 0 and 255": (lambda: (IMAGES, BINARY.astype(np.uint8) * 255), DataFileError, "mask > 0"),
    "as many masks as none": (lambda: (IMAGES, BINARY[:, [0, 1, 1, 1, 1]]), DataFileError, "2 binary masks"),
    "colors": (lambda: [(IMAGES[0], Image.fromarray(IMAGES[0]))], LabelError, "RGB"),
    "texts": (lambda: ["a"], DataFileError, "pair"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_cannot_be_used_is_refused_in_one_sentence(case):
    make, kind, words = HOSTILE[case]
    with pytest.raises(kind, match=words):
        nd.open_probe_set(make(), NAMES)


def test_none_is_no_data():
    with pytest.raises(SettingsError, match="not None"):
        nd.open_probe_set(None, NAMES)


def test_images_of_several_sizes_are_scaled_as_importers_do():
    pairs = [(IMAGES[0], MASKS[0]), (IMAGES[1, :, :16], MASKS[1, :, :8])]
    found = nd.open_probe_set(pairs, NAMES)
    assert (found.read_image(1).shape, found.label_size(1)) == ((224, 224, 3), (112, 112))


def test_a_file_is_a_probe_set_for_later(tmp_path):
    first = nd.open_probe_set((IMAGES, MASKS), NAMES, out=tmp_path / "mine.arrow")
    assert nd.open_probe_set(tmp_path / "mine.arrow").fingerprint == first.fingerprint
    (tmp_path / "other.arrow").write_bytes(b"mine")
    with pytest.raises(DataError, match="is not replaced"):
        nd.open_probe_set((IMAGES, MASKS), NAMES, out=tmp_path / "other.arrow")


def test_a_data_set_is_dissected(tmp_path):
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()).eval()
    result = nd.dissect(net, ["1"], (FLOATS, MASKS), NAMES, out=tmp_path / "run", progress=False)
    assert result["1"].counts.G.tolist() == [(MASKS == 1).sum(), (MASKS == 2).sum()]
    assert nd.load(tmp_path / "run")["1"].counts.G.tolist() == result["1"].counts.G.tolist()


def test_one_normalization_fits_all_images_or_none():
    floats = Denormalizer()
    floats.restore(((FLOATS[0] - MEAN) / STD).permute(1, 2, 0).numpy(), "data[0]")
    with pytest.raises(DataFileError, match="that fit data"):
        floats.restore(FLOATS[1].permute(1, 2, 0).numpy(), "data[1]")


def test_a_stack_is_binary_whatever_its_image_holds():
    both = np.stack([BINARY[0], BINARY[1] * 2])  # the second cannot be binary: it is not read as label numbers instead
    with pytest.raises(DataFileError, match=r"data\[1\]: several masks of one image are binary"):
        nd.open_probe_set((IMAGES[:2], both), NAMES)


def test_one_normalization_fits_all_nested_lists_too():
    floats = [((FLOATS[0] - MEAN) / STD).tolist(), FLOATS[1].tolist()]
    with pytest.raises(DataFileError, match="that fit data"):
        nd.open_probe_set([(image, mask.tolist()) for image, mask in zip(floats, MASKS, strict=False)], NAMES)


class Unread:
    """Data that must not be read."""

    def __iter__(self):
        raise AssertionError("the data was read")


EARLY = {
    "a layer": ({"layers": "layr4"}, UnknownLayerError, "no layer 'layr4'"),
    "a pattern": ({"layers": ["layr*"]}, UnknownLayerError, r"no layer that 'layr\*' matches"),
    "no layer": ({"layers": []}, SettingsError, "no layer was named"),
    "a cluster": ({"runtime": "ray"}, SettingsError, "runtime='ray'"),
    "a setting": ({"keep": True}, SettingsError, "keep=True"),
    "references": ({"reference": []}, SettingsError, "at least 2 runs"),
    "a split": ({"split": "val"}, SettingsError, "has no splits"),
}


@pytest.mark.parametrize("case", EARLY)
def test_what_is_wrong_beside_the_data_is_refused_before_it_is_read(case):
    options, kind, words = EARLY[case]
    with pytest.raises(kind, match=words):
        nd.dissect(
            **{"model": nets.make_small_net(), "layers": "conv2", "data": Unread(), "concepts": NAMES, **options}
        )


def test_layers_that_may_be_there_are_left_to_the_run():
    network = wrap_module(nets.make_small_net())
    assert check_layers_early(["conv*", "last", network.module.conv1], network) == ["conv*", "last", "conv1"]
    assert check_layers_early(None, network) is None
    assert check_layers_early("conv1+sae", network, latents=True) == ["conv1+sae"]
