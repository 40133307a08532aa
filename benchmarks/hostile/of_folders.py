"""Folders that are somebody else's, and folders that hold a run already."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from benchmarks.hostile.attempts import attempt, either, gives, refused, says
from benchmarks.hostile.make import SMALL, masked, photo

if TYPE_CHECKING:
    from benchmarks.hostile.attempts import Place

KIND = "folders"


def _into(place: Place, out: object, *more: object) -> list[object]:
    return ["run", place.net, "--layers", "conv1", "--data", place.set, "--out", out, "--no-pictures", *more]


@attempt(KIND, "--out is somebody's folder", refused("theirs"))
def _(place: Place) -> object:
    return _into(place, place.theirs())


@attempt(KIND, "--out is somebody's folder, and --fresh", refused("theirs"))
def _(place: Place) -> object:
    return _into(place, place.theirs(), "--fresh")


for _name in ("run.json", "letter.txt", ".thesis.part", "html/data/mine.js", ".work/notes", "deep/.draft.part"):

    @attempt(KIND, f"--out holds only somebody's {_name}", refused("theirs"))
    def _(place: Place, name: str = _name) -> object:
        place.write(f"theirs/{name}", "mine")
        return _into(place, place.folder / "theirs")


@attempt(KIND, "--out is empty", gives(says("conv1")))
def _(place: Place) -> object:
    place.out.mkdir()
    return _into(place, place.out)


@attempt(KIND, "--out is a file", refused("letter|folder"))
def _(place: Place) -> object:
    return _into(place, place.write("letter", "mine"))


@attempt(KIND, "--out lies below a file", refused("letter|folder|file"))
def _(place: Place) -> object:
    return _into(place, place.write("letter", "mine") / "out")


@attempt(KIND, "--out is a device", refused("null|device|folder"))
def _(place: Place) -> object:
    return _into(place, "/dev/null")


@attempt(KIND, "--out is the root", refused("/"))
def _(place: Place) -> object:
    return _into(place, "/")


@attempt(KIND, "--out is the probe set", refused("set"))
def _(place: Place) -> object:
    return _into(place, place.set)


@attempt(KIND, "--out is the network's folder", refused("net"))
def _(place: Place) -> object:
    return _into(place, place.net.parent)


@attempt(KIND, "--out is a link to somebody's folder", refused("link|theirs"))
def _(place: Place) -> object:
    (place.folder / "link").symlink_to(place.theirs())
    return _into(place, place.folder / "link")


@attempt(KIND, "--out is a name beyond any file system", refused("long|name"))
def _(place: Place) -> object:
    return _into(place, place.out / ("x" * 300))


@attempt(KIND, "--out has a NUL in its name", refused("name|NUL|null|character"))
def _(place: Place) -> object:
    return _into(place, f"{place.out}\0x")


@attempt(KIND, "--out is empty text", refused("out|folder|name"))
def _(place: Place) -> object:
    return _into(place, "")


for _link in (".lock", "html", ".work", "run.json"):

    @attempt(KIND, f"{_link} in --out leads to somebody's file", refused("link|out"))
    def _(place: Place, link: str = _link) -> object:
        place.theirs()
        place.out.mkdir()
        target = place.folder / "theirs" / ("letter.txt" if link in (".lock", "run.json") else "html")
        (place.out / link).symlink_to(target)
        return _into(place, place.out)


@attempt(KIND, "another network's run is there", refused("fresh|another|run"))
def _(place: Place) -> object:
    return ["run", place.net, "--layers", "conv2", "--data", place.set, "--out", place.ran, "--no-pictures"]


@attempt(KIND, "other settings' run is there", refused("fresh|another|run"))
def _(place: Place) -> object:
    return _into(place, place.ran, "--quantile", "0.1")


@attempt(KIND, "the same run is there and finished", gives(says("finished|already")))
def _(place: Place) -> object:
    shutil.copytree(place.base / "run", place.out)
    words = ["run", place.net, "--layers", "conv1", "conv2", "--data", place.base / "set", "--out", place.out]
    return [*words, "--images-per-unit", "2"]


@attempt(KIND, "another network's run is replaced on request", gives(says("conv2")))
def _(place: Place) -> object:
    shutil.copytree(place.base / "run", place.out)
    words = ["run", place.net, "--layers", "conv2", "--data", place.set, "--out", place.out, "--no-pictures"]

    def call() -> str | None:
        from netdissect.cli.app import _run

        if _run([str(word) for word in [*words, "--fresh"]], debug=True):
            return "it did not succeed"
        left = sorted(path.name for path in place.out.glob("conv1*"))
        return f"of the run before, {left} is left" if left else print("conv2")

    return call


@attempt(KIND, "a run within another run's folder leaves it alone", gives(says("conv1")))
def _(place: Place) -> object:
    shutil.copytree(place.base / "run", place.out)
    (place.out / ".conv9.csv.abc.part").write_bytes(b"under way")
    words = _into(place, place.out / "inner")

    def call() -> str | None:
        from netdissect.cli.app import _run

        code = _run([str(word) for word in words], debug=False)
        if code:
            import os

            os._exit(code)
        return None if (place.out / ".conv9.csv.abc.part").exists() else "the outer run's file is gone"

    return call


for _name in ("index.csv", "letter.txt", "images/a.jpg", ".draft.part"):

    @attempt(KIND, f"an importer's --out holds somebody's {_name}", refused("theirs"))
    def _(place: Place, name: str = _name) -> object:
        words = masked(place, "c.txt", "1: herring\n2: gull\n")
        place.write(f"theirs/{name}", "mine")
        words[words.index("--out") + 1] = place.folder / "theirs"
        return words


@attempt(KIND, "an importer's --out is the photos' folder", refused("photos"))
def _(place: Place) -> object:
    words = masked(place, "c.txt", "1: herring\n2: gull\n")
    words[words.index("--out") + 1] = place.folder / "photos"
    return words


@attempt(KIND, "folders of photos that go round in a circle", either("circle|link|loop|image", says(".")))
def _(place: Place) -> object:
    photo(place.folder / "photos/cat/a.png")
    photo(place.folder / "photos/dog/a.png")
    (place.folder / "photos/cat/again").symlink_to(place.folder / "photos")
    return ["data", "from-labels", place.folder / "photos", "--out", place.out, *SMALL]


@attempt(KIND, "a figure's name is somebody's folder", refused("theirs|folder"))
def _(place: Place) -> object:
    (place.theirs() / "c.svg").mkdir()
    return ["compare", place.base / "run", "--out", place.folder / "theirs/c.svg"]


@attempt(KIND, "a figure's folder is a file", refused("letter|file|folder"))
def _(place: Place) -> object:
    return ["compare", place.base / "run", "--out", place.write("letter", "mine") / "c.svg"]
