from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import images, label_images

RAMP = np.linspace(0, 1, 257)[np.newaxis].repeat(9, axis=0)


def coded(image, kind, **how):
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def png(width, height, depth, kind, rows):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def sixteen_bit_rgb(values):
    rows = b"".join(b"\0" + row.astype(">u2").repeat(3).tobytes() for row in values)
    return png(values.shape[1], values.shape[0], 16, 2, rows)


WIDE = (RAMP * 65535).astype(np.uint16)
DEEP = {
    "PNG, 16 bits, grey": coded(Image.fromarray(WIDE), "PNG"),
    "PNG, 16 bits, RGB": sixteen_bit_rgb(WIDE),
    "TIFF, 16 bits, little-endian": coded(Image.fromarray(WIDE), "TIFF"),
    "PGM, 16 bits": b"P5 257 9 65535\n" + WIDE.astype(">u2").tobytes(),
    "PGM, 10 bits": b"P5 257 9 1023\n" + (RAMP * 1023).astype(">u2").tobytes(),
    "PNG, 8 bits": coded(Image.fromarray((RAMP * 255).astype(np.uint8)), "PNG"),
    "PNG, 1 bit's neighbor: a palette": coded(Image.fromarray((RAMP * 255).astype(np.uint8)).convert("P"), "PNG"),
}


@pytest.mark.parametrize("kind", DEEP)
def test_the_middle_of_a_ramp_is_gray_at_every_depth(kind):
    found = images.decode_image(DEEP[kind], kind)
    assert found.shape == (9, 257, 3)
    assert found.dtype == np.uint8
    assert abs(int(found[4, 128, 1]) - 128) <= 8
    assert found[4, 0].max() <= 1
    assert found[4, -1].min() >= 254


def test_the_upper_8_of_16_bits_are_taken():
    values = np.array([[0, 1, 255, 256, 257, 32767, 32768, 65279, 65280, 65535]], np.uint16)
    found = images.decode_image(coded(Image.fromarray(values), "PNG"), "a")
    assert found[0, :, 0].tolist() == [0, 0, 0, 1, 1, 127, 128, 254, 255, 255]
    assert (found == found[..., :1]).all()


@pytest.mark.parametrize(
    ("values", "told"),
    [(RAMP.astype(np.float32), "floating-point numbers"), ((RAMP * 2**30).astype(np.int32), "32-bit integers")],
)
def test_pixels_without_a_known_range_are_refused(values, told, tmp_path):
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(DataFileError, match=rf"a\.tif: its pixels are {told} .* save it with 8 or 16 bits"):
        images.load_image(tmp_path / "a.tif")


@pytest.mark.parametrize("kind", ["EPS", "ICNS", "PDF", "TGA", "PCX", "SGI"])
def test_unlisted_formats_are_never_tried_whatever_their_suffix(kind, tmp_path):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "a.jpg", kind)
    with pytest.raises(DataFileError, match=r"a\.jpg does not decode: expected JPEG, .*, got another format"):
        images.load_image(tmp_path / "a.jpg")


