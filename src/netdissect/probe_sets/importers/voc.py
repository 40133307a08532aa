"""``from-voc``: import a folder laid out as PASCAL VOC: JPEGImages, SegmentationClass, optionally ImageSets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from netdissect.errors import DataNotFoundError
from netdissect.probe_sets.importers.image_folders import pair_by_stem
from netdissect.probe_sets.importers.import_options import ImportOptions, ImportOptionsDict
from netdissect.probe_sets.importers.mask_folders import MaskFolders
from netdissect.probe_sets.importers.split_names import SPLIT_SPELLINGS, parse_split
from netdissect.probe_sets.source import SourceImage, read_source_text
from netdissect.wording import count_noun

if TYPE_CHECKING:
    from netdissect.probe_sets.compile.make import BuildResult
    from netdissect.probe_sets.importers.class_list import ClassList, ClassListLike

#: The classes of PASCAL VOC, 1 to 20.
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
    **options: Unpack[ImportOptionsDict],
) -> BuildResult:
    """Make a probe set of a folder laid out as PASCAL VOC.

    Args:
        folder: holds ``JPEGImages/`` and ``SegmentationClass/``, and perhaps ``ImageSets/Segmentation/train.txt``,
            ``val.txt`` and ``test.txt``, which list the images of the splits.
        out: folder of the probe set.
        classes: the class list; default: the folder's ``labelmap.txt`` (as CVAT exports it), or else VOC's 20 classes.
        first: number of the first class, if the list has no numbers.
        number_column: column of the class list with the numbers in the masks; None finds it.
        options: see `ImportOptions`.

    Raises:
        DataError: or a subclass, if anything is wrong with the files.
        SettingsError: if an option is out of its range.
    """
    settings = ImportOptions.from_keywords(options)
    root = Path(folder)
    photos, masks = root / "JPEGImages", root / "SegmentationClass"
    for needed in (photos, masks):
        if not needed.is_dir():
            raise DataNotFoundError(f"{root} is not laid out as PASCAL VOC: {needed.name}/ is missing")
    listed = _read_classes(root, classes, first, number_column, settings)
    splits = _read_splits(root, settings)
    source = MaskFolders(
        name=settings.choose_name(root), about=f"{root}, laid out as PASCAL VOC", classes=listed,
        images=tuple(
            SourceImage(photo.name, (photo, mask), (photo, mask), splits.get(mask.stem, ""))
            for photo, mask in pair_by_stem(photos, masks, settings)
        ),
    )  # fmt: skip
    return settings.write_probe_set(source, out, note="Made with: netdissect data from-voc.")


def _read_classes(
    root: Path, classes: ClassListLike | None, first: int | None, column: str | None, options: ImportOptions
) -> ClassList:
    if classes is not None:
        return options.read_classes(classes, first=first, column=column)
    if (root / "labelmap.txt").is_file():
        return options.read_classes(root / "labelmap.txt")
    return options.read_classes(VOC_CLASSES, first=1)


def _read_splits(root: Path, options: ImportOptions) -> dict[str, str]:
    """Return the split of every listed image; an image in several lists gets the first of train, val, test."""
    listed: dict[str, str] = {}
    duplicates = 0
    order = list(SPLIT_SPELLINGS)
    lists = [
        (split, path) for path in (root / "ImageSets/Segmentation").glob("*.txt") if (split := parse_split(path.stem))
    ]
    lists = [(split, path) for split, path in lists if path.stem.casefold() != "trainval" or len(lists) == 1]
    for split, path in sorted(lists, key=lambda pair: (order.index(pair[0]), pair[1].name)):
        for line in read_source_text(path, path.name).splitlines():
            if line.strip():
                duplicates += listed.setdefault(line.split()[0], split) != split
    if duplicates:
        options.say(
            f"{root}: {count_noun(duplicates, 'image is', 'images are')} listed in several splits, and taken as the first of train, val, test"
        )
    return listed
