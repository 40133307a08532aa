"""Mistakes with prepared probe sets."""

from __future__ import annotations

from tests.errors.desk import mistake

import netdissect as nd
from netdissect import importers


def prepare(desk, **options):
    return nd.prepare_probe_set(desk.data, desk.folder / "one.arrow", **options).file


def damage(file, old, new):
    data = file.read_bytes()
    assert old in data
    file.write_bytes(data.replace(old, new))
    return file


@mistake("a prepared probe set that was cut short")
def _(desk):
    file = prepare(desk)
    file.write_bytes(file.read_bytes()[:-40])
    return desk.run(data=file)


@mistake("a prepared probe set of another version")
def _(desk):
    return desk.run(data=damage(prepare(desk), b'"version": 1', b'"version": 9'))


@mistake("another Arrow file instead of a prepared probe set")
def _(desk):
    return desk.run(data=damage(prepare(desk), b"prepared probe set", b"recorded bird song"))


@mistake("a prepared probe set with a damaged image")
def _(desk):
    file = prepare(desk)
    image = (desk.data / "images/a/image 1.jpg").read_bytes()
    return desk.run(data=damage(file, image, image[:-9] + bytes(9)))


@mistake("a prepared probe set without the images' files, for a network of another input size")
def _(desk):
    return desk.run(data=prepare(desk, images=20))


@mistake("a prepared probe set in place of another file")
def _(desk):
    (desk.folder / "thesis.arrow").write_bytes(b"mine")
    return ["data", "prepare", desk.data, "--out", desk.folder / "thesis.arrow", "--workers", "1"]


@mistake("a prepared probe set with images of no size")
def _(desk):
    return ["data", "prepare", desk.data, "--images", "small"]


@mistake("a prepared probe set at a URL that is not there")
def _(desk):
    return desk.run(data="memory://nowhere/set.arrow")


@mistake("a prepared probe set, to be written back at another size")
def _(desk):
    return lambda: importers.from_hf(prepare(desk), desk.folder / "back", size=64)
