"""``from-ade``: ADE20K on its own, the full release or the 150 classes of its challenge."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdissect.data.build.ade20k import Ade20k, normal_scene, open_ade20k
from netdissect.data.build.source import Item, Labelling, hashed, read_text
from netdissect.data.own.classes import read_classes
from netdissect.data.own.making import Making, first_of
from netdissect.data.own.masks import MaskedPictures
from netdissect.errors import DataFileError, DataNotFoundError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netdissect.data.build.make import Made


@dataclass(frozen=True)
class AdeChallenge(MaskedPictures):
    """The challenge's pictures: a mask of 150 classes each, and a scene.

    Attributes:
        scenes: the scenes' names, sorted.
        scene_of: the scene of every picture, by its stem.
    """

    scenes: tuple[str, ...] = ()
    scene_of: Mapping[str, str] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Return a hash of its tables."""
        return hashed(super().fingerprint(), self.scenes, sorted(self.scene_of.items()))

    def names(self, category: str, label: int) -> Sequence[str]:
        """Return the name of a class or scene."""
        if category == "scene" and label:
            return (f"{self.scenes[label - 1]}-s",)
        return super().names(category, label)

    def labels(self, item: Item) -> Mapping[str, Labelling]:
        """Return object plane and scene of an image."""
        labels = dict(super().labels(item))
        scene = self.scene_of.get(Path(item.file).stem)
        if scene is not None:
            labels["scene"] = (self.scenes.index(scene) + 1,)
        return labels


def from_ade(folder: str | Path, out: str | Path, **options: Any) -> Made:
    """Make a probe set of ADE20K.

    Args:
        folder: the full release, with ``index_ade20k.mat`` or with a .json beside every picture; or the challenge
            (``ADEChallengeData2016``), with ``images/``, ``annotations/`` and ``objectInfo150.txt``.
        out: the set's folder.
        options: as `Making`; `rename` and `category` are for the challenge only, since the full release has names of
            its own in three categories.

    Raises:
        DataError: one of its leaves, for anything wrong with the files.
        SettingsError: for an option out of its range.
    """
    making = Making.of(options)
    root = Path(folder)
    if not root.is_dir():
        raise DataNotFoundError(f"there is no folder {root}")
    info = next((path for name in ("objectInfo150.txt", "objectInfo150.csv") if (path := root / name).is_file()), None)
    if info is not None:
        source = _challenge(root, info, making)
        return making.finish(source, out, about="Made with: netdissect data from-ade.")
    if making.rename is not None or making.category != "object":
        raise SettingsError("the full ADE20K has names and categories of its own: --rename and --category do not apply")
    full = _by_json(root) if _has_json_only(root) else open_ade20k(root, skip_missing=making.skip_missing)
    return making.finish(full, out, about="Made with: netdissect data from-ade.")


def _challenge(root: Path, info: Path, making: Making) -> AdeChallenge:
    classes = making.classes(read_classes(_object_info(info), making.category))
    pairs, bare = [], []
    for folder, split in (("training", "train"), ("validation", "val")):
        for mask in sorted((root / "annotations" / folder).glob("*.png")):
            photo = root / "images" / folder / f"{mask.stem}.jpg"
            if photo.is_file():
                pairs.append((photo.name, photo, mask, split))
            else:
                bare.append(mask)
    if (bare and not making.skip_missing) or not pairs:
        raise DataNotFoundError(
            f"{len(bare)} masks of {root / 'annotations'} have no picture in {root / 'images'}: {first_of(bare)}"
            if bare
            else f"{root}: expected annotations/training/*.png and images/training/*.jpg, and found none"
        )
    scene_of = {}
    listed = root / "sceneCategories.txt"
    if listed.is_file():
        words = (line.split() for line in read_text(listed, "sceneCategories.txt").splitlines())
        scene_of = {pair[0]: normal_scene(pair[1]) for pair in words if len(pair) == 2}
    scenes = tuple(sorted(set(scene_of.values())))
    about = f"ADE20K's scene parsing challenge, {root}: 150 classes"
    return AdeChallenge(making.source_name(root), about, classes, tuple(pairs), scenes, scene_of)


def _object_info(path: Path) -> dict[int, str]:
    """Return number and first name of every class of the challenge's table."""
    names: dict[int, str] = {}
    for line, text in enumerate(read_text(path, path.name).splitlines()[1:], start=2):
        fields = [field.strip() for field in (text.split("\t") if "\t" in text else text.split(",", 5))]
        if not text.strip():
            continue
        if len(fields) < 2 or not fields[0].isdigit() or int(fields[0]) in names:
            raise DataFileError(f"{path}, line {line}: expected a number, …, a name, got {text.strip()!r}")
        names[int(fields[0])] = re.split(r"[,;]", fields[-1].strip('"'))[0]
    return names


def _has_json_only(root: Path) -> bool:
    indexed = any(root.glob("index*.mat")) or any(root.glob("*/index*.mat"))
    return not indexed and next(root.rglob("ADE_*.json"), None) is not None


def _by_json(root: Path) -> Ade20k:
    """Open a part of the release of 2021 by the .json beside every picture."""
    names: dict[int, str] = {}
    rows = []
    for path in sorted(root.rglob("ADE_*.json")):
        try:
            told = json.loads(path.read_text(encoding="latin-1"))["annotation"]
            scene = normal_scene(str(told["scene"][-1])) if told.get("scene") else ""
            names |= {int(thing["name_ndx"]): str(thing["name"]) for thing in told["object"]}
        except (ValueError, TypeError, KeyError, OSError) as error:
            raise DataFileError(f"{path}: expected ADE20K's annotation of a picture ({error})") from error
        rows.append((f"{path.stem}.jpg", path.parent.relative_to(root).as_posix(), scene))
    listed = tuple(names.get(number, "-") for number in range(1, max(names, default=0) + 1))
    scenes = tuple(sorted({scene for *_, scene in rows if scene}))
    return Ade20k(root, tuple(rows), listed, scenes)
