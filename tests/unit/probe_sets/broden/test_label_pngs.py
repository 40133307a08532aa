"""Label maps hold any number from 0 to 65,535, whichever decoder reads them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from netdissect.errors import DataFileError, DataNotFoundError, LabelError
from netdissect.probe_sets.broden import label_pngs, png_decoder

EDGES = (0, 1, 255, 256, 4095, 4096, 32768, 65535)


def as_written(data: bytes) -> bytes:
    return data


def with_alpha(data: bytes) -> bytes:
    out = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.convert("RGBA").save(out, format="PNG")
    return out.getvalue()


@pytest.mark.parametrize("copied", [as_written, with_alpha], ids=["plain", "through Pillow"])
@pytest.mark.parametrize("label", EDGES)
def test_a_label_comes_back_whatever_its_number(label, copied, tmp_path):
    data = copied(label_pngs.encode_label_map(np.array([[label]])))
    assert (png_decoder.decode_plain_png(data, (1, 1)) is None) == (copied is with_alpha)
    (tmp_path / "map.png").write_bytes(data)
    found = label_pngs.read_label_map(tmp_path / "map.png", (1, 1))
    assert found.tolist() == [[label]]
    assert found.dtype == np.uint16


@given(seed=st.integers(0, 2**32 - 1), height=st.integers(1, 12), width=st.integers(1, 12))
def test_whole_maps_come_back_both_ways(seed, height, width, tmp_path_factory):
    labels = np.random.default_rng(seed).integers(0, 65536, (height, width))
    data = label_pngs.encode_label_map(labels)
    np.testing.assert_array_equal(png_decoder.decode_plain_png(data, (height, width)), labels)
    path = tmp_path_factory.getbasetemp() / "map.png"
    path.write_bytes(with_alpha(data))
    np.testing.assert_array_equal(label_pngs.read_label_map(path, (height, width)), labels)


@pytest.mark.parametrize(("low", "high"), [(0, 65536), (-1, 0), (-1, 65536), (70000, 70000)])
def test_a_number_that_a_label_map_cannot_hold_is_refused(low, high):
    with pytest.raises(LabelError, match=rf"0 to 65535, not {low} to {high}"):
        label_pngs.encode_label_map(np.array([[low, high]]))


def test_a_label_map_is_refused_by_what_is_wrong_with_it(tmp_path):
    path = tmp_path / "map.png"
    with pytest.raises(DataNotFoundError, match=r"map\.png, named in index\.csv, does not exist"):
        label_pngs.read_label_map(path, (2, 3))
    path.write_bytes(label_pngs.encode_label_map(np.zeros((2, 3), int)))
    with pytest.raises(DataFileError, match="of 2 x 3 pixels .* got 3 x 2"):
        label_pngs.read_label_map(path, (3, 2))
    for mode, kind in (
        ("L", "8-bit gray"),
        ("LA", "gray . alpha"),
        ("P", "palette"),
        ("I;16", "16-bit gray"),
        ("1", "1-bit"),
    ):
        Image.new(mode, (3, 2)).save(path)
        with pytest.raises(LabelError, match=f"map\\.png: expected a 24-bit RGB .* {kind} PNG"):
            label_pngs.read_label_map(path, (2, 3))
