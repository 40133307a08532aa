"""What a transform does is read by calling it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from netdissect.errors import SettingsError
from netdissect.networks.transforms import read_preprocess

transforms = pytest.importorskip("torchvision.transforms")
NORMALIZE = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize(
    ("steps", "size"),
    [
        ([transforms.ToTensor(), NORMALIZE], None),
        ([transforms.Resize((64, 96)), transforms.ToTensor(), NORMALIZE], (64, 96)),
        ([transforms.Resize(72), transforms.CenterCrop(64), transforms.ToTensor(), NORMALIZE], (64, 64)),
    ],
)
def test_a_composed_transform_is_its_numbers_and_its_size(steps, size):
    found = read_preprocess(transforms.Compose(steps))
    np.testing.assert_array_equal(found.mean, np.array([0.485, 0.456, 0.406], np.float32))
    np.testing.assert_array_equal(found.std, np.array([0.229, 0.224, 0.225], np.float32))
    assert found.input_size == size


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([transforms.RandomHorizontalFlip(), transforms.ToTensor()], "random"),
        ([transforms.RandomHorizontalFlip(1.0), transforms.ToTensor()], "mirrors"),
        ([transforms.Pad(8), transforms.ToTensor()], "padding"),
        ([transforms.ToTensor(), torch.square], "factor and a constant"),
        ([transforms.Resize(64)], "PIL image"),
    ],
)
def test_what_a_preprocess_cannot_do_is_refused(steps, words):
    with pytest.raises(SettingsError, match=words):
        read_preprocess(transforms.Compose(steps))
