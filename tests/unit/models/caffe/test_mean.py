from __future__ import annotations

import numpy as np
import pytest

from netdissect.errors import ModelFileError, ModelNotFoundError
from netdissect.models.caffe.mean import read_mean
from netdissect.models.caffe.schema import message


def test_a_binaryproto_is_a_picture(tmp_path):
    mean = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    blob = message("BlobProto", num=1, channels=2, height=3, width=4, data=mean.ravel())
    (tmp_path / "mean.binaryproto").write_bytes(blob.SerializeToString())
    found = read_mean(tmp_path / "mean.binaryproto")
    assert found.dtype == np.float32
    assert np.array_equal(found, mean)


@pytest.mark.parametrize(
    ("stored", "shape"),
    [((3,), (3,)), ((3, 5, 6), (3, 5, 6)), ((1, 3, 5, 6), (3, 5, 6)), ((3, 1, 1), (3,)), ((5, 6), (1, 5, 6))],
)
def test_an_npy_may_have_a_number_a_channel_or_a_picture(tmp_path, stored, shape):
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
    refused("objects.npy", "truncated or damaged")
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
    (tmp_path / "cut").write_bytes(message("BlobProto", num=1, channels=3, data=[1, 2, 3]).SerializeToString()[:-2])
    refused("cut", "truncated or damaged")


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
