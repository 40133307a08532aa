"""``from-voc``: a folder laid out as PASCAL VOC: JPEGImages, SegmentationClass, perhaps ImageSets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdissect.data.build.source import read_text
from netdissect.data.own.classes import ClassList, read_classes
from netdissect.data.own.making import Making, first_of
from netdissect.data.own.masks import MaskedPictures
from netdissect.errors import DataNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netdissect.data.build.make import Made

#: The classes of PASCAL VOC, 1..20.
VOC_CLASSES = (
    "airplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "dining table", "dog", "horse",
    "motorbike", "person", "potted plant", "sheep", "sofa", "train", "tv monitor",
)  # fmt: skip

_ENDINGS = (".jpg", ".jpeg", ".png")


def from_voc(
    folder: str | Path,
    out: str | Path,
    *,
    classes: str | Path | Sequence[str] | Mapping[int, str] | None = None,
    **options: Any,
) -> Made:
    """Make a probe set of a folder laid out as PASCAL VOC.

    Args:
        folder: holds ``JPEGImages/`` and ``SegmentationClass/``; ``ImageSets/Segmentation/train.txt`` and ``val.txt``
            decide the split if they are there.
        out: the set's folder.
        classes: the class list; None takes ``labelmap.txt`` if the folder has one (as CVAT exports it), else VOC's 20.
        options: as `Making`.

    Raises:
        DataError: one of its leaves, for anything wrong with the files.
        SettingsError: for an option out of its range.
    """
    making = Making.of(options)
    root = Path(folder)
    photos, masks = root / "JPEGImages", root / "SegmentationClass"
    for needed in (photos, masks):
        if not needed.is_dir():
            raise DataNotFoundError(f"{root} is not laid out as PASCAL VOC: {needed.name}/ is missing")
    listed = making.classes(_classes(root, classes, making))
    splits = _splits(root)
    pairs, bare = [], []
    for mask in sorted(masks.glob("*.png")):
        photo = next((path for end in _ENDINGS if (path := photos / f"{mask.stem}{end}").is_file()), None)
        if photo is None:
            bare.append(mask)
        else:
            pairs.append((photo.name, photo, mask, splits.get(mask.stem, "")))
    if (bare and not making.skip_missing) or not pairs:
        raise DataNotFoundError(
            f"{len(bare)} masks of {masks} have no picture in {photos}: {first_of(bare)}; --skip-missing leaves them out"
            if bare
            else f"{masks} holds no mask: expected .png files"
        )
    source = MaskedPictures(making.source_name(root), f"{root}, laid out as PASCAL VOC", listed, tuple(pairs))
    return making.finish(source, out, about="Made with: netdissect data from-voc.")


def _classes(root: Path, classes: str | Path | Sequence[str] | Mapping[int, str] | None, making: Making) -> ClassList:
    if classes is not None:
        return read_classes(classes, making.category)
    if (root / "labelmap.txt").is_file():
        return read_classes(root / "labelmap.txt", making.category)
    return read_classes(VOC_CLASSES, making.category, first=1)


def _splits(root: Path) -> dict[str, str]:
    """Return the split of every image that a list names."""
    splits: dict[str, str] = {}
    for name in ("train", "val"):
        path = root / "ImageSets" / "Segmentation" / f"{name}.txt"
        if path.is_file():
            splits |= {line.split()[0]: name for line in read_text(path, f"{name}.txt").splitlines() if line.strip()}
    return splits
