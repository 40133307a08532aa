"""``from-masks``: a folder of pictures, a folder of masks of the same names, and a class list."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdissect.data.build.source import Item, Labelling, hashed
from netdissect.data.own.classes import ClassList, read_classes
from netdissect.data.own.making import Making, first_of, flat, pictures_in
from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import images

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.data.build.make import Made


@dataclass(frozen=True)
class MaskedPictures:
    """Pictures with one mask each: a Source.

    Attributes:
        name: its folder below ``images/``.
        about: a sentence for README.txt.
        classes: what the masks' numbers or colours mean.
        pairs: name in the set, picture, mask and split of every image.
    """

    name: str
    about: str
    classes: ClassList
    pairs: tuple[tuple[str, Path, Path, str], ...]

    aligned = True

    def fingerprint(self) -> str:
        """Return a hash of its tables."""
        return hashed("masks", self.classes.fingerprint(), [(name, split) for name, _, _, split in self.pairs])

    def items(self) -> Sequence[Item]:
        """Return its images."""
        return [Item(name, (photo, mask), (photo, mask), split) for name, photo, mask, split in self.pairs]

    def names(self, category: str, label: int) -> Sequence[str]:  # noqa: ARG002 - a label has one category
        """Return the name of a class."""
        return (self.classes.names[label - 1],) if label else ()

    def photo(self, item: Item) -> NDArray[np.uint8]:
        """Return an image's picture, turned as its mask is."""
        photo, mask = item.record
        return beside_mask(photo, images.size_of(mask))

    def labels(self, item: Item) -> Mapping[str, Labelling]:
        """Return the label planes of an image, one per category."""
        mask = item.record[1]
        return dict(self.classes.split(self.classes.labels(images.read_numbers(mask), mask)))


def from_masks(
    photos: str | Path,
    masks: str | Path,
    classes: str | Path | Sequence[str] | Mapping[int, str],
    out: str | Path,
    *,
    mask_suffix: str = "",
    photo_suffix: str = "",
    first: int | None = None,
    **options: Any,
) -> Made:
    """Make a probe set of pictures and masks.

    A mask has its picture's name and ends in .png; its pixels hold class numbers (grey or palette picture) or colours.
    0 and 255 mean nothing unless the class list names them.

    Args:
        photos: folder of pictures, with folders below it or without.
        masks: folder of masks, laid out as the pictures are.
        classes: the class list, or a file of it; see `read_classes`.
        out: the set's folder.
        mask_suffix: what a mask's name has after the picture's, such as ``_mask``.
        photo_suffix: what a picture's name has and its mask's has not, such as ``_leftImg8bit``.
        first: number of the first class of a plain list.
        options: as `Making`.

    Raises:
        DataError: one of its leaves, for anything wrong with the files.
        SettingsError: for an option out of its range.
    """
    making = Making.of(options)
    photo_folder, mask_folder = Path(photos), Path(masks)
    listed = making.classes(read_classes(classes, making.category, first=first))
    pairs = _pairs(photo_folder, mask_folder, photo_suffix, mask_suffix, skip_missing=making.skip_missing)
    source = MaskedPictures(
        making.source_name(photo_folder), f"pictures of {photo_folder} with masks of {mask_folder}", listed, pairs
    )
    return making.finish(source, out, about="Made with: netdissect data from-masks.")


def beside_mask(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read a picture as its mask lies over it: a camera's note of how to turn it counts only if the mask obeys it too."""
    photo = images.load(path)
    if photo.shape[:2] != size and photo.shape[1::-1] == size:
        turned = images.load(path, upright=True)
        return turned if turned.shape[:2] == size else photo
    return photo


def _pairs(
    photo_folder: Path, mask_folder: Path, photo_suffix: str, mask_suffix: str, *, skip_missing: bool
) -> tuple[tuple[str, Path, Path, str], ...]:
    if not mask_folder.is_dir():
        raise DataNotFoundError(f"there is no folder of masks {mask_folder}")
    masks = {
        mask.relative_to(mask_folder).with_suffix("").as_posix(): mask
        for mask in sorted(mask_folder.rglob("*"))
        if mask.suffix.lower() == ".png"
    }
    # In a folder of both, a picture that is named as a mask is one.
    named_so = {mask.resolve() for stem, mask in masks.items() if stem.endswith(mask_suffix)}
    pairs, bare = [], []
    for photo in pictures_in(photo_folder):
        if photo.suffix.lower() == ".png" and photo.resolve() in named_so:
            continue
        stem = photo.relative_to(photo_folder).with_suffix("").as_posix()
        if photo_suffix and not stem.endswith(photo_suffix):
            continue
        mask = masks.pop(stem.removesuffix(photo_suffix) + mask_suffix, None)
        if mask is None:
            bare.append(photo)
        else:
            pairs.append((flat(photo, photo_folder), photo, mask, ""))
    lone = [mask for stem, mask in masks.items() if stem.endswith(mask_suffix)]
    if not pairs:
        raise DataFileError(
            f"no picture of {photo_folder} has a mask in {mask_folder}: expected masks named as the pictures, ending in "
            f".png, such as {bare[0].name if bare else 'photo'} and "
            f"{bare[0].stem.removesuffix(photo_suffix) if bare else 'photo'}{mask_suffix}.png (--mask-suffix, --photo-suffix)"
        )
    if bare and not skip_missing:
        raise DataNotFoundError(
            f"{len(bare)} pictures of {photo_folder} have no mask in {mask_folder}: {first_of(bare)}; --skip-missing leaves "
            f"them out"
        )
    if lone and not skip_missing:
        raise DataNotFoundError(
            f"{len(lone)} masks of {mask_folder} have no picture in {photo_folder}: {first_of(lone)}; --skip-missing leaves "
            f"them out"
        )
    return tuple(pairs)
