"""``from-ade``: ADE20K on its own, the full release or the 150 classes of its challenge."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from netdissect.errors import DataFileError, DataNotFoundError, SettingsError
from netdissect.io.json_files import read_json
from netdissect.probe_sets.compile.ade20k import Ade20k, normalize_scene, open_ade20k
from netdissect.probe_sets.importers.ade_names import (
    check_class_number,
    order_class_names,
    read_scene_name,
    wrap_in_list,
)
from netdissect.probe_sets.importers.ade_rows import AdeRows, open_ade_rows
from netdissect.probe_sets.importers.class_list import read_class_list
from netdissect.probe_sets.importers.import_options import ImportOptions, abbreviate_paths, find_images
from netdissect.probe_sets.importers.mask_folders import MaskFolders
from netdissect.probe_sets.importers.split_names import find_split, parse_split
from netdissect.probe_sets.source import CategoryLabels, SourceImage, hash_parts, read_source_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netdissect.probe_sets.compile.make import BuildResult

#: A name on the Hugging Face hub.
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class AdeChallenge(MaskFolders):
    """The challenge's pictures: a mask of 150 classes each, and a scene.

    Attributes:
        scenes: the scenes' names, sorted.
        scene_of: the scene of every image, by its stem.
    """

    scenes: tuple[str, ...] = ()
    scene_of: Mapping[str, str] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Return a hash of its tables."""
        return hash_parts(super().fingerprint(), self.scenes, sorted(self.scene_of.items()))

    def list_names(self, category: str, label: int) -> Sequence[str]:
        """Return the name of a class or scene."""
        if category == "scene" and label:
            return (f"{self.scenes[label - 1]}-s",)
        return super().list_names(category, label)

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return object plane and scene of an image."""
        labels = dict(super().read_labels(entry))
        scene = self.scene_of.get(Path(entry.file).stem)
        if scene is not None:
            labels["scene"] = (self.scenes.index(scene) + 1,)
        return labels


def from_ade(folder: str | Path, out: str | Path, **options: Any) -> BuildResult:
    """Make a probe set of ADE20K.

    Args:
        folder: the full release, with ``index_ade20k.mat`` or with a .json beside every image; the challenge
            (``ADEChallengeData2016``), with ``images/``, ``annotations/`` and ``objectInfo150.txt``; or a copy of the
            release of 2021 as a Hugging Face data set (``1aurent/ADE20K``): its name, a folder it was saved to, or a
            folder of its Parquet files.
        out: the set's folder.
        options: as `ImportOptions`; `rename` and `category` are for the challenge only, since the full release has names of
            its own in three categories.

    Raises:
        DataError: one of its leaves, for anything wrong with the files.
        SettingsError: for an option out of its range.
    """
    making = ImportOptions.of(options)
    root = Path(folder)
    if not root.is_dir() and (root.exists() or not _HUB_ID.fullmatch(str(folder))):
        raise DataNotFoundError(
            f"there is no folder {root}: expected a release of ADE20K, or the name of a copy of it on the Hugging Face hub, "
            f"such as 1aurent/ADE20K"
        )
    info = next((path for name in ("objectInfo150.txt", "objectInfo150.csv") if (path := root / name).is_file()), None)
    if info is not None:
        source = _open_challenge(root, info, making)
        return making.finish(source, out, about="Made with: netdissect data from-ade.")
    if making.rename is not None or making.category != "object":
        raise SettingsError("the full ADE20K has names and categories of its own: --rename and --category do not apply")
    full = open_ade_release(folder, name=making.name or "ade20k", skip_missing=making.skip_missing, splits=True)
    return making.finish(full, out, about="Made with: netdissect data from-ade.")


def open_ade_release(folder: str | Path, *, name: str, skip_missing: bool, splits: bool) -> Ade20k | AdeRows:
    """Open the full ADE20K: by its index, by the .json beside every image, or as rows of a data set.

    Args:
        folder: where it lies; of rows, also their name on the Hugging Face hub.
        name: what rows are called as a source.
        skip_missing: leave out images whose files are not there.
        splits: whether images keep the splits of the release; if not, the rule of docs/broden.md decides.

    Raises:
        DataError: one of its leaves, for anything wrong with the files.
    """
    root = Path(folder)
    if _is_dataset(root):
        return open_ade_rows(folder, name, splits=splits)
    if _has_json_only(root):
        full = _open_json_release(root, skip_missing=skip_missing)
    else:
        full = open_ade20k(root, skip_missing=skip_missing)
    if not splits:
        return full
    return replace(full, splits={inside: find_split(PurePosixPath(inside).parts) for _, inside, _ in full.files})


def _open_challenge(root: Path, info: Path, making: ImportOptions) -> AdeChallenge:
    classes = making.classes(read_class_list(info, making.category))
    pairs, bare = [], []
    for folder in sorted(path for path in (root / "annotations").glob("*") if path.is_dir()):
        if not any(folder.glob("*.png")):
            continue
        by_stem = {path.stem: path for path in reversed(find_images(root / "images" / folder.name, making.say))}
        for mask in sorted(folder.glob("*.png")):
            photo = by_stem.get(mask.stem)
            if photo is None:
                bare.append(mask)
            else:
                pairs.append((photo.name, photo, mask, parse_split(folder.name) or ""))
    if (bare and not making.skip_missing) or not pairs:
        raise DataNotFoundError(
            f"{len(bare)} masks of {root / 'annotations'} have no image in {root / 'images'}: {abbreviate_paths(bare)}"
            if bare
            else f"{root}: expected annotations/training/*.png and images/training/, and found none"
        )
    scene_of = {}
    listed = root / "sceneCategories.txt"
    if listed.is_file():
        words = (line.split() for line in read_source_text(listed, "sceneCategories.txt").splitlines())
        scene_of = {pair[0]: normalize_scene(pair[1]) for pair in words if len(pair) == 2}
    scenes = tuple(sorted(set(scene_of.values())))
    about = f"ADE20K's scene parsing challenge, {root}: 150 classes"
    return AdeChallenge(making.source_name(root), about, classes, tuple(pairs), scenes, scene_of)


def _is_dataset(root: Path) -> bool:
    """Say whether a folder is a data set of rows: saved by ``datasets``, or of Parquet files; or is none but a name."""
    saved = any((root / name).is_file() for name in ("state.json", "dataset_dict.json"))
    return not root.is_dir() or saved or next(root.rglob("*.parquet"), None) is not None


def _has_json_only(root: Path) -> bool:
    indexed = any(root.glob("index*.mat")) or any(root.glob("*/index*.mat"))
    return not indexed and next(root.rglob("ADE_*.json"), None) is not None


def _open_json_release(root: Path, *, skip_missing: bool) -> Ade20k:
    """Open a part of the release of 2021 by the .json beside every image."""
    names: dict[int, str] = {}
    rows = []
    for path in sorted(root.rglob("ADE_*.json")):
        told = read_json(
            path, "ADE20K's annotation", missing=DataNotFoundError, wrong=DataFileError, encoding="latin-1"
        )
        try:
            annotation = told["annotation"]
            scene = read_scene_name(annotation.get("scene"))
            for thing in wrap_in_list(annotation["object"]):
                names[check_class_number(thing["name_ndx"])] = str(thing["name"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataFileError(f"{path}: expected ADE20K's annotation of an image ({error})") from error
        rows.append((f"{path.stem}.jpg", path.parent.relative_to(root).as_posix(), scene))
    scenes = tuple(sorted({scene for *_, scene in rows if scene}))
    return Ade20k(root, tuple(rows), order_class_names(names), scenes, skip_missing)
