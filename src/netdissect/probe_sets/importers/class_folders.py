"""``from-labels``: import class folders, whose names are the labels of the images in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Unpack

from netdissect.errors import DataFileError
from netdissect.io import images
from netdissect.probe_sets.importers.class_lists.rows import UNLABELED_NAMES
from netdissect.probe_sets.importers.image_folders import abbreviate_paths, find_images, flatten_path
from netdissect.probe_sets.importers.import_options import ImportOptions, ImportOptionsDict
from netdissect.probe_sets.importers.imported_images import ImportedImages
from netdissect.probe_sets.importers.split_names import find_split_depth, parse_split, read_split_at
from netdissect.probe_sets.source import CategoryLabels, SourceImage, hash_parts
from netdissect.wording import count_noun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.probe_sets.compile.make import BuildResult


@dataclass(frozen=True, kw_only=True)
class ClassFolders(ImportedImages):
    """Images with one label each; an image's record is its file and label."""

    def read_image(self, entry: SourceImage) -> NDArray[np.uint8]:
        """Return an image, upright."""
        return images.load_image(entry.record[0], upright=True)

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return the label of an image."""
        return self.classes.label_image(entry.record[1])


def from_labels(folder: str | Path, out: str | Path, **options: Unpack[ImportOptionsDict]) -> BuildResult:
    """Make a probe set of class folders: labels of whole images, as scenes unless `category` names another category.

    Args:
        folder: holds a folder per class; ``abbey/indoor/`` is the class ``abbey-indoor``. If every image is in a folder
            named like a split (``train``, ``Valid``, ``test``, …), above or below its class, these folders are the splits
            and not part of the classes' names.
        out: folder of the probe set.
        options: see `ImportOptions`; `category` is ``scene`` by default, ``texture`` suits textures.

    Raises:
        DataError: or a subclass, if anything is wrong with the files.
        SettingsError: if an option is out of its range.
    """
    settings = ImportOptions.from_keywords(options)
    root = Path(folder)
    found = find_class_images(root, settings.say)
    names = [image.class_name for image in found]
    unique = sorted(set(names))
    classes = settings.read_classes(unique, category="scene", first=1)
    # Numbers are the positions of the folders; a class that the renaming drops has label 0.
    labels = {name: classes.codes[number] for number, name in enumerate(unique, start=1)}
    unlabeled = [name for name in unique if name.casefold() in UNLABELED_NAMES]
    if unlabeled:
        count = sum(name in unlabeled for name in names)
        settings.say(
            f"{root}: {count_noun(count, 'image')} in {', '.join(unlabeled)} without a label: the folder's name means 'no label'"
        )
    source = ClassFolders(
        name=settings.choose_name(root), about=f"the class folders of {root}", classes=classes, whole_images=True,
        settings_hash=hash_parts([labels[name] for name in names]),
        images=tuple(
            SourceImage(flatten_path(path, root), (path, labels[name]), (path,), split) for path, name, split in found
        ),
    )  # fmt: skip
    return settings.write_probe_set(source, out, note="Made with: netdissect data from-labels.")


class ClassImage(NamedTuple):
    """An image in a class folder, with its split, which is empty if folders are not divided into splits."""

    path: Path
    class_name: str
    split: str


def find_class_images(root: Path, say: Callable[[str], None]) -> list[ClassImage]:
    """Return the images in the class folders of a folder, sorted by path, with the names of their classes and splits.

    Args:
        root: the folder of the class folders.
        say: called with a sentence that counts the files that are not images.

    Raises:
        DataNotFoundError: if there is no such folder, or no image in it.
        DataFileError: if images are in no class folder, or only some folders are named like splits.
    """
    photos = find_images(root, say)
    places = [photo.relative_to(root).parts for photo in photos]
    depth = find_split_depth(places, besides=1)
    _check_split_folders(root, places, depth)
    outside = [photo for photo, place in zip(photos, places, strict=True) if len(place) < 2]
    if outside:
        raise DataFileError(
            f"{count_noun(len(outside), 'image is', 'images are')} in no class folder of {root}: {abbreviate_paths(outside)}; expected {root}/CLASS/IMAGE"
        )
    names = ["-".join(part for level, part in enumerate(place[:-1]) if level != depth) for place in places]
    splits = [read_split_at(place, depth) for place in places]
    return [ClassImage(*parts) for parts in zip(photos, names, splits, strict=True)]


def _check_split_folders(root: Path, places: Sequence[Sequence[str]], depth: int | None) -> None:
    """Raise if only some of the folders are named like splits: the others would become classes."""
    splits = {place[0]: parse_split(place[0]) for place in places if len(place) > 2}
    divided = sorted(name for name, split in splits.items() if split)
    others = sorted({place[0] for place in places} - set(divided))
    if depth is None and others and len({splits[name] for name in divided}) > 1:
        raise DataFileError(
            f"{root}: {' and '.join(divided)} are splits, and {others[0]} is not: move it into one of them, or give a folder "
            f"that holds only splits, or only classes"
        )
