"""``from-voc``: a folder laid out as PASCAL VOC: JPEGImages, SegmentationClass, perhaps ImageSets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdissect.errors import DataNotFoundError
from netdissect.probe_sets.importers import split_names
from netdissect.probe_sets.importers.class_list import ClassList, ClassListLike, read_class_list
from netdissect.probe_sets.importers.import_options import ImportOptions, abbreviate_paths, find_images
from netdissect.probe_sets.importers.mask_folders import MaskFolders
from netdissect.probe_sets.source import read_source_text

if TYPE_CHECKING:
    from netdissect.probe_sets.compile.make import BuildResult

#: The classes of PASCAL VOC, 1..20.
VOC_CLASSES = (
    "airplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "dining table", "dog", "horse",
    "motorbike", "person", "potted plant", "sheep", "sofa", "train", "tv monitor",
)  # fmt: skip


def from_voc(
    folder: str | Path,
    out: str | Path,
    *,
    classes: ClassListLike | None = None,
    first: int | None = None,
    number_column: str | None = None,
    **options: Any,
) -> BuildResult:
    """Make a probe set of a folder laid out as PASCAL VOC.

    Args:
        folder: holds ``JPEGImages/`` and ``SegmentationClass/``; ``ImageSets/Segmentation/train.txt``, ``val.txt`` and
            ``test.txt`` (or other names of splits) decide the split if they are there.
        out: the set's folder.
        classes: the class list; None takes ``labelmap.txt`` if the folder has one (as CVAT exports it), else VOC's 20.
        first: number of the first class of a list without numbers.
        number_column: the column of the class list that holds the masks' numbers; None finds it.
        options: as `ImportOptions`.

    Raises:
        DataError: one of its leaves, for anything wrong with the files.
        SettingsError: for an option out of its range.
    """
    making = ImportOptions.of(options)
    root = Path(folder)
    photos, masks = root / "JPEGImages", root / "SegmentationClass"
    for needed in (photos, masks):
        if not needed.is_dir():
            raise DataNotFoundError(f"{root} is not laid out as PASCAL VOC: {needed.name}/ is missing")
    listed = making.classes(_read_classes(root, classes, making, first, number_column))
    split = _read_splits(root, making)
    by_stem = {path.stem: path for path in reversed(find_images(photos, making.say))}
    pairs, bare = [], []
    for mask in sorted(masks.glob("*.png")):
        photo = by_stem.get(mask.stem)
        if photo is None:
            bare.append(mask)
        else:
            pairs.append((photo.name, photo, mask, split.get(mask.stem, "")))
    if (bare and not making.skip_missing) or not pairs:
        raise DataNotFoundError(
            f"{len(bare)} masks of {masks} have no image in {photos}: {abbreviate_paths(bare)}; --skip-missing leaves them out"
            if bare
            else f"{masks} holds no mask: expected .png files"
        )
    source = MaskFolders(making.source_name(root), f"{root}, laid out as PASCAL VOC", listed, tuple(pairs))
    return making.finish(source, out, about="Made with: netdissect data from-voc.")


def _read_classes(
    root: Path, classes: ClassListLike | None, making: ImportOptions, first: int | None, number_column: str | None
) -> ClassList:
    if classes is not None:
        return read_class_list(classes, making.category, first=first, column=number_column)
    if (root / "labelmap.txt").is_file():
        return read_class_list(root / "labelmap.txt", making.category)
    return read_class_list(VOC_CLASSES, making.category, first=1)


def _read_splits(root: Path, making: ImportOptions) -> dict[str, str]:
    """Return the split of every image that a list of a split names; of one in several, that of the first of train, val, test."""
    listed: dict[str, str] = {}
    twice = 0
    paths = [path for path in (root / "ImageSets" / "Segmentation").glob("*.txt") if split_names.parse_split(path.stem)]
    paths = [path for path in paths if path.stem.casefold() != "trainval" or len(paths) == 1]
    order = list(split_names.SPLIT_SPELLINGS)
    for path in sorted(paths, key=lambda path: (order.index(split_names.parse_split(path.stem) or ""), path.name)):
        split = split_names.parse_split(path.stem) or ""
        for line in read_source_text(path, path.name).splitlines():
            if line.strip():
                twice += listed.setdefault(line.split()[0], split) != split
    if twice:
        making.say(
            f"{root}: {twice} images are in the lists of several splits, and go to the first of train, val, test"
        )
    return listed
