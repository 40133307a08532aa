"""``from-masks``: import a folder of images and a folder of masks with the same names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import images, label_images
from netdissect.probe_sets.importers.image_folders import abbreviate_paths, derive_names_and_splits, find_images
from netdissect.probe_sets.importers.import_options import ImportOptions, ImportOptionsDict
from netdissect.probe_sets.importers.imported_images import ImportedImages
from netdissect.probe_sets.source import CategoryLabels, SourceImage
from netdissect.wording import count_noun

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from netdissect.probe_sets.compile.make import BuildResult
    from netdissect.probe_sets.importers.class_list import ClassListLike

#: File name endings of the formats that keep the numbers of a mask.
_MASK_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".bmp", ".pgm", ".pnm", ".ppm"})


@dataclass(frozen=True, kw_only=True)
class MaskFolders(ImportedImages):
    """Images with a mask file each; an image's record is its file and that of its mask."""

    def read_image(self, entry: SourceImage) -> NDArray[np.uint8]:
        """Return an image, upright or as stored, whichever fits its mask."""
        photo, mask, *_ = entry.record
        return images.load_image_in_frame(photo, images.read_image_size(mask, "mask"))

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return the label map of an image for every category."""
        mask = entry.record[1]
        return self.classes.split_by_category(self.classes.label_mask(self._read_mask(mask), mask))

    def _read_mask(self, mask: Path) -> NDArray[np.integer[Any]]:
        """Return the numbers in a mask, or its colors if the class list has only colors."""
        with images.open_image(mask, mask, what="mask") as image:
            numbers = label_images.extract_label_numbers(image, mask, "mask")
            if self.classes.codes or numbers.ndim == 3 or not self.classes.colors:
                return numbers
            return np.asarray(image.convert("RGB")) if image.mode in ("1", "L", "P", "LA", "PA") else numbers


def from_masks(
    photos: str | Path,
    masks: str | Path,
    classes: ClassListLike,
    out: str | Path,
    *,
    mask_suffix: str = "",
    photo_suffix: str = "",
    first: int | None = None,
    number_column: str | None = None,
    **options: Unpack[ImportOptionsDict],
) -> BuildResult:
    """Make a probe set of images and masks.

    A mask has the name of its image, in a format that keeps numbers (PNG, TIFF, BMP, …). Its pixels hold class numbers
    (gray or palette) or colors; 0 and 255 mean no label unless the class list names them. If every image is in a folder
    named like a split, these folders are the splits.

    Args:
        photos: folder of images; they may be in subfolders.
        masks: folder of masks, with the same subfolders.
        classes: the class list, or a file with it; see `read_class_list`.
        out: folder of the probe set.
        mask_suffix: end of a mask's name that its image's name lacks, such as ``_mask``.
        photo_suffix: end of an image's name that its mask's name lacks, such as ``_leftImg8bit``.
        first: number of the first class, if the list has no numbers.
        number_column: column of the class list with the numbers in the masks; None finds it.
        options: see `ImportOptions`.

    Raises:
        DataError: or a subclass, if anything is wrong with the files.
        SettingsError: if an option is out of its range.
    """
    settings = ImportOptions.from_keywords(options)
    folder, mask_folder = Path(photos), Path(masks)
    trained = "trainids" in mask_suffix.casefold()
    listed = settings.read_classes(classes, first=first, column=number_column, trained=trained)
    pairs = _pair_masks(folder, mask_folder, photo_suffix, mask_suffix, settings)
    source = MaskFolders(
        name=settings.choose_name(folder), about=f"images of {folder} with masks of {mask_folder}", classes=listed,
        images=tuple(
            SourceImage(name, pair, pair, split)
            for pair, (name, split) in zip(pairs, derive_names_and_splits([photo for photo, _ in pairs], folder), strict=True)
        ),
    )  # fmt: skip
    return settings.write_probe_set(source, out, note="Made with: netdissect data from-masks.")


def _pair_masks(
    folder: Path, mask_folder: Path, photo_suffix: str, mask_suffix: str, options: ImportOptions
) -> list[tuple[Path, Path]]:
    """Return every image with its mask."""
    if not mask_folder.is_dir():
        raise DataNotFoundError(f"there is no folder of masks {mask_folder}")
    masks = _find_masks(mask_folder, mask_suffix)
    # If images and masks share a folder, a file that is named like a mask is a mask.
    mask_files = {mask.resolve() for mask in masks.values()}
    pairs, without_mask = [], []
    for photo in find_images(folder, options.say):
        if photo.suffix.lower() in _MASK_SUFFIXES and photo.resolve() in mask_files:
            continue
        stem = photo.relative_to(folder).with_suffix("").as_posix()
        if photo_suffix and not stem.endswith(photo_suffix):
            continue
        mask = masks.pop(stem.removesuffix(photo_suffix) + mask_suffix, None)
        if mask is None:
            without_mask.append(photo)
        else:
            pairs.append((photo, mask))
    if not pairs:
        name = without_mask[0] if without_mask else Path("photo")
        suffixes = sorted({path.suffix.lower() for path in mask_folder.rglob("*") if path.suffix and not path.is_dir()})
        raise DataFileError(
            f"no image of {folder} has a mask in {mask_folder}: expected masks named as the images, in a format that keeps "
            f"numbers ({', '.join(sorted(_MASK_SUFFIXES))}), such as {name.name} and "
            f"{name.stem.removesuffix(photo_suffix)}{mask_suffix}.png (--mask-suffix, --photo-suffix); files there end in "
            f"{', '.join(suffixes) or 'nothing'}"
        )
    for files, (noun, of), (other, there) in (
        (without_mask, ("image", folder), ("mask", mask_folder)),
        (list(masks.values()), ("mask", mask_folder), ("image", folder)),
    ):
        if files and not options.skip_missing:
            raise DataNotFoundError(
                f"{count_noun(len(files), noun)} of {of} without {other} in {there}: {abbreviate_paths(files)}; "
                f"--skip-missing leaves them out"
            )
    return pairs


def _find_masks(folder: Path, suffix: str) -> dict[str, Path]:
    """Return the masks below a folder by their path without its ending."""
    masks: dict[str, Path] = {}
    for mask in sorted(folder.rglob("*")):
        stem = mask.relative_to(folder).with_suffix("").as_posix()
        if mask.suffix.lower() not in _MASK_SUFFIXES or mask.is_dir() or not stem.endswith(suffix):
            continue
        if stem in masks:
            raise DataFileError(f"two masks have one name: {masks[stem]} and {mask}: keep one of them")
        masks[stem] = mask
    return masks
