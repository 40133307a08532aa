"""Recognize folders and files that are no probe set, and name the command that makes one of them."""

from __future__ import annotations

import itertools
import shlex
from typing import TYPE_CHECKING

from netdissect.io.images import ENDINGS

if TYPE_CHECKING:
    from pathlib import Path

#: Most entries of a folder that are examined.
_MAX_FILES = 2000
_COMMANDS = {
    ".json": "netdissect data from-coco {0} IMAGES --out DIR makes a probe set of COCO's annotations",
    ".zip": "unpack it, and give the folder that holds index.csv",
    ".tar": "unpack it, and give the folder that holds index.csv",
    ".gz": "unpack it, and give the folder that holds index.csv",
    ".csv": "give the folder that holds it",
}


def explain_not_broden(path: Path) -> str | None:
    """Return a sentence that says why a path is no probe set and which command makes one; None if it may be one.

    A folder with some of Broden's tables may be one: `Broden` says which table is missing.
    """
    if path.is_file():
        kind = next((command for ending, command in _COMMANDS.items() if path.name.lower().endswith(ending)), None)
        rest = kind.format(path) if kind else "netdissect data list shows what can be downloaded"
        return f"{path} is a file: expected a folder in Broden's format; {rest}"
    if not path.is_dir() or any((path / table).exists() for table in ("index.csv", "category.csv", "label.csv")):
        return None
    inside = next((below for below in _list_folders(path) if (below / "index.csv").is_file()), None)
    if inside is not None:
        return f"{path} is no probe set, but {inside} below it may be one: give that folder"
    lead = f"{path} holds no index.csv and is no probe set"
    if (path / "JPEGImages").is_dir():
        return f"{lead}: netdissect data from-voc {path} --out DIR makes one of a folder laid out as PASCAL VOC"
    classes = [below for below in _list_folders(path) if any(_list_images(below))]
    if len(classes) > 1:
        return (
            f"{lead}: netdissect data from-labels {path} --out DIR makes one of class folders, from-masks of images and "
            f"masks ({', '.join(folder.name for folder in classes[:3])} hold images)"
        )
    where = path if any(_list_images(path)) else classes[0] if classes else None
    if where is None:
        return f"{lead}: expected a folder in Broden's format; netdissect data list shows what can be downloaded"
    folder = shlex.quote(str(where))
    return (
        f"{where} holds images and no labels, so it is no probe set; three ways on: with masks of yours, netdissect data "
        f"from-masks {folder} MASKS --classes FILE --out DIR; with a segmentation network, netdissect dissect {folder} MODEL "
        f"--layers last --segmenter torchvision:deeplabv3_resnet50; with words, netdissect dissect {folder} MODEL --layers last "
        f"--words dog sky 'red car'"
    )


def _list_folders(path: Path) -> list[Path]:
    return sorted(below for below in itertools.islice(path.iterdir(), _MAX_FILES) if below.is_dir())


def _list_images(path: Path) -> list[Path]:
    found = itertools.islice(path.iterdir(), _MAX_FILES)
    return [file for file in found if file.suffix.lower() in ENDINGS]
