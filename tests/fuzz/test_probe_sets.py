"""Whatever bytes a probe set holds, only errors of this project are raised, in bounded memory."""

from __future__ import annotations

import io
import shutil
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image
from tests import small_probe_set
from tests.fuzz.damage import changes_of_bytes, check_one_sentence, damage_file
from tests.limited_process import call_with_limits

from netdissect.errors import DataFileError, NetdissectError
from netdissect.io import images
from netdissect.probe_sets.broden.reader import Broden

TABLES = ["index.csv", "label.csv", "category.csv", "c_object.csv", "c_part.csv"]
IMAGES = ["images/a/image 1.jpg", "images/a/image 1_object.png", "images/a/image 1_part_1.png"]


@pytest.fixture(scope="module")
def undamaged(tmp_path_factory):
    return small_probe_set.write_probe_set(tmp_path_factory.mktemp("fuzz") / "set", images=3)


def read_everything(folder):
    probe_set = Broden(folder)
    rows = [(probe_set.read_image(index), probe_set.read_labels(index)) for index in range(len(probe_set))]
    for _, labels in rows:
        assert labels.planes.max(initial=0) <= len(probe_set.vocabulary)
        assert set(labels.whole.tolist()) <= set(range(1, len(probe_set.vocabulary) + 1))
    return rows


@pytest.mark.parametrize("name", TABLES + IMAGES)
@settings(max_examples=60)
@given(changes=changes_of_bytes)
def test_a_damaged_file_of_a_probe_set_is_read_or_refused(undamaged, name, changes):
    true = read_everything(undamaged)
    with damage_file(undamaged / name, changes):
        try:
            found = read_everything(undamaged)
        except NetdissectError as error:
            check_one_sentence(error, str(undamaged), "image ")
            return
    if name.endswith(".png"):  # a PNG's checksums detect changed labels
        assert all(np.array_equal(one[1].planes, other[1].planes) for one, other in zip(found, true, strict=True))
    if name.endswith(".jpg"):
        assert [image.shape for image, _ in found] == [image.shape for image, _ in true]
        assert all(np.array_equal(found[row][0], true[row][0]) for row in (0, 2))  # the other images are unchanged


def bomb(width, height):
    """Return a PNG of a few kilobytes that claims a huge size and unpacks to zeros."""

    def chunk(kind, body):
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    body = zlib.compress(bytes(10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def huge_jpeg():
    """Return a JPEG of a few hundred bytes that claims a huge size."""
    out = io.BytesIO()
    Image.new("RGB", (16, 16)).save(out, format="JPEG")
    data = bytearray(out.getvalue())
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = (65500).to_bytes(2, "big") * 2
    return bytes(data)


def read_one_label_map(folder):
    Broden(folder).read_labels(1)


def read_image_of(folder):
    Broden(folder).read_image(1)


@pytest.mark.parametrize("side", [12_000, 60_000])  # below and above Pillow's own limit
def test_a_png_bomb_is_refused_before_it_is_unpacked(undamaged, tmp_path, side):
    folder = shutil.copytree(undamaged, tmp_path / "set")
    (folder / "images/a/image 1_object.png").write_bytes(bomb(side, side))
    kind, text = call_with_limits(read_one_label_map, folder)
    assert kind == DataFileError.__name__
    assert f"expected a label map of 16 x 16 pixels as index.csv says, got {side} x {side}" in text
    (folder / "images/a/image 1.jpg").write_bytes(bomb(side, side))
    kind, text = call_with_limits(read_image_of, folder)
    assert kind == DataFileError.__name__
    assert f"expected 32 x 32 pixels as index.csv says, got {side} x {side}" in text


def test_a_jpeg_that_claims_to_be_huge_is_refused(undamaged, tmp_path):
    folder = shutil.copytree(undamaged, tmp_path / "set")
    (folder / "images/a/image 1.jpg").write_bytes(huge_jpeg())
    kind, text = call_with_limits(read_image_of, folder)
    assert kind == DataFileError.__name__
    assert "expected 32 x 32 pixels as index.csv says, got 65500 x 65500" in text


def test_an_index_that_agrees_with_a_bomb_is_refused_too(undamaged, tmp_path):
    folder = shutil.copytree(undamaged, tmp_path / "set")
    index = folder / "index.csv"
    index.write_text(index.read_text().replace("32,32,16,16", "60000,60000,60000,60000"))
    with pytest.raises(DataFileError, match="line 2: .* 134,217,728 pixels, got 3,600,000,000"):
        Broden(folder)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_an_importer_refuses_an_image_that_is_a_bomb(tmp_path, name):
    (tmp_path / name).write_bytes(bomb(60_000, 60_000) if name == "a.png" else huge_jpeg())
    kind, text = call_with_limits(images.load_image, tmp_path / name)
    assert kind == DataFileError.__name__, text
    assert str(tmp_path / name) in text
