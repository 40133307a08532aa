"""``from-ade``: import ADE20K, the full release or the 150 classes of its challenge."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Unpack

from netdissect.errors import DataFileError, DataNotFoundError, SettingsError
from netdissect.io.json_files import read_json
from netdissect.probe_sets.compile.ade20k import Ade20k, normalize_scene, open_ade20k
from netdissect.probe_sets.importers.ade_rows import (
    AdeRows,
    check_class_number,
    open_ade_rows,
    order_class_names,
    read_scene_name,
    wrap_in_list,
)
from netdissect.probe_sets.importers.image_folders import pair_by_stem
from netdissect.probe_sets.importers.import_options import ImportOptions, ImportOptionsDict
from netdissect.probe_sets.importers.mask_folders import MaskFolders
from netdissect.probe_sets.importers.split_names import find_split, parse_split
from netdissect.probe_sets.source import CategoryLabels, SourceImage, hash_parts, read_source_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netdissect.probe_sets.compile.make import BuildResult
    from netdissect.probe_sets.source import Source

#: A name on the Hugging Face hub.
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, kw_only=True)
class AdeChallenge(MaskFolders):
    """The challenge's images; an image's record is its file, that of its mask, and the label of its scene (0: none).

    Attributes:
        scenes: the scenes' names, sorted.
    """

    scenes: tuple[str, ...]

    def list_names(self, category: str, label: int) -> Sequence[str]:
        """Return the name of a class or scene."""
        if category == "scene" and label:
            return (f"{self.scenes[label - 1]}-s",)
        return super().list_names(category, label)

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return the label maps and the scene of an image."""
        scene = entry.record[2]
        return {**super().read_labels(entry), **({"scene": (scene,)} if scene else {})}


def from_ade(folder: str | Path, out: str | Path, **options: Unpack[ImportOptionsDict]) -> BuildResult:
    """Make a probe set of ADE20K.

    Args:
        folder: the full release, with ``index_ade20k.mat`` or with a .json next to every image; the challenge
            (``ADEChallengeData2016``), with ``images/``, ``annotations/`` and ``objectInfo150.txt``; or a copy of the
            release of 2021 as a Hugging Face data set (``1aurent/ADE20K``): its name, a folder it was saved to, or a
            folder of its Parquet files.
        out: folder of the probe set.
        options: see `ImportOptions`; `rename` and `category` are for the challenge only: the full release has names in
            three categories.

    Raises:
        DataError: or a subclass, if anything is wrong with the files.
        SettingsError: if an option is out of its range.
    """
    settings = ImportOptions.from_keywords(options)
    root = Path(folder)
    if not root.is_dir() and (root.exists() or not _HUB_ID.fullmatch(str(folder))):
        raise DataNotFoundError(
            f"there is no folder {root}: expected a release of ADE20K, or the name of a copy of it on the Hugging Face hub, "
            f"such as 1aurent/ADE20K"
        )
    class_file = next((path for suffix in ("txt", "csv") if (path := root / f"objectInfo150.{suffix}").is_file()), None)
    source: Source
    if class_file is not None:
        source = _open_challenge(root, class_file, settings)
    elif settings.rename is not None or settings.category not in (None, "object"):
        raise SettingsError("the full ADE20K has names and categories of its own: --rename and --category do not apply")
    else:
        source = open_ade_release(
            folder, name=settings.name or "ade20k", skip_missing=settings.skip_missing, splits=True
        )
    return settings.write_probe_set(source, out, note="Made with: netdissect data from-ade.")


def open_ade_release(folder: str | Path, *, name: str, skip_missing: bool, splits: bool) -> Ade20k | AdeRows:
    """Open the full ADE20K: by its index, by the .json next to every image, or as a Hugging Face data set.

    Args:
        folder: the release's folder, or the name of a data set on the hub.
        name: the source's name, if the release is a data set.
        skip_missing: leave out images whose files are missing.
        splits: whether images keep the splits of the release; if not, hashes of their names decide.

    Raises:
        DataError: or a subclass, if anything is wrong with the files.
    """
    root = Path(folder)
    if _is_dataset(root):
        return open_ade_rows(folder, name, splits=splits)
    if _has_json_only(root):
        release = _open_json_release(root, skip_missing=skip_missing)
    else:
        release = open_ade20k(root, skip_missing=skip_missing)
    if not splits:
        return release
    return replace(release, splits={inside: find_split(PurePosixPath(inside).parts) for _, inside, _ in release.files})


def _open_challenge(root: Path, class_file: Path, options: ImportOptions) -> AdeChallenge:
    masks = root / "annotations"
    below = sorted(folder.name for folder in masks.glob("*") if folder.is_dir() and any(folder.glob("*.png")))
    pairs = pair_by_stem(root / "images", masks, options, below=below)
    scene_of = {}
    if (root / "sceneCategories.txt").is_file():
        lines = read_source_text(root / "sceneCategories.txt", "sceneCategories.txt").splitlines()
        scene_of = {words[0]: normalize_scene(words[1]) for line in lines if len(words := line.split()) == 2}
    scenes = ("", *sorted(set(scene_of.values())))
    labels = [scenes.index(scene_of.get(photo.stem, "")) for photo, _ in pairs]
    return AdeChallenge(
        name=options.choose_name(root), about=f"ADE20K's scene parsing challenge, {root}: 150 classes", scenes=scenes[1:],
        classes=options.read_classes(class_file), settings_hash=hash_parts(scenes, labels),
        images=tuple(
            SourceImage(photo.name, (photo, mask, scene), (photo, mask), parse_split(mask.parent.name))
            for (photo, mask), scene in zip(pairs, labels, strict=True)
        ),
    )  # fmt: skip


def _is_dataset(root: Path) -> bool:
    """Return whether a path is a Hugging Face data set: a name, a folder saved by ``datasets``, or one of Parquet files."""
    saved = any((root / name).is_file() for name in ("state.json", "dataset_dict.json"))
    return not root.is_dir() or saved or next(root.rglob("*.parquet"), None) is not None


def _has_json_only(root: Path) -> bool:
    indexed = any(root.glob("index*.mat")) or any(root.glob("*/index*.mat"))
    return not indexed and next(root.rglob("ADE_*.json"), None) is not None


def _open_json_release(root: Path, *, skip_missing: bool) -> Ade20k:
    """Open a part of the release of 2021 by the .json next to every image."""
    names: dict[int, str] = {}
    rows = []
    for path in sorted(root.rglob("ADE_*.json")):
        content = read_json(
            path, "ADE20K's annotation", missing=DataNotFoundError, wrong=DataFileError, encoding="latin-1"
        )
        try:
            annotation = content["annotation"]
            scene = read_scene_name(annotation.get("scene"))
            for thing in wrap_in_list(annotation["object"]):
                names[check_class_number(thing["name_ndx"])] = str(thing["name"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataFileError(f"{path}: expected ADE20K's annotation of an image ({error})") from error
        rows.append((f"{path.stem}.jpg", path.parent.relative_to(root).as_posix(), scene))
    scenes = tuple(sorted({scene for *_, scene in rows if scene}))
    return Ade20k(root, tuple(rows), order_class_names(names), scenes, skip_missing)
