"""Mistakes with images whose class is known, linear classifiers and exports."""

from __future__ import annotations

from PIL import Image
from tests.errors.desk import mistake


def paint(desk, *names):
    """Write small images below a folder, and return the folder."""
    for name in names:
        path = desk.folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
    return desk.folder / "photos"


def discriminate(desk, *words):
    return ["discriminate", desk.finished, desk.net, *words]


@mistake("images in no class folder")
def _(desk):
    return discriminate(desk, "--data", paint(desk, "1.png"))


@mistake("class folders that the class list does not have")
def _(desk):
    (desk.folder / "classes.txt").write_text("tench\ngoldfish\n")
    data = paint(desk, "cow/1.png", "emu/1.png")
    return discriminate(desk, "--data", data, "--classes", desk.folder / "classes.txt")


@mistake("synset ids and a class list without them")
def _(desk):
    (desk.folder / "classes.txt").write_text("tench\ngoldfish\n")
    return discriminate(desk, "--data", paint(desk, "n01440764/1.png"), "--classes", desk.folder / "classes.txt")


@mistake("a class list whose numbers leave a gap")
def _(desk):
    (desk.folder / "classes.txt").write_text("0: cow\n1: emu\n3: cat\n")
    return discriminate(desk, "--data", paint(desk, "cow/1.png"), "--classes", desk.folder / "classes.txt")


@mistake("a table that names an image that is not there")
def _(desk):
    (desk.folder / "labels.csv").write_text("image,class\n2.png,cow\n")
    return discriminate(desk, "--data", paint(desk, "1.png"), "--labels", desk.folder / "labels.csv")


@mistake("a table of images without a column of classes")
def _(desk):
    (desk.folder / "labels.csv").write_text("image,size,mean\n1.png,8,0\n")
    return discriminate(desk, "--data", paint(desk, "1.png"), "--labels", desk.folder / "labels.csv")


@mistake("too few images of every class")
def _(desk):
    return discriminate(desk, "--data", paint(desk, "cow/1.png", "emu/1.png"))


@mistake("a comparison with a run that was not asked")
def _(desk):
    data = paint(desk, *(f"{name}/{number}.png" for name in ("cow", "emu") for number in range(5)))
    return discriminate(desk, "--data", data, "--beside", desk.finished)


@mistake("an export of nothing")
def _(desk):
    return ["export", desk.finished, desk.net, "--out", desk.out, "--data", desk.data]


@mistake("an export into a folder with something else")
def _(desk):
    desk.out.mkdir()
    (desk.out / "thesis.txt").write_text("text")
    return ["export", desk.finished, desk.net, "--out", desk.out, "--data", desk.data, "--maxima"]
