"""Tiny exports of annotation tools, and the label maps that are read from them, at full resolution."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from netdissect.probe_sets.importers.annotations.annotated_images import read_annotations
from netdissect.probe_sets.importers.annotations.records import AnnotationOptions
from netdissect.probe_sets.importers.import_options import ImportOptions

#: Height and width of every image here.
SIZE = (24, 32)


def photo(path, size=SIZE, turned=None):
    """Write an image; `turned` is its EXIF orientation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if turned is not None:
        exif[0x0112] = turned
    Image.new("RGB", size[::-1], (90, 120, 30)).save(path, exif=exif)
    return path


def write(path, told):
    """Write a JSON, or a text as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(told if isinstance(told, str) else json.dumps(told))
    return path


def png(mask, mode="1"):
    """Return a mask as a PNG in base64."""
    out = io.BytesIO()
    picture = Image.fromarray(np.asarray(mask, bool).astype(np.uint8) * 255)
    if mode == "RGBA":
        rgba = np.zeros((*np.shape(mask), 4), np.uint8)
        rgba[np.asarray(mask, bool)] = 255
        picture = Image.fromarray(rgba)
    else:
        picture = picture.convert(mode)
    picture.save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def nothing(size=SIZE):
    """Return a label map without labels."""
    return np.full(size, "", object)


def source_of(where, *, tool=None, said=None, boxes=False, leave_out=(), attribute=None, photos=None, **options):
    """Return what is read from an export."""
    making = ImportOptions.from_keywords({"say": (said if said is not None else []).append, **options})
    wanted = AnnotationOptions(boxes, leave_out, attribute, photos)
    return read_annotations(Path(where), None, tool, wanted, making)


def label_maps(where, **asked):
    """Return the names of all pixels, (h, w), by image; check that the image has the same shape."""
    source = source_of(where, **asked)
    names = np.array(["", *source.classes.names], object)
    maps = {}
    for item in source.list_images():
        plane = sum(source.read_labels(item).values())
        assert source.read_image(item).shape[:2] == plane.shape
        maps[item.file] = names[plane]
    return maps


def splits(where, **asked):
    """Return the split of every image."""
    return {item.file: item.split for item in source_of(where, **asked).list_images()}


def same(found, expected):
    """Compare two label maps; show where they differ."""
    assert found.shape == expected.shape
    differ = np.argwhere(found != expected)
    assert not len(differ), [(tuple(at), found[tuple(at)], expected[tuple(at)]) for at in differ[:8]]
