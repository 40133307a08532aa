"""Class lists, COCO's JSON and photos as other people's tools write them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from benchmarks.hostile.attempts import Expected, attempt, concepts, either, gives, refused, says
from benchmarks.hostile.make import HEIGHT, SMALL, WIDTH, annotation, coco, encoded, mask, masked, photo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.hostile.attempts import Place

LISTS = "class lists"
_BOTH = gives(concepts(herring=0.125, gull=0.25))

for _name, _file, _text, _expected in (
    ("labelme's two names without a label", "labels.txt", "__ignore__\n_background_\nherring\ngull\n", _BOTH),
    ("a name without a label on top", "labels.txt", "background\nherring\ngull\n", _BOTH),
    ("a name without a label in capitals", "labels.txt", "BACKGROUND\nherring\ngull\n", _BOTH),
    ("objects with numbers", "c.json", '[{"id": 2, "name": "gull"}, {"id": 1, "name": "herring"}]', _BOTH),
    ("objects below a key", "c.json", '{"categories": [{"id": 1, "name": "herring"}, {"id": 2, "name": "gull"}]}',
     _BOTH),
    ("numbers and names", "c.txt", "1: herring\n2: gull\n", _BOTH),
    ("numbers and names as JSON", "c.json", '{"1": "herring", "2": "gull"}', _BOTH),
    ("a byte order mark and Windows' line ends", "c.csv", "\ufeffnumber,name\r\n1,herring\r\n2,gull\r\n", _BOTH),
    ("columns in another order", "c.csv", "name,number\nherring,1\ngull,2\n", _BOTH),
    ("a table whose number column nobody knows", "c.csv", "zahl,name\n2,gull\n1,herring\n", refused("column|number")),
    ("objects without a name", "c.json", '[{"id": 1, "titel": "herring"}, {"id": 2, "titel": "gull"}]',
     refused("name")),
    ("objects without a number", "c.json", '[{"name": "herring", "x": 1}, {"name": "gull", "x": 2}]',
     refused("number|id")),
    ("two names of one number", "c.txt", "1: herring\n1: gull\n", refused("1")),
    ("a number beyond every mask", "c.txt", "1: herring\n2: gull\n99999999999: whale\n", either("99", concepts(herring=0.125, gull=0.25))),
    ("a number below zero", "c.txt", "-1: herring\n2: gull\n", refused("-1|holds number 1")),
    ("YAML", "c.yaml", "names:\n  1: herring\n  2: gull\n", _BOTH),
    ("nothing", "c.txt", "", refused("at least one class")),
    ("bytes that are no text", "c.txt", b"herr\xffing\ngull\n", refused("UTF-8")),
    ("JSON that is cut short", "c.json", '[{"id": 1, "na', refused("line 1")),
    ("JSON that is deep", "c.json", "[" * 90000 + "]" * 90000, refused("deep|nested")),
    ("JSON with half a letter", "c.json", '{"1": "her\\ud800ring", "2": "gull"}', refused("surrogate")),
    ("JSON that says a name twice", "c.json", '{"1": "herring", "1": "gull"}', refused("twice")),
    ("numbers that are none", "c.json", '[{"id": NaN, "name": "herring"}]', refused("NaN")),
    ("numbers beyond measure", "c.json", '[{"id": 1e400, "name": "herring"}]', refused("1e400")),
):  # fmt: skip

    @attempt(LISTS, _name, _expected)
    def _(place: Place, file: str = _file, text: str | bytes = _text) -> object:
        return masked(place, file, text)


COCO = "COCO's JSON"
_TABLE, _PLATE = (8, 8, 88, 56), (32, 16, 64, 40)
_ON_TOP = gives(concepts(table=0.5, plate=0.125))

for _name, _big, _little in (
    ("sizes that are right", {}, {}),
    ("sizes that are absent", {"area": ...}, {"area": ...}),
    ("sizes that are 0", {"area": 0}, {"area": 0}),
    ("sizes that are stale", {"area": 4}, {"area": 4000}),
    ("sizes that are words", {"area": "big"}, {"area": None}),
):

    @attempt(COCO, _name, _ON_TOP)
    def _(place: Place, big: dict[str, object] = _big, little: dict[str, object] = _little) -> object:
        return coco(place, [annotation(1, 2, _PLATE, **little), annotation(2, 1, _TABLE, **big)])


_REFUSED: Sequence[tuple[str, dict[str, object], str]] = (
    ("a flat polygon", {"segmentation": [8, 8, 88, 8, 88, 56, 8, 56]}, "annotation 1"),
    ("a polygon of two corners", {"segmentation": [[8, 8, 88, 8]]}, "annotation 1"),
    ("a polygon of odd length", {"segmentation": [[8, 8, 88, 8, 88, 56, 8]]}, "annotation 1"),
    ("boxes only", {"segmentation": []}, "--boxes|boxes"),
    ("a segmentation that is null", {"segmentation": None}, "--boxes|annotation 1"),
    ("a category nobody lists", {"category_id": 7}, "7"),
    ("an image nobody lists", {"image_id": 9}, "9"),
    ("an id that is a list", {"category_id": [1]}, "annotation 1"),
    ("corners that are words", {"segmentation": [["a", 8, 88, 8, 88, 56]]}, "annotation 1"),
    ("corners beyond measure", {"segmentation": [[1e30, 8, 88, 8, 88, 56]]}, "annotation 1"),
    ("a mask of another size", {"segmentation": {"counts": [0, 4], "size": [2, 2]}}, "annotation 1"),
    ("a mask that ends too early", {"segmentation": {"counts": [0, 4], "size": [HEIGHT, WIDTH]}}, "annotation 1"),
    ("a mask with lengths below zero", {"segmentation": {"counts": [-5, HEIGHT * WIDTH + 5], "size": [HEIGHT, WIDTH]}},
     "annotation 1"),
    ("a mask of one endless number", {"segmentation": {"counts": "o" * 2_000_000, "size": [HEIGHT, WIDTH]}},
     "annotation 1"),
    ("a mask of another alphabet", {"segmentation": {"counts": "\u0416\u0416\u0416", "size": [HEIGHT, WIDTH]}},
     "annotation 1"),
    ("a mask of a size beyond measure", {"segmentation": {"counts": [10**12], "size": [10**6, 10**6]}},
     "annotation 1"),
)  # fmt: skip

for _name, _more, _sentence in _REFUSED:

    @attempt(COCO, _name, refused(_sentence))
    def _(place: Place, more: dict[str, object] = _more) -> object:
        return coco(place, [annotation(1, 1, _TABLE, **more)])


for _name, _old, _new, _sentence in (
    ("a corner that is NaN", "[[8,", "[[NaN,", "NaN|nan"),
    ("a corner that is infinite", "[[8,", "[[-Infinity,", "[Ii]nf"),
    ("a corner of 1e400", "[[8,", "[[1e400,", "1e400|inf"),
    ("an id of 1e30", '"category_id": 1', '"category_id": 1e30', "1e30|1e\\+30|annotation 1"),
    ("a name with half a letter", '"table"', '"ta\\ud800ble"', "surrogate|cannot be written"),
    ("a width that is a word", f'"width": {WIDTH}', '"width": "wide"', "width|image 1"),
    ("a height below zero", f'"height": {HEIGHT}', '"height": -4', "height|image 1"),
    ("a width beyond measure", f'"width": {WIDTH}', '"width": 1e9', "width|image 1|pixels"),
    ("a name that is a path out of the folder", '"a.png"', '"../secret.png"', "secret"),
    ("an absolute name", '"a.png"', '"/etc/passwd"', "passwd"),
    ("a name that is no word", '"a.png"', "7", "file_name|image 1"),
    ("two images of one id", '"images": [', '"images": [{"id": 1, "file_name": "b.png", "width": 96, "height": 64}, ',
     "image.* 1|id 1"),
    ("two categories of one id", '"categories": [', '"categories": [{"id": 1, "name": "sea"}, ', "categor.* 1|id 1"),
    ("no images", '"images"', '"imges"', "images"),
    ("no categories", '"categories"', '"kategorien"', "categories"),
    ("annotations that are a word", '"annotations": [', '"annotations": "none", "x": [', "annotations"),
):  # fmt: skip

    @attempt(COCO, _name, refused(_sentence))
    def _(place: Place, old: str = _old, new: str = _new) -> object:
        words = coco(place, [annotation(1, 1, _TABLE)])
        photo(place.folder / "photos/b.png")
        photo(place.folder / "secret.png")
        file = place.folder / "instances.json"
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
    ("no text", b"\xff\xfe\xfa\x00\x01", "UTF-8|text"),
    ("a number of a million digits", '{"images": ' + "9" * 1_000_000 + "}", "digits|images"),
):

    @attempt(COCO, f"a document that is {_name}", refused(_sentence))
    def _(place: Place, text: str | bytes = _text) -> object:
        return coco(place, [], text=text)


@attempt(COCO, "ids of mixed types", refused("categor|type|1"))
def _(place: Place) -> object:
    return coco(place, [annotation(1, "1", _TABLE)])


@attempt(COCO, "boxes taken as masks on request", gives(concepts(table=0.625)))
def _(place: Place) -> object:
    return coco(place, [annotation(1, 1, _TABLE, segmentation=[])], "--boxes")


@attempt(COCO, "a photo that its camera turns", gives(concepts(table=0.25)))
def _(place: Place) -> object:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn: stored 96 x 64, seen 64 x 96
    words = coco(
        place, [annotation(1, 1, (0, 0, 64, 24))],
        images=[{"id": 1, "file_name": "a.jpg", "width": HEIGHT, "height": WIDTH}],
    )  # fmt: skip
    place.write("photos/a.jpg", encoded(Image.new("RGB", (WIDTH, HEIGHT)), "JPEG", exif=exif))
    return words


@attempt(COCO, "a name that cannot be a folder's", refused("categor|name|/"))
def _(place: Place) -> object:
    return coco(place, [annotation(1, 1, _TABLE)], "--category", "../escaped")


PHOTOS = "photos"


def _classes(place: Place, files: dict[str, bytes]) -> list[object]:
    for name, data in files.items():
        place.write(f"photos/{name}", data)
    return ["data", "from-labels", place.folder / "photos", "--out", place.out, *SMALL]


_GREY = Image.new("RGB", (64, 64), (120, 130, 140))

for _ending, _kind in (
    (".jfif", "JPEG"), (".jpe", "JPEG"), (".JPG", "JPEG"), (".webp", "WEBP"), (".bmp", "BMP"), (".tif", "TIFF"),
    (".gif", "GIF"), (".avif", "AVIF"), (".ppm", "PPM"),
):  # fmt: skip

    @attempt(PHOTOS, f"an ending that few use: {_ending}", gives())
    def _(place: Place, ending: str = _ending, kind: str = _kind) -> object:
        data = encoded(_GREY, kind)
        words = _classes(place, {f"cat/1{ending}": data, "dog/1.png": encoded(_GREY, "PNG")})
        return _told(words, place, {"cat", "dog"})


def _told(words: list[object], place: Place, names: set[str]) -> object:
    """Run an importer and look at the names it found."""

    def call() -> str | None:
        from benchmarks.hostile.attempts import table_of
        from netdissect.cli import main

        try:
            main([str(word) for word in words])
        except SystemExit as left:
            if left.code:
                raise RuntimeError(f"left with {left.code}") from left
        found = {row["name"].removesuffix("-s") for row in table_of(place.out)}
        return None if found == names else f"concepts {found}, expected {names}"

    return call


for _split in ("valid", "test", "Train", "dev", "VAL", "training", "validation"):

    @attempt("splits", f"folders below {_split}", gives())
    def _(place: Place, split: str = _split) -> object:
        data = encoded(_GREY, "PNG")
        files = {f"{top}/{name}/1.png": data for top in ("train", split) for name in ("cat", "dog")}
        if split == "Train":
            files = {name: data for name in files if name.startswith("Train")}
        return _told(_classes(place, files), place, {"cat", "dog"})


_RAMP = np.linspace(0, 65535, 256 * 8).reshape(8, 256).astype(np.uint16)

for _name, _array, _kind in (
    ("16-bit PNG", _RAMP, "PNG"),
    ("16-bit TIFF", _RAMP, "TIFF"),
    ("32-bit TIFF", _RAMP.astype(np.int32), "TIFF"),
    ("floating-point TIFF", (_RAMP / 65535).astype(np.float32), "TIFF"),
):

    @attempt(PHOTOS, f"deeper than 8 bits: {_name}", Expected("bit|floating|mode", says("^$|.")))
    def _(place: Place, array: np.ndarray = _array, kind: str = _kind) -> object:
        path = place.write(f"ramp.{kind.lower()}", encoded(Image.fromarray(array), kind))

        def call() -> str | None:
            from netdissect.io import images

            middle = float(images.load_image(path)[:, 124:132].mean())
            return None if abs(middle - 128) <= 8 else f"the middle of a ramp is {middle}"

        return call


for _name, _data, _sentence in (
    ("an EPS named .jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n", "image|format"),
    ("text named .png", b"hello", "image|format"),
    ("nothing in it", b"", "empty"),
    ("cut short", encoded(Image.effect_noise((64, 64), 80), "PNG")[:900], "image|decode"),
    ("a size beyond measure", None, "pixels"),
    ("HTML that a server sent instead", b"<!doctype html><title>404</title>", "image|format"),
):

    @attempt(PHOTOS, _name, refused(_sentence))
    def _(place: Place, data: bytes | None = _data) -> object:
        from benchmarks.hostile.make import png

        return _classes(
            place, {"cat/1.jpg": png(60000, 60000) if data is None else data, "dog/1.png": encoded(_GREY, "PNG")}
        )


@attempt(PHOTOS, "a named pipe", refused("pipe|regular"))
def _(place: Place) -> object:
    import os

    words = masked(place, "c.txt", "1: herring\n2: gull\n")
    (place.folder / "photos/a.png").unlink()
    os.mkfifo(place.folder / "photos/a.png")
    return words


@attempt(PHOTOS, "a mask that is a device", refused("device|regular"))
def _(place: Place) -> object:
    words = masked(place, "c.txt", "1: herring\n2: gull\n")
    (place.folder / "masks/a.png").unlink()
    (place.folder / "masks/a.png").symlink_to("/dev/zero")
    return words


@attempt(LISTS, "a list that is a named pipe", refused("pipe|regular"))
def _(place: Place) -> object:
    import os

    words = masked(place, "c.txt", "1: herring\n2: gull\n")
    (place.folder / "c.txt").unlink()
    os.mkfifo(place.folder / "c.txt")
    return words


@attempt(LISTS, "a list that is a folder", refused("folder"))
def _(place: Place) -> object:
    words = masked(place, "c.txt", "1: herring\n2: gull\n")
    (place.folder / "c.txt").unlink()
    (place.folder / "c.txt").mkdir()
    return words


@attempt(PHOTOS, "a mask of another size", refused("size|pixels"))
def _(place: Place) -> object:
    words = masked(place, "c.txt", "1: herring\n2: gull\n")
    mask(place.folder / "masks/a.png", {1: (0, 0, 4, 4)}, (10, 60))
    return words


@attempt(PHOTOS, "a mask that photographs' compression has blurred", refused("JPEG|lossy|label|numbers"))
def _(place: Place) -> object:
    words = masked(place, "c.txt", "1: herring\n2: gull\n")
    (place.folder / "masks/a.png").write_bytes(encoded(Image.new("L", (WIDTH, HEIGHT), 1), "JPEG"))
    return words


@attempt(PHOTOS, "a number in a mask that the list lacks", refused("2"))
def _(place: Place) -> object:
    return masked(place, "c.txt", "1: herring\n")


@attempt(LISTS, "a category that is a path", refused("categor|/"))
def _(place: Place) -> object:
    return masked(place, "c.csv", "number,name,category\n1,herring,../../escaped\n2,gull,bird\n")


@attempt(COCO, "a panoptic document", gives(concepts(table=0.5)))
def _(place: Place) -> object:
    segments = [{"id": 1, "category_id": 1, "area": 3072, "bbox": [0, 0, 96, 32], "iscrowd": 0}]
    words = coco(place, [{"image_id": 1, "file_name": "a.png", "segments_info": segments}])
    numbers = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    numbers[:32, :, 0] = 1
    (place.folder / "instances").mkdir()
    Image.fromarray(numbers).save(place.folder / "instances/a.png")
    json.loads((place.folder / "instances.json").read_text(encoding="utf-8"))
    return words
