"""Class lists, COCO's JSON, masks and photos as other tools write them, and damaged ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from benchmarks.hostile.attempts import (
    Expected,
    add_attempt,
    check_concepts,
    check_printed,
    expect_either,
    expect_error,
    expect_success,
)
from benchmarks.hostile.sample_files import (
    HEIGHT,
    IMPORT_OPTIONS,
    WIDTH,
    encode_image,
    make_annotation,
    prepare_from_coco,
    prepare_from_masks,
    write_mask,
    write_photo,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.hostile.attempts import AttemptFolder

LISTS = "class lists"
_BOTH = expect_success(check_concepts(herring=0.125, gull=0.25))

for _name, _file, _text, _expected in (
    ("labelme's two names without a label", "labels.txt", "__ignore__\n_background_\nherring\ngull\n", _BOTH),
    ("background first", "labels.txt", "background\nherring\ngull\n", _BOTH),
    ("BACKGROUND first", "labels.txt", "BACKGROUND\nherring\ngull\n", _BOTH),
    ("objects with numbers", "c.json", '[{"id": 2, "name": "gull"}, {"id": 1, "name": "herring"}]', _BOTH),
    ("objects under a key", "c.json", '{"categories": [{"id": 1, "name": "herring"}, {"id": 2, "name": "gull"}]}',
     _BOTH),
    ("numbers and names", "c.txt", "1: herring\n2: gull\n", _BOTH),
    ("numbers and names as JSON", "c.json", '{"1": "herring", "2": "gull"}', _BOTH),
    ("a byte order mark and Windows line endings", "c.csv", "\ufeffnumber,name\r\n1,herring\r\n2,gull\r\n", _BOTH),
    ("columns in another order", "c.csv", "name,number\nherring,1\ngull,2\n", _BOTH),
    ("an unknown number column", "c.csv", "zahl,name\n2,gull\n1,herring\n", expect_error("column|number")),
    ("objects without a name", "c.json", '[{"id": 1, "titel": "herring"}, {"id": 2, "titel": "gull"}]',
     expect_error("name")),
    ("objects without a number", "c.json", '[{"name": "herring", "x": 1}, {"name": "gull", "x": 2}]',
     expect_error("number|id")),
    ("one number for two names", "c.txt", "1: herring\n1: gull\n", expect_error("1")),
    ("a number that no mask can hold", "c.txt", "1: herring\n2: gull\n99999999999: whale\n", expect_either("99", check_concepts(herring=0.125, gull=0.25))),
    ("a number below zero", "c.txt", "-1: herring\n2: gull\n", expect_error("-1|holds number 1")),
    ("YAML", "c.yaml", "names:\n  1: herring\n  2: gull\n", _BOTH),
    ("an empty file", "c.txt", "", expect_error("at least one class")),
    ("bytes that are not text", "c.txt", b"herr\xffing\ngull\n", expect_error("UTF-8")),
    ("JSON that is cut short", "c.json", '[{"id": 1, "na', expect_error("line 1")),
    ("JSON that is deep", "c.json", "[" * 90000 + "]" * 90000, expect_error("deep|nested")),
    ("JSON with a lone surrogate", "c.json", '{"1": "her\\ud800ring", "2": "gull"}', expect_error("surrogate")),
    ("JSON with a repeated key", "c.json", '{"1": "herring", "1": "gull"}', expect_error("twice")),
    ("NaN as a number", "c.json", '[{"id": NaN, "name": "herring"}]', expect_error("NaN")),
    ("a number of 1e400", "c.json", '[{"id": 1e400, "name": "herring"}]', expect_error("1e400")),
):  # fmt: skip

    @add_attempt(LISTS, _name, _expected)
    def _(folder: AttemptFolder, file: str = _file, text: str | bytes = _text) -> object:
        return prepare_from_masks(folder, file, text)


COCO = "COCO's JSON"
_TABLE, _PLATE = (8, 8, 88, 56), (32, 16, 64, 40)
_ON_TOP = expect_success(check_concepts(table=0.5, plate=0.125))

for _name, _big, _little in (
    ("sizes that are right", {}, {}),
    ("sizes that are absent", {"area": ...}, {"area": ...}),
    ("sizes that are 0", {"area": 0}, {"area": 0}),
    ("sizes that are stale", {"area": 4}, {"area": 4000}),
    ("sizes that are words", {"area": "big"}, {"area": None}),
):

    @add_attempt(COCO, _name, _ON_TOP)
    def _(folder: AttemptFolder, big: dict[str, object] = _big, little: dict[str, object] = _little) -> object:
        return prepare_from_coco(
            folder, [make_annotation(1, 2, _PLATE, **little), make_annotation(2, 1, _TABLE, **big)]
        )


_REFUSED: Sequence[tuple[str, dict[str, object], str]] = (
    ("a flat polygon", {"segmentation": [8, 8, 88, 8, 88, 56, 8, 56]}, "annotation 1"),
    ("a polygon of two corners", {"segmentation": [[8, 8, 88, 8]]}, "annotation 1"),
    ("a polygon of odd length", {"segmentation": [[8, 8, 88, 8, 88, 56, 8]]}, "annotation 1"),
    ("boxes only", {"segmentation": []}, "--boxes|boxes"),
    ("a segmentation that is null", {"segmentation": None}, "--boxes|annotation 1"),
    ("an unlisted category", {"category_id": 7}, "7"),
    ("an unlisted image", {"image_id": 9}, "9"),
    ("an id that is a list", {"category_id": [1]}, "annotation 1"),
    ("corners that are words", {"segmentation": [["a", 8, 88, 8, 88, 56]]}, "annotation 1"),
    ("corners of 1e30", {"segmentation": [[1e30, 8, 88, 8, 88, 56]]}, "annotation 1"),
    ("a mask of another size", {"segmentation": {"counts": [0, 4], "size": [2, 2]}}, "annotation 1"),
    ("a mask that ends too early", {"segmentation": {"counts": [0, 4], "size": [HEIGHT, WIDTH]}}, "annotation 1"),
    ("a mask with lengths below zero", {"segmentation": {"counts": [-5, HEIGHT * WIDTH + 5], "size": [HEIGHT, WIDTH]}},
     "annotation 1"),
    ("a mask of one number with 2,000,000 digits", {"segmentation": {"counts": "o" * 2_000_000, "size": [HEIGHT, WIDTH]}},
     "annotation 1"),
    ("a mask in Cyrillic letters", {"segmentation": {"counts": "\u0416\u0416\u0416", "size": [HEIGHT, WIDTH]}},
     "annotation 1"),
    ("a mask of a trillion pixels", {"segmentation": {"counts": [10**12], "size": [10**6, 10**6]}},
     "annotation 1"),
)  # fmt: skip

for _name, _more, _sentence in _REFUSED:

    @add_attempt(COCO, _name, expect_error(_sentence))
    def _(folder: AttemptFolder, more: dict[str, object] = _more) -> object:
        return prepare_from_coco(folder, [make_annotation(1, 1, _TABLE, **more)])


for _name, _old, _new, _sentence in (
    ("a corner that is NaN", "[[8,", "[[NaN,", "NaN|nan"),
    ("a corner that is infinite", "[[8,", "[[-Infinity,", "[Ii]nf"),
    ("a corner of 1e400", "[[8,", "[[1e400,", "1e400|inf"),
    ("an id of 1e30", '"category_id": 1', '"category_id": 1e30', "1e30|1e\\+30|annotation 1"),
    ("a name with a lone surrogate", '"table"', '"ta\\ud800ble"', "surrogate|cannot be written"),
    ("a width that is a word", f'"width": {WIDTH}', '"width": "wide"', "width|image 1"),
    ("a height below zero", f'"height": {HEIGHT}', '"height": -4', "height|image 1"),
    ("a width of 1e9", f'"width": {WIDTH}', '"width": 1e9', "width|image 1|pixels"),
    ("a name that is a path out of the folder", '"a.png"', '"../secret.png"', "secret"),
    ("an absolute name", '"a.png"', '"/etc/passwd"', "passwd"),
    ("a name that is a number", '"a.png"', "7", "file_name|image 1"),
    ("two images with one id", '"images": [', '"images": [{"id": 1, "file_name": "b.png", "width": 96, "height": 64}, ',
     "image.* 1|id 1"),
    ("two categories with one id", '"categories": [', '"categories": [{"id": 1, "name": "sea"}, ', "categor.* 1|id 1"),
    ("no images", '"images"', '"imges"', "images"),
    ("no categories", '"categories"', '"kategorien"', "categories"),
    ("annotations that are a word", '"annotations": [', '"annotations": "none", "x": [', "annotations"),
):  # fmt: skip

    @add_attempt(COCO, _name, expect_error(_sentence))
    def _(folder: AttemptFolder, old: str = _old, new: str = _new) -> object:
        words = prepare_from_coco(folder, [make_annotation(1, 1, _TABLE)])
        write_photo(folder.path / "photos/b.png")
        write_photo(folder.path / "secret.png")
        file = folder.path / "instances.json"
        text = file.read_text(encoding="utf-8")
        if old not in text:
            raise ValueError(old)
        file.write_text(text.replace(old, new, 1), encoding="utf-8")
        return words


for _name, _text, _sentence in (
    ("deep", "[" * 90000 + "]" * 90000, "deep|nested"),
    ("cut short", '{"images": [{"id": 1,', "line 1"),
    ("a list", "[]", "JSON|COCO|object"),
    ("a null", "null", "JSON|COCO|object"),
    ("empty", "", "line 1|empty"),
    ("not text", b"\xff\xfe\xfa\x00\x01", "UTF-8|text"),
    ("a number of a million digits", '{"images": ' + "9" * 1_000_000 + "}", "digits|images"),
):

    @add_attempt(COCO, f"a document that is {_name}", expect_error(_sentence))
    def _(folder: AttemptFolder, text: str | bytes = _text) -> object:
        return prepare_from_coco(folder, [], text=text)


@add_attempt(COCO, "ids of mixed types", expect_error("categor|type|1"))
def _(folder: AttemptFolder) -> object:
    return prepare_from_coco(folder, [make_annotation(1, "1", _TABLE)])


@add_attempt(COCO, "boxes as masks with --boxes", expect_success(check_concepts(table=0.625)))
def _(folder: AttemptFolder) -> object:
    return prepare_from_coco(folder, [make_annotation(1, 1, _TABLE, segmentation=[])], "--boxes")


@add_attempt(COCO, "a photo with an orientation tag", expect_success(check_concepts(table=0.25)))
def _(folder: AttemptFolder) -> object:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn: stored 96 x 64, seen 64 x 96
    words = prepare_from_coco(
        folder, [make_annotation(1, 1, (0, 0, 64, 24))],
        images=[{"id": 1, "file_name": "a.jpg", "width": HEIGHT, "height": WIDTH}],
    )  # fmt: skip
    folder.write("photos/a.jpg", encode_image(Image.new("RGB", (WIDTH, HEIGHT)), "JPEG", exif=exif))
    return words


@add_attempt(COCO, "a name that cannot be a folder's", expect_error("categor|name|/"))
def _(folder: AttemptFolder) -> object:
    return prepare_from_coco(folder, [make_annotation(1, 1, _TABLE)], "--category", "../escaped")


PHOTOS = "photos"


def _write_class_folders(folder: AttemptFolder, files: dict[str, bytes]) -> list[object]:
    for name, data in files.items():
        folder.write(f"photos/{name}", data)
    return ["data", "from-labels", folder.path / "photos", "--out", folder.out, *IMPORT_OPTIONS]


_GREY = Image.new("RGB", (64, 64), (120, 130, 140))

for _ending, _kind in (
    (".jfif", "JPEG"), (".jpe", "JPEG"), (".JPG", "JPEG"), (".webp", "WEBP"), (".bmp", "BMP"), (".tif", "TIFF"),
    (".gif", "GIF"), (".avif", "AVIF"), (".ppm", "PPM"),
):  # fmt: skip

    @add_attempt(PHOTOS, f"a rare file ending: {_ending}", expect_success())
    def _(folder: AttemptFolder, ending: str = _ending, kind: str = _kind) -> object:
        data = encode_image(_GREY, kind)
        words = _write_class_folders(folder, {f"cat/1{ending}": data, "dog/1.png": encode_image(_GREY, "PNG")})
        return _check_class_names(words, folder, {"cat", "dog"})


def _check_class_names(words: list[object], folder: AttemptFolder, names: set[str]) -> object:
    """Return a function that runs an importer and compares its concept names."""

    def call() -> str | None:
        from benchmarks.hostile.attempts import read_rows
        from netdissect.cli import main

        try:
            main([str(word) for word in words])
        except SystemExit as left:
            if left.code:
                raise RuntimeError(f"left with {left.code}") from left
        found = {row["name"].removesuffix("-s") for row in read_rows(folder.out)}
        return None if found == names else f"concepts {found}, expected {names}"

    return call


for _split in ("valid", "test", "Train", "dev", "VAL", "training", "validation"):

    @add_attempt("splits", f"folders below {_split}", expect_success())
    def _(folder: AttemptFolder, split: str = _split) -> object:
        data = encode_image(_GREY, "PNG")
        files = {f"{top}/{name}/1.png": data for top in ("train", split) for name in ("cat", "dog")}
        if split == "Train":
            files = {name: data for name in files if name.startswith("Train")}
        return _check_class_names(_write_class_folders(folder, files), folder, {"cat", "dog"})


_RAMP = np.linspace(0, 65535, 256 * 8).reshape(8, 256).astype(np.uint16)

for _name, _array, _kind in (
    ("16-bit PNG", _RAMP, "PNG"),
    ("16-bit TIFF", _RAMP, "TIFF"),
    ("32-bit TIFF", _RAMP.astype(np.int32), "TIFF"),
    ("floating-point TIFF", (_RAMP / 65535).astype(np.float32), "TIFF"),
):

    @add_attempt(PHOTOS, f"deeper than 8 bits: {_name}", Expected("bit|floating|mode", check_printed("^$|.")))
    def _(folder: AttemptFolder, array: np.ndarray = _array, kind: str = _kind) -> object:
        path = folder.write(f"ramp.{kind.lower()}", encode_image(Image.fromarray(array), kind))

        def call() -> str | None:
            from netdissect.io import images

            middle = float(images.load_image(path)[:, 124:132].mean())
            return None if abs(middle - 128) <= 8 else f"the middle of a ramp is {middle}, expected 128"

        return call


for _name, _data, _sentence in (
    ("an EPS named .jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n", "image|format"),
    ("text named .png", b"hello", "image|format"),
    ("empty", b"", "empty"),
    ("cut short", encode_image(Image.effect_noise((64, 64), 80), "PNG")[:900], "image|decode"),
    ("a header that claims 60,000 x 60,000 pixels", None, "pixels"),
    ("an HTML page of a server", b"<!doctype html><title>404</title>", "image|format"),
):

    @add_attempt(PHOTOS, _name, expect_error(_sentence))
    def _(folder: AttemptFolder, data: bytes | None = _data) -> object:
        from benchmarks.hostile.sample_files import make_png

        return _write_class_folders(
            folder,
            {"cat/1.jpg": make_png(60000, 60000) if data is None else data, "dog/1.png": encode_image(_GREY, "PNG")},
        )


@add_attempt(PHOTOS, "a named pipe", expect_error("pipe|regular"))
def _(folder: AttemptFolder) -> object:
    import os

    words = prepare_from_masks(folder, "c.txt", "1: herring\n2: gull\n")
    (folder.path / "photos/a.png").unlink()
    os.mkfifo(folder.path / "photos/a.png")
    return words


@add_attempt(PHOTOS, "a mask that is a device", expect_error("device|regular"))
def _(folder: AttemptFolder) -> object:
    words = prepare_from_masks(folder, "c.txt", "1: herring\n2: gull\n")
    (folder.path / "masks/a.png").unlink()
    (folder.path / "masks/a.png").symlink_to("/dev/zero")
    return words


@add_attempt(LISTS, "a list that is a named pipe", expect_error("pipe|regular"))
def _(folder: AttemptFolder) -> object:
    import os

    words = prepare_from_masks(folder, "c.txt", "1: herring\n2: gull\n")
    (folder.path / "c.txt").unlink()
    os.mkfifo(folder.path / "c.txt")
    return words


@add_attempt(LISTS, "a list that is a folder", expect_error("folder"))
def _(folder: AttemptFolder) -> object:
    words = prepare_from_masks(folder, "c.txt", "1: herring\n2: gull\n")
    (folder.path / "c.txt").unlink()
    (folder.path / "c.txt").mkdir()
    return words


@add_attempt(PHOTOS, "a mask of another size", expect_error("size|pixels"))
def _(folder: AttemptFolder) -> object:
    words = prepare_from_masks(folder, "c.txt", "1: herring\n2: gull\n")
    write_mask(folder.path / "masks/a.png", {1: (0, 0, 4, 4)}, (10, 60))
    return words


@add_attempt(PHOTOS, "a mask saved as JPEG", expect_error("JPEG|lossy|label|numbers"))
def _(folder: AttemptFolder) -> object:
    words = prepare_from_masks(folder, "c.txt", "1: herring\n2: gull\n")
    (folder.path / "masks/a.png").write_bytes(encode_image(Image.new("L", (WIDTH, HEIGHT), 1), "JPEG"))
    return words


@add_attempt(PHOTOS, "a number in a mask that is not in the list", expect_error("2"))
def _(folder: AttemptFolder) -> object:
    return prepare_from_masks(folder, "c.txt", "1: herring\n")


@add_attempt(LISTS, "a category that is a path", expect_error("categor|/"))
def _(folder: AttemptFolder) -> object:
    return prepare_from_masks(folder, "c.csv", "number,name,category\n1,herring,../../escaped\n2,gull,bird\n")


@add_attempt(COCO, "a panoptic document", expect_success(check_concepts(table=0.5)))
def _(folder: AttemptFolder) -> object:
    segments = [{"id": 1, "category_id": 1, "area": 3072, "bbox": [0, 0, 96, 32], "iscrowd": 0}]
    words = prepare_from_coco(folder, [{"image_id": 1, "file_name": "a.png", "segments_info": segments}])
    numbers = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    numbers[:32, :, 0] = 1
    (folder.path / "instances").mkdir()
    Image.fromarray(numbers).save(folder.path / "instances/a.png")
    json.loads((folder.path / "instances.json").read_text(encoding="utf-8"))
    return words
