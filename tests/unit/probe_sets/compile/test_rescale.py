"""Scaling: labels by nearest neighbor with aligned corners, images with smoothing."""

from __future__ import annotations

import io
import math
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import zoom

from netdissect.probe_sets.compile.rescale import (
    encode_scaled_jpeg,
    find_nearest_positions,
    sample_pixels,
    scale_label_planes,
)


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 3000), st.integers(2, 400))
def test_the_rule_is_the_one_of_broden_exactly(length, wanted):
    expected = [math.floor(Fraction(i * (length - 1), wanted - 1) + Fraction(1, 2)) for i in range(wanted)]
    assert find_nearest_positions(length, wanted).tolist() == expected


def test_one_pixel_is_read_everywhere():
    assert find_nearest_positions(1, 3).tolist() == [0, 0, 0]
    assert find_nearest_positions(5, 1).tolist() == [0]


def test_it_is_what_scipy_does_but_for_its_rounding():
    """scipy adds up floating-point ratios, so a half may round the other way, and the last sample leave the image."""
    rng = np.random.default_rng(0)
    same = total = 0
    for length in rng.integers(113, 3000, 60):
        released = np.zeros(113, np.int64)
        zoom(np.arange(length), 113 / float(length), output=released, order=0)
        same += int((released == find_nearest_positions(int(length), 113)).sum())
        total += 113
    assert same / total > 0.995


def test_planes_are_scaled_alike():
    labels = np.arange(2 * 5 * 7).reshape(2, 5, 7)
    small = scale_label_planes(labels, (3, 3))
    assert small.shape == (2, 3, 3)
    assert (small == np.stack([scale_label_planes(plane, (3, 3)) for plane in labels])).all()
    assert scale_label_planes(labels, (5, 7)) is labels


def test_pixels_are_read_where_planes_are():
    pixels = np.random.default_rng(0).integers(0, 256, (13, 31, 3), dtype=np.uint8)
    small = sample_pixels(pixels, (5, 7))
    assert (
        small == np.stack([scale_label_planes(pixels[..., channel], (5, 7)) for channel in range(3)], axis=-1)
    ).all()


def test_images_are_scaled_and_not_cropped():
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 40:] = 255
    small = np.asarray(Image.open(io.BytesIO(encode_scaled_jpeg(pixels, (20, 20)))))
    assert small.shape == (20, 20, 3)
    assert small[:, :8].max() < 30
    assert small[:, 12:].min() > 225
