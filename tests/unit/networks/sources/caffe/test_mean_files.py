from __future__ import annotations

import os

import numpy as np
import pytest

from netdissect.errors import ModelFileError, ModelNotFoundError
from netdissect.networks.sources.caffe.mean_files import read_mean
from netdissect.networks.sources.caffe.messages import make_message


def test_a_binaryproto_is_an_image(tmp_path):
    mean = np.arange(36, dtype=np.float32).reshape(3, 3, 4)
    blob = make_message("BlobProto", num=1, channels=3, height=3, width=4, data=mean.ravel())
    (tmp_path / "mean.binaryproto").write_bytes(blob.SerializeToString())
    found = read_mean(tmp_path / "mean.binaryproto")
    assert found.dtype == np.float32
    assert np.array_equal(found, mean)


@pytest.mark.parametrize(
    ("stored", "shape"),
    [((3,), (3,)), ((3, 5, 6), (3, 5, 6)), ((1, 3, 5, 6), (3, 5, 6)), ((3, 1, 1), (3,)), ((5, 6), (1, 5, 6))],
)
def test_an_npy_may_have_a_number_a_channel_or_an_image(tmp_path, stored, shape):
    np.save(tmp_path / "mean.npy", np.arange(np.prod(stored), dtype=np.float64).reshape(stored))
    found = read_mean(tmp_path / "mean.npy")
    assert found.dtype == np.float32
    assert found.shape == shape


def test_what_is_no_mean_is_refused(tmp_path):
    def refused(name, words):
        with pytest.raises(ModelFileError, match=words) as error:
            read_mean(tmp_path / name)
        assert "\n" not in str(error.value)

    np.save(tmp_path / "words.npy", np.array(["a"]))
    refused("words.npy", "of numbers")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    refused("objects.npy", "of numbers")
    np.save(tmp_path / "batch.npy", np.zeros((2, 3, 4, 4)))
    refused("batch.npy", r"expected a mean of shape .* got \(2, 3, 4, 4\)")
    np.save(tmp_path / "nan.npy", np.array([np.nan, 1, 2]))
    refused("nan.npy", "NaN")
    whole = (tmp_path / "batch.npy").read_bytes()
    for length in (7, 20, 100, len(whole) - 1):
        (tmp_path / "cut.npy").write_bytes(whole[:length])
        refused("cut.npy", "truncated or damaged")
    (tmp_path / "huge.npy").write_bytes(whole.replace(b"(2, 3, 4, 4)", b"(99999999,) "))
    refused("huge.npy", "truncated or damaged")
    (tmp_path / "text").write_text("104 117 123, the mean of ILSVRC 2012")
    refused("text", "a text")
    (tmp_path / "empty").write_bytes(b"")
    refused("empty", "an empty file")
    (tmp_path / "cut").write_bytes(
        make_message("BlobProto", num=1, channels=3, data=[1, 2, 3]).SerializeToString()[:-2]
    )
    refused("cut", "truncated or damaged")


@pytest.mark.parametrize("kind", ["<f2", ">f4", "<f8", "<u2", ">i2", "u1"])
def test_numbers_of_every_width_and_byte_order_are_the_same_mean(tmp_path, kind):
    mean = np.arange(36).reshape(3, 3, 4)
    np.save(tmp_path / "mean.npy", np.asfortranarray(mean.astype(kind)))
    assert np.array_equal(read_mean(tmp_path / "mean.npy"), mean)


def test_halves_in_a_binaryproto_are_the_same_mean(tmp_path):
    mean = np.arange(36).reshape(3, 3, 4)
    blob = make_message("BlobProto", num=1, channels=3, height=3, width=4)
    raw = mean.astype("<f2").tobytes()
    halves = bytes([10 << 3, 2, 12 << 3 | 2, len(raw)]) + raw  # NVIDIA's branch: field 10 is the type, 12 the numbers
    (tmp_path / "mean.binaryproto").write_bytes(blob.SerializeToString() + halves)
    assert np.array_equal(read_mean(tmp_path / "mean.binaryproto"), mean)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((6, 5, 3), r"got \(6, 5, 3\); its channels come last: transpose it"),
        ((5,), r"with 1 or 3 channels, got \(5,\)"),
        ((2, 4, 4), r"with 1 or 3 channels, got \(2, 4, 4\)"),
        ((0, 4, 4), r"got \(0, 4, 4\)"),
    ],
)
def test_a_mean_of_another_shape_is_reported_with_its_shape(tmp_path, shape, said):
    np.save(tmp_path / "mean.npy", np.zeros(shape, np.float32))
    with pytest.raises(ModelFileError, match=said):
        read_mean(tmp_path / "mean.npy")


def test_a_mean_that_is_no_regular_file_is_reported(tmp_path):
    os.mkfifo(tmp_path / "mean.npy")
    with pytest.raises(ModelFileError, match=r"mean\.npy: expected a mean file, .* regular file, got a named pipe"):
        read_mean(tmp_path / "mean.npy")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelNotFoundError, match="no such mean file"):
        read_mean(tmp_path / "mean.npy")


@pytest.mark.shared
def test_the_means_that_come_with_caffe_are_read(shared):
    imagenet = read_mean(shared / "models/mean/ilsvrc_2012_mean.npy")
    places = read_mean(shared / "models/mean/places205CNN_mean.binaryproto")
    assert imagenet.shape == places.shape == (3, 256, 256)
    assert imagenet.mean((1, 2)) == pytest.approx([104.0, 116.7, 122.7], abs=0.1)
    assert places.mean((1, 2)) == pytest.approx([105.5, 113.0, 116.1], abs=1)
