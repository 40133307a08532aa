"""Probe sets in Broden's format with contradictions, damaged files, or paths outside their folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from PIL import Image

from benchmarks.hostile.attempts import add_attempt, check_printed, expect_either, expect_error, expect_success
from benchmarks.hostile.sample_files import encode_image, make_png, make_png_bomb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.hostile.attempts import AttemptFolder

TABLES = "a probe set's tables"
IMAGES = "a probe set's images"
IMAGE, PLANE = "images/a/image 2.jpg", "images/a/image 2_object.png"

for _name, _table, _old, _new, _sentence in (
    ("a file outside", "index.csv", "a/image 2.jpg", "../../secret.jpg", "secret"),
    ("an absolute file", "index.csv", "a/image 2.jpg", "/etc/passwd", "passwd"),
    ("a plane outside", "index.csv", "a/image 2_object.png", "../../../etc/passwd", "passwd"),
    ("a height that is a word", "index.csv", ",32,32,", ",tall,32,", "tall"),
    ("a height of 0", "index.csv", ",32,32,", ",0,32,", "0"),
    ("a height below zero", "index.csv", ",32,32,", ",-32,32,", "-32"),
    ("a height that is NaN", "index.csv", ",32,32,", ",nan,32,", "nan"),
    ("a height of 1e400", "index.csv", ",32,32,", ",1e400,32,", "1e400"),
    ("a size of 60,000 x 60,000", "index.csv", ",32,32,", ",60000,60000,", "pixels"),
    ("a size that is not the image's", "index.csv", ",32,32,", ",30,32,", "size|32"),
    ("an unlisted label", "index.csv", ",5,\n", ",99,\n", "99"),
    ("a label below zero", "index.csv", ",5,\n", ",-5,\n", "-5"),
    ("a label that is a word", "index.csv", ",5,\n", ",street,\n", "street"),
    ("a label of many digits", "index.csv", ",5,\n", f",{'9' * 5000},\n", "9"),
    ("a misspelled column", "index.csv", "split", "splitt", "split"),
    ("a column twice", "index.csv", "image,split", "image,image", "split|image|twice"),
    ("a name with a NUL", "index.csv", "a/image 2.jpg", "a/pic\0ture 2.jpg", "image 2|NUL|pic"),
    ("a number in label.csv twice", "label.csv", "\n2,", "\n1,", "1"),
    ("a number in label.csv that is a word", "label.csv", "\n2,", "\ntwo,", "two"),
    ("a number in label.csv of 11 digits", "label.csv", "\n2,", "\n99999999999,", "99999999999"),
    ("a category that is a path", "label.csv", "object(1)", "../x(1)", "\\.\\./x|categor"),
    ("an unlisted category", "category.csv", "object,", "objekt,", "objec|objek"),
):  # fmt: skip

    @add_attempt(
        TABLES,
        _name,
        expect_either(_sentence, check_printed("conv1")) if "category" in _name else expect_error(_sentence),
    )
    def _(folder: AttemptFolder, table: str = _table, old: str = _old, new: str = _new) -> object:
        return folder.edit_table(table, old, new)


for _name, _file, _data, _sentence in (
    ("an image cut short", IMAGE, b"\xff\xd8\xff\xe0\0\x10JFIF", "image 2"),
    ("an image that is text", IMAGE, b"GIF, not", "image 2"),
    ("an image that is empty", IMAGE, b"", "image 2"),
    ("an EPS", IMAGE, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\nshowpage\n", "image 2"),
    ("an image whose header claims 60,000 x 60,000 pixels", IMAGE, make_png(60000, 60000), "image 2"),
    ("an image that is a bomb", IMAGE, "bomb", "image 2"),
    ("a plane that is a bomb", PLANE, "bomb", "image 2_object"),
    ("a plane of 8 bits", PLANE, encode_image(Image.new("L", (16, 16), 1), "PNG"), "24-bit"),
    ("a plane with a palette", PLANE, encode_image(Image.new("P", (16, 16), 1), "PNG"), "24-bit|palette"),
    ("a plane that is a JPEG", PLANE, encode_image(Image.new("RGB", (16, 16), (1, 0, 0)), "JPEG"), "image 2_object"),
    ("a plane of another size", PLANE, encode_image(Image.new("RGB", (8, 16), (1, 0, 0)), "PNG"), "image 2_object"),
    ("an unlisted label in a plane", PLANE, encode_image(Image.new("RGB", (16, 16), (99, 1, 0)), "PNG"), "355"),
):

    @add_attempt(IMAGES, _name, expect_error(_sentence))
    def _(folder: AttemptFolder, file: str = _file, data: bytes | str = _data) -> object:
        (folder.probe_set / file).write_bytes(make_png_bomb() if isinstance(data, str) else data)
        return folder.make_run_command()


#: What a file is replaced by: name of the attempt, function that makes it (None: nothing), pattern of the error.
_REPLACEMENTS: Sequence[tuple[str, Callable[[Path], object] | None, str]] = (
    ("missing", None, ""),
    ("a named pipe", os.mkfifo, "pipe|regular"),
    ("/dev/zero", lambda path: path.symlink_to("/dev/zero"), "device|regular"),
)


def _add_replaced_file(kind: str, file: str, state: str, make: Callable[[Path], object] | None, sentence: str) -> None:
    @add_attempt(kind, f"{file.rpartition('/')[2]} is {state}", expect_error(sentence))
    def _(folder: AttemptFolder) -> object:
        path = folder.probe_set / file
        path.unlink()
        if make is not None:
            make(path)
        return folder.make_run_command()


for _state, _replace, _sentence in _REPLACEMENTS:
    for _file in ("index.csv", "label.csv", "category.csv", "c_object.csv"):
        _add_replaced_file(TABLES, _file, _state, _replace, _sentence or _file)
    for _file in (IMAGE, PLANE):
        _add_replaced_file(IMAGES, _file, _state, _replace, _sentence or "image 2")
for _file in ("index.csv", "label.csv", "category.csv", "c_object.csv"):
    _add_replaced_file(TABLES, _file, "not text", lambda path: path.write_bytes(b"\xff\xfe\0\x01" * 99), _file)
for _file in (IMAGE, PLANE):
    _add_replaced_file(IMAGES, _file, "a folder", lambda path: path.mkdir(), "folder")


@add_attempt(IMAGES, "one large plane named 300 times in a row", expect_error("plane|memory|pixels|image 5"))
def _(folder: AttemptFolder) -> object:
    path = folder.probe_set / "images/a/b.png"
    path.write_bytes(encode_image(Image.new("RGB", (4000, 4000)), "PNG"))
    text = (folder.probe_set / "index.csv").read_text(encoding="utf-8").splitlines()
    row = text[6].split(",")
    row[4:6], row[6] = ["4000", "4000"], ";".join(["a/b.png"] * 300)
    row[7:9] = ["", ""]
    (folder.probe_set / "index.csv").write_text("\n".join([*text[:6], ",".join(row)]) + "\n", encoding="utf-8")
    return folder.make_run_command()


@add_attempt(IMAGES, "an image that cannot be read is skipped with --on-error", expect_success(check_printed("conv1")))
def _(folder: AttemptFolder) -> object:
    (folder.probe_set / IMAGE).write_bytes(b"x")
    return folder.make_run_command("--on-error", "skip")


@add_attempt(IMAGES, "every image is unreadable, and skipped with --on-error", expect_error("image"))
def _(folder: AttemptFolder) -> object:
    for path in (folder.probe_set / "images/a").glob("*.jpg"):
        path.write_bytes(b"x")
    return folder.make_run_command("--on-error", "skip")


@add_attempt("checks", "a set with wrong counts", expect_error("3 problems"))
def _(folder: AttemptFolder) -> object:
    return ["data", "check", folder.probe_set, "--workers", "1"]


@add_attempt("checks", "a set with a plane that is /dev/zero", expect_error("device|regular|problem|fault"))
def _(folder: AttemptFolder) -> object:
    (folder.probe_set / PLANE).unlink()
    (folder.probe_set / PLANE).symlink_to("/dev/zero")
    return ["data", "check", folder.probe_set, "--workers", "1"]