def test_a_postscript_file_starts_no_other_program(tmp_path, monkeypatch):
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a program was started"))
    (tmp_path / "a.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with pytest.raises(DataFileError, match="does not decode: expected JPEG"):
        images.load_image(tmp_path / "a.jpg")


SAVED = {"JPEG": ".jfif", "PNG": ".png", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif", "GIF": ".gif", "PPM": ".ppm"}


@pytest.mark.parametrize("kind", [*SAVED, *(["AVIF"] if features.check("avif") else [])])
def test_every_listed_format_is_recognized_by_the_files_contents(kind, tmp_path):
    path = tmp_path / "a.jpg"
    image = Image.new("RGB", (40, 30), (200, 30, 40))
    path.write_bytes(coded(image, kind))
    found = images.load_image(path)
    assert found.shape == (30, 40, 3)
    assert np.abs(found.astype(int) - (200, 30, 40)).max() <= 12


@pytest.mark.parametrize("mode", ["CMYK", "LA", "RGBA", "P", "1"])
def test_other_modes_of_8_bits_become_rgb(mode, tmp_path):
    kind = "TIFF" if mode == "CMYK" else "PNG"
    Image.new("RGB", (32, 32), "white").convert(mode).save(tmp_path / "a", kind)
    assert images.load_image(tmp_path / "a").min() >= 254


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_exif_orientation_is_applied_only_on_request(kind, tmp_path):
    image = Image.new("RGB", (40, 30), "blue")
    exif = Image.Exif()
    exif[274] = 6
    path = tmp_path / "a"
    path.write_bytes(coded(image, kind, exif=exif))
    assert images.load_image(path).shape == (30, 40, 3)
    assert images.load_image(path, upright=True).shape == (40, 30, 3)
    assert images.read_image_size(path) == (30, 40)


@pytest.mark.parametrize(
    "data",
    [
        png(60000, 60000, 8, 2, b""),
        b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (59999).to_bytes(3, "little") * 2,
        b"BM" + struct.pack("<IHHI", 100, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, 60000, 60000, 1, 24, 0, 0, 0, 0, 0, 0),
        b"P6 60000 60000 255\n",
        b"GIF89a" + struct.pack("<HHBBB", 60000, 60000, 0, 0, 0) + b",\0\0\0\0" + struct.pack("<HHB", 60000, 60000, 0) + b"\x08\0;",
    ],
    ids=["PNG", "WEBP", "BMP", "PPM", "GIF"],
)  # fmt: skip
def test_too_large_an_image_is_refused_before_it_is_decoded(data):
    with pytest.raises(DataFileError, match=r"expected at most 134,217,728 pixels"):
        images.decode_image(data, "a.png")


def test_too_large_an_image_is_reported_with_width_and_height():
    with pytest.raises(DataFileError, match="at most 134,217,728 pixels, got 2 x 70000000: scale it down first"):
        images.decode_image(png(2, 70_000_000, 8, 2, b""), "a.png")


def test_headers_of_png_and_webp_have_height_and_width():
    assert images.parse_header_size(png(3, 70000, 8, 2, b"")) == (70000, 3)
    webp = b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (2).to_bytes(3, "little") + (69999).to_bytes(3, "little")
    assert images.parse_header_size(webp) == (70000, 3)
    assert images.parse_header_size(webp[:29]) is None


def test_pipes_devices_and_folders_are_no_images(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(
        DataFileError, match=r"image .*pipe\.jpg cannot be read: expected a regular file, got a named pipe"
    ):
        images.load_image(tmp_path / "pipe.jpg")
    with pytest.raises(DataFileError, match=r"/dev/zero cannot be read: expected a regular file, got a device"):
        images.read_image_size(Path("/dev/zero"))
    with pytest.raises(DataFileError, match=r"got a folder"):
        label_images.read_label_numbers(tmp_path)
    with pytest.raises(DataNotFoundError, match=r"label map .*none\.png does not exist"):
        label_images.read_label_numbers(tmp_path / "none.png")


def test_a_callers_own_error_while_an_image_is_open_is_not_replaced(tmp_path):
    class StopError(DataNotFoundError):
        pass

    data = coded(Image.new("L", (2, 2)), "PNG")
    with pytest.raises(StopError), images.open_image(data, "a"):
        raise StopError


@pytest.mark.parametrize("mode", ["L", "P", "I;16", "1"])
def test_label_maps_keep_the_numbers_of_the_file(mode, tmp_path):
    largest = {"1": 1, "I;16": 65535}.get(mode, 255)
    values = np.array([[0, 1], [largest - 1, largest]])
    image = (
        Image.fromarray(values.astype(bool))
        if mode == "1"
        else Image.fromarray(values.astype(np.uint16 if mode == "I;16" else np.uint8))
    )
    if mode == "P":
        image.putpalette([9] * 768)
    image.save(tmp_path / "m.png")
    found = label_images.read_label_numbers(tmp_path / "m.png")
    assert found.dtype.kind in "ui"
    assert found.tolist() == values.tolist()


@pytest.mark.parametrize(("mode", "shape"), [("RGB", (3, 4, 3)), ("RGBA", (3, 4, 3)), ("LA", (3, 4))])
def test_alpha_is_no_part_of_a_label(mode, shape, tmp_path):
    Image.new(mode, (4, 3), (7,) * (shape[-1] if len(shape) == 3 else 1) + (99,) * (mode[-1] == "A")).save(
        tmp_path / "m.png"
    )
    found = label_images.read_label_numbers(tmp_path / "m.png")
    assert found.shape == shape
    assert np.unique(found).tolist() == [7]


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_a_lossy_label_map_is_refused(kind, tmp_path):
    Image.new("L", (8, 8), 7).save(tmp_path / "m.png", kind)
    with pytest.raises(
        DataFileError, match=f"m.png: a label map cannot be a {kind} file, which changes the numbers: use PNG"
    ):
        label_images.read_label_numbers(tmp_path / "m.png")


def test_a_size_is_read_only_from_a_complete_header():
    png = coded(Image.new("RGB", (300, 7)), "PNG")
    assert images.parse_header_size(png[:24]) == images.parse_header_size(png) == (7, 300)
    assert images.parse_header_size(png[:23]) is None
    assert images.parse_header_size(png[:12] + b"IDAT" + png[16:]) is None
    assert images.parse_header_size(png[:12] + b"iCCP" + png[16:]) is None
    assert images.parse_header_size(b"\x88" + png[1:]) is None


def test_the_width_in_a_webps_header_has_three_bytes():
    webp = b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (69999).to_bytes(3, "little") + (2).to_bytes(3, "little")
    assert images.parse_header_size(webp) == (3, 70000)


def test_aspect_ratios_may_differ_by_three_percent():
    assert images.is_same_shape((1030, 1000), (1000, 1000))
    assert images.is_same_shape((1000, 1030), (1030, 1061))
    assert not images.is_same_shape((1033, 1000), (1000, 1000))


def test_an_unknown_format_is_reported_with_all_that_are_known():
    assert images._join_names(["PNG"]) == "PNG"
    assert images._join_names(["PNG", "BMP", "TIFF"]) == "PNG, BMP or TIFF"


def test_an_image_is_scaled_to_a_height_and_a_width():
    image = np.zeros((4, 6, 3), np.uint8)
    image[:, 3:] = 200
    found = images.resize_image(image, (2, 12))
    assert (found.shape, found.dtype) == ((2, 12, 3), np.uint8)
    assert (found[:, :4] == 0).all() and (found[:, 8:] == 200).all()
    assert images.resize_image(image, (4, 6)) is image


@pytest.mark.parametrize(
    ("size", "turn", "frame", "turned"),
    [
        ((6, 4), 6, (2, 3), False),  # labeled as it lies in the file
        ((6, 4), 6, (3, 2), True),  # labeled upright
        ((6, 4), 6, (9, 9), True),  # it fits neither
        ((6, 4), 3, (2, 3), True),  # a turn by half keeps the frame
        ((6, 4), 1, (2, 3), False),
        ((4, 4), 6, (2, 2), True),  # a square cannot tell
    ],
)
def test_an_image_gets_the_orientation_of_its_label_map(size, turn, frame, turned):
    image = Image.new("RGB", size)
    image.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = turn
    out = io.BytesIO()
    image.save(out, "PNG", exif=exif)
    found = images.decode_image_in_frame(out.getvalue(), "a", frame)
    assert (found[0, 0, 0] == 255) is np.bool_(not turned)
    assert found.shape[:2] == (size if turned and turn == 6 else size[::-1])


@pytest.mark.parametrize(
    ("turn", "swaps"), [(1, False), (2, False), (3, False), (4, False), (5, True), (6, True), (7, True), (8, True)]
)
def test_every_exif_orientation_keeps_or_swaps_height_and_width(turn, swaps):
    exif = Image.Exif()
    exif[0x0112] = turn
    data = coded(Image.new("RGB", (6, 4)), "PNG", exif=exif)
    assert images.decode_image_in_frame(data, "a", (2, 3)).shape[:2] == (4, 6)
    assert images.decode_image_in_frame(data, "a", (3, 2)).shape[:2] == ((6, 4) if swaps else (4, 6))


@pytest.mark.parametrize("rest", [b"", b"nothing", b"\xe0\x00\x10JFIF"])
def test_a_file_that_only_starts_as_a_jpeg_is_an_error(rest):
    with pytest.raises(DataFileError, match=r"image a\.jpg does not decode: \w"):
        images.decode_image(b"\xff\xd8\xff" + rest, "a.jpg")


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "I;16"])
def test_a_png_whose_data_were_changed_is_refused(mode, tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(
        0, 255, (16, 16, 3) if mode == "RGB" else (16, 16), dtype=np.uint16 if mode == "I;16" else np.uint8
    )
    path = tmp_path / "a.png"
    Image.fromarray(pixels).convert(mode).save(path) if mode == "P" else Image.fromarray(pixels).save(path)
    data = path.read_bytes()
    at = data.index(b"IDAT") + 40
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    with pytest.raises(DataFileError, match=r"a\.png does not decode: "), images.open_image(path, path) as image:
        np.asarray(image)
