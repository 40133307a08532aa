"""``from-masks``: a folder of images, a folder of masks of the same names, and a class list."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import images
from netdissect.probe_sets.importers import split_names
from netdissect.probe_sets.importers.class_list import ClassList, read_class_list
from netdissect.probe_sets.importers.import_options import ImportOptions, abbreviate_paths, find_images, flatten_path
from netdissect.probe_sets.source import CategoryLabels, Source, SourceImage, hash_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.probe_sets.compile.make import BuildResult


#: Endings of formats that keep the numbers of a mask.
_MASK_ENDINGS = frozenset({".png", ".tif", ".tiff", ".bmp", ".pgm", ".pnm", ".ppm"})


@dataclass(frozen=True)
class MaskFolders(Source):
    """Images with one mask each: a Source.

    Attributes:
        name: its folder below ``images/``.
        about: a sentence for README.txt.
        classes: what the masks' numbers or colours mean.
        pairs: name in the set, image, mask and split of every image.
    """

    name: str
    about: str
    classes: ClassList
    pairs: tuple[tuple[str, Path, Path, str], ...]

    def describe(self) -> str:
        """Return a sentence for README.txt."""
        return self.about

    def fingerprint(self) -> str:
        """Return a hash of its tables."""
        return hash_parts("masks", self.classes.fingerprint(), [(name, split) for name, _, _, split in self.pairs])

    def list_images(self) -> Sequence[SourceImage]:
        """Return its images."""
        return [SourceImage(name, (photo, mask), (photo, mask), split) for name, photo, mask, split in self.pairs]

    def list_names(self, category: str, label: int) -> Sequence[str]:  # noqa: ARG002 - a label has one category
        """Return the name of a class."""
        return (self.classes.names[label - 1],) if label else ()

    def read_image(self, entry: SourceImage) -> NDArray[np.uint8]:
        """Return an image's image, turned as its mask is."""
        photo, mask = entry.record
        return images.load_image_in_frame(photo, images.read_image_size(mask, "mask"))

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return the label planes of an image, one per category."""
        mask = entry.record[1]
        return dict(self.classes.split(self.classes.labels(_read_mask(mask, self.classes), mask)))


def from_masks(
    photos: str | Path,
    masks: str | Path,
    classes: str | Path | Sequence[str] | Mapping[int, str],
    out: str | Path,
    *,
    mask_suffix: str = "",
    photo_suffix: str = "",
    first: int | None = None,
    number_column: str | None = None,
    **options: Any,
) -> BuildResult:
    """Make a probe set of images and masks.

    A mask has its image's name and is of a format that keeps numbers (PNG, TIFF, BMP, …); its pixels hold class
    numbers (grey or palette) or colours. 0 and 255 mean nothing unless the class list names them. Where every image lies
    in a folder of a split, that is its split.

    Args:
        photos: folder of images, with folders below it or without.
        masks: folder of masks, laid out as the images are.
        classes: the class list, or a file of it; see `read_class_list`.
        out: the set's folder.
        mask_suffix: what a mask's name has after the image's, such as ``_read_mask``.
        photo_suffix: what an image's name has and its mask's has not, such as ``_leftImg8bit``.
        first: number of the first class of a list without numbers.
        number_column: the column of the class list that holds the masks' numbers; None finds it.
        options: as `ImportOptions`.

    Raises:
        DataError: one of its leaves, for anything wrong with the files.
        SettingsError: for an option out of its range.
    """
    making = ImportOptions.of(options)
    photo_folder, mask_folder = Path(photos), Path(masks)
    trained = "trainids" in mask_suffix.casefold()
    listed = read_class_list(classes, making.category, first=first, column=number_column, trained=trained)
    listed = making.classes(listed)
    pairs = _pair_masks(photo_folder, mask_folder, photo_suffix, mask_suffix, making)
    source = MaskFolders(
        making.source_name(photo_folder), f"pictures of {photo_folder} with masks of {mask_folder}", listed, pairs
    )
    return making.finish(source, out, about="Made with: netdissect data from-masks.")


def _read_mask(mask: Path, classes: ClassList) -> NDArray[np.integer[Any]]:
    """Read a mask as its numbers; as colours if the class list knows its classes by colours only."""
    with images.open_image(mask, mask, what="mask") as image:
        found = images.extract_label_numbers(image, mask, "mask")
        if classes.codes or found.ndim == 3 or not classes.colors:
            return found
        return np.asarray(image.convert("RGB")) if image.mode in ("1", "L", "P", "LA", "PA") else found


def _pair_masks(
    photo_folder: Path, mask_folder: Path, photo_suffix: str, mask_suffix: str, making: ImportOptions
) -> tuple[tuple[str, Path, Path, str], ...]:
    if not mask_folder.is_dir():
        raise DataNotFoundError(f"there is no folder of masks {mask_folder}")
    masks = _find_masks(mask_folder, mask_suffix)
    # In a folder of both, an image that is named as a mask is one.
    named_so = {mask.resolve() for mask in masks.values()}
    pairs, bare = [], []
    for photo in find_images(photo_folder, making.say):
        if photo.suffix.lower() in _MASK_ENDINGS and photo.resolve() in named_so:
            continue
        stem = photo.relative_to(photo_folder).with_suffix("").as_posix()
        if photo_suffix and not stem.endswith(photo_suffix):
            continue
        mask = masks.pop(stem.removesuffix(photo_suffix) + mask_suffix, None)
        if mask is None:
            bare.append(photo)
        else:
            pairs.append((photo, mask))
    lone = list(masks.values())
    if not pairs:
        name = bare[0] if bare else Path("photo")
        there = sorted({path.suffix.lower() for path in mask_folder.rglob("*") if path.suffix and not path.is_dir()})
        raise DataFileError(
            f"no image of {photo_folder} has a mask in {mask_folder}: expected masks named as the images, in a format that "
            f"keeps numbers ({', '.join(sorted(_MASK_ENDINGS))}), such as {name.name} and "
            f"{name.stem.removesuffix(photo_suffix)}{mask_suffix}.png (--mask-suffix, --photo-suffix); files there end in "
            f"{', '.join(there) or 'nothing'}"
        )
    if bare and not making.skip_missing:
        raise DataNotFoundError(
            f"{len(bare)} images of {photo_folder} have no mask in {mask_folder}: {abbreviate_paths(bare)}; --skip-missing leaves "
            f"them out"
        )
    if lone and not making.skip_missing:
        raise DataNotFoundError(
            f"{len(lone)} masks of {mask_folder} have no image in {photo_folder}: {abbreviate_paths(lone)}; --skip-missing leaves "
            f"them out"
        )
    places = [photo.relative_to(photo_folder).parts for photo, _ in pairs]
    at = split_names.find_split_depth(places, besides=0)
    return tuple(
        (flatten_path(photo, photo_folder), photo, mask, split_names.read_split_at(place, at))
        for (photo, mask), place in zip(pairs, places, strict=True)
    )


def _find_masks(folder: Path, suffix: str) -> dict[str, Path]:
    """Return the masks below a folder by their path without its ending.

    Raises:
        DataFileError: if two have one name and differ in their endings.
    """
    masks: dict[str, Path] = {}
    for mask in sorted(folder.rglob("*")):
        stem = mask.relative_to(folder).with_suffix("").as_posix()
        if mask.suffix.lower() not in _MASK_ENDINGS or mask.is_dir() or not stem.endswith(suffix):
            continue
        if stem in masks:
            raise DataFileError(f"two masks have one name: {masks[stem]} and {mask}: leave one of them")
        masks[stem] = mask
    return masks
