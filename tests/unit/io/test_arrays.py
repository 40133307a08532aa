"""Arrays in .npy and .npz files: exactly the numbers that the header declares."""

from __future__ import annotations

import io

import numpy as np
import pytest

from netdissect.io.arrays import encode_npz, parse_npy, parse_npz


def saved(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    "array",
    [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3)), np.array(3.5), np.zeros((0, 4))],
)
def test_an_array_is_read_as_numpy_reads_it(array):
    found = parse_npy(saved(array))
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert (found == array).all()


def with_shape(text):
    """Return an array of six numbers whose header claims another shape."""
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': %s, }" % text  # noqa: UP031 - braces of its own
    header += " " * (117 - len(header)) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(48)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "not a .npy file"),
        (b"\x93NUMPY\x01\x00\xff\xff", "its header is damaged"),
        (with_shape("(1000000, 1000000)"), "1000000 x 1000000 numbers of 8 bytes, and 48 bytes follow"),
        (with_shape("(10" + "0" * 40 + ",)"), "and 48 bytes follow"),
        (with_shape("(-2, -3)"), "an impossible shape"),
        (saved(np.arange(6))[:-1], "6 numbers of 8 bytes, and 47 bytes follow"),
        (saved(np.array(["a"])), "an array of <U1, not of numbers"),
    ],
)
def test_an_invalid_array_is_an_error_before_anything_is_allocated(data, told):
    with pytest.raises(ValueError, match=told):
        parse_npy(data)


def test_nothing_is_unpickled():
    file = io.BytesIO()
    np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="an array of object, not of numbers"):
        parse_npy(file.getvalue())


def test_named_arrays_are_read_as_they_were_written():
    arrays = {"a": np.arange(4, dtype=np.uint16), "b.c": np.ones((2, 3), np.float16)}
    for compressed in (False, True):
        found = parse_npz(encode_npz(arrays, compressed=compressed))
        assert {name: array.tolist() for name, array in found.items()} == {n: a.tolist() for n, a in arrays.items()}


def test_an_archive_that_would_unpack_to_too_much_is_refused():
    data = encode_npz({"zeros": np.zeros(10_000)}, compressed=True)
    with pytest.raises(ValueError, match=r"would unpack to 80,\d\d\d bytes"):
        parse_npz(data, most=80_000)


@pytest.mark.parametrize("data", [b"", b"PK", encode_npz({"a": np.arange(9)})[:-30], saved(np.arange(3))])
def test_an_invalid_archive_of_arrays_is_refused(data):
    with pytest.raises(ValueError):
        parse_npz(data)
