"""Images become a network's input exactly as stated, channel by channel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from netdissect.errors import SettingsError
from netdissect.networks.preprocess import CAFFE_MEAN, Preprocess, make_caffe_preprocess


def constant(red, green, blue, size=(2, 3)):
    return torch.tensor([red, green, blue], dtype=torch.uint8).repeat(1, *size, 1)


def three(*numbers):
    return np.array(numbers, np.float32)


def channels_of(x):
    """Return the one value that each channel holds."""
    assert (x == x[:, :, :1, :1]).all()
    return x[0, :, 0, 0].tolist()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [10, 20, 30]),
        ({"channels": "bgr"}, [30, 20, 10]),
        ({"std": three(1, 2, 4)}, [10, 10, 7.5]),
        ({"std": three(4, 1, 1)}, [2.5, 20, 30]),
        ({"channels": "bgr", "std": three(1, 1, 4)}, [30, 20, 2.5]),
        ({"mean": three(1, 2, 3)}, [9, 18, 27]),
        ({"channels": "bgr", "mean": three(1, 2, 3)}, [29, 18, 7]),
        ({"rescale_factor": 0.5, "mean": three(1, 2, 3), "std": three(1, 2, 4)}, [4, 4, 3]),
        ({"mean": three(1, 2, 3), "grayscale": True}, [18]),
    ],
)
def test_every_channel_gets_its_own_mean_and_deviation(options, expected):
    prepare = Preprocess(**{"rescale_factor": 1, "mean": three(0, 0, 0), "std": three(1, 1, 1), **options})
    x = prepare(constant(10, 20, 30))
    assert channels_of(x) == expected
    assert (x.dtype, x.shape, prepare.depth) == (torch.float32, (1, len(expected), 2, 3), len(expected))


def test_a_mean_image_is_taken_away_pixel_by_pixel():
    mean = np.arange(18, dtype=np.float32).reshape(3, 2, 3)
    x = Preprocess("rgb", 1, mean, three(1, 1, 1))(constant(10, 20, 30))
    np.testing.assert_array_equal(x[0].numpy(), three(10, 20, 30)[:, None, None] - mean)
    with pytest.raises(SettingsError, match="3 x 2 pixels .* 2 x 3"):
        Preprocess("rgb", 1, mean, three(1, 1, 1))(constant(10, 20, 30, (3, 2)))


def test_the_released_codes_mean_follows_the_order_of_the_channels():
    assert make_caffe_preprocess().mean.tolist() == three(*CAFFE_MEAN).tolist()
    assert make_caffe_preprocess(channels="rgb").mean.tolist() == three(*CAFFE_MEAN[::-1]).tolist()
    image = constant(124, 118, 109)
    one, other = make_caffe_preprocess()(image), make_caffe_preprocess(channels="rgb")(image)
    assert one.flip(1).tolist() == other.tolist()
    assert one.abs().max() < 1  # the image is nearly the mean


def test_one_number_stands_for_three_and_a_mean_image_of_another_size_for_its_channels_means():
    assert make_caffe_preprocess(mean=three(5)).mean.tolist() == [5, 5, 5]
    assert make_caffe_preprocess(mean=three(1, 2, 3)).mean.tolist() == [1, 2, 3]
    image = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    assert make_caffe_preprocess(mean=image, input_size=(2, 2)).mean.tolist() == image.tolist()
    assert make_caffe_preprocess(mean=image, input_size=(4, 4)).mean.tolist() == [1.5, 5.5, 9.5]
    assert make_caffe_preprocess(scale=0.5).std.tolist() == [2, 2, 2]  # multiplied after the mean is taken away
    with pytest.raises(SettingsError, match="--mean .* not 2"):
        make_caffe_preprocess(mean=three(1, 2))
    with pytest.raises(SettingsError, match="--scale"):
        make_caffe_preprocess(scale=0)


def test_it_says_what_it_does():
    assert Preprocess().describe() == "RGB, 0 to 1, mean 0.485 0.456 0.406, std 0.229 0.224 0.225"
    assert make_caffe_preprocess(grayscale=True).describe() == "BGR, mean 109.5388 118.6897 124.6901, grayscale"
    assert Preprocess(rescale_factor=2, mean=three(0, 0, 1), std=three(1, 1, 2), note="ours").describe() == (
        "RGB, times 2, mean 0 0 1, std 1 1 2 (ours)"
    )


def test_means_may_be_lists_or_tuples_of_numbers():
    images = torch.full((1, 2, 2, 3), 255, dtype=torch.uint8)
    x = Preprocess(mean=(0.5, 0.5, 0.5), std=[0.25, 0.5, 1])(images)
    assert x[0, :, 0, 0].tolist() == [2.0, 1.0, 0.5]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"input_size": 224}, r"input_size= takes height and width in pixels, such as \(224, 224\), not 224"),
        ({"input_size": (224,)}, "height and width"),
        ({"input_size": (0, 224)}, "height and width"),
        ({"input_size": ("a", "b")}, "height and width"),
        ({"mean": 0.5}, "mean= takes three numbers, one for each channel, not 0.5"),
        ({"mean": (0.5, 0.5)}, "not an array of 2"),
        ({"mean": np.zeros((1, 4, 4))}, "not an array of 1 x 4 x 4"),
        ({"std": np.ones((3, 4, 4))}, "std= takes three numbers"),
        ({"std": "abc"}, "std= takes three numbers, one for each channel, not 'abc'"),
        ({"std": (1, 0, 1)}, "numbers other than 0"),
        ({"mean": (1, np.nan, 1)}, "not finite"),
        ({"channels": "RGB"}, "channels must be rgb or bgr"),
    ],
)
def test_numbers_that_cannot_be_used_are_refused_in_one_sentence(options, words):
    with pytest.raises(SettingsError, match=words):
        Preprocess(**options)
    assert Preprocess(input_size=[8, np.int64(6)]).input_size == (8, 6)
