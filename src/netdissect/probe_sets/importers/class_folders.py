"""``from-labels``: a folder per class; every image in it has that label as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdissect.errors import DataFileError
from netdissect.io import images
from netdissect.probe_sets.importers import split_names
from netdissect.probe_sets.importers.class_list import ClassList, read_class_list
from netdissect.probe_sets.importers.class_lists.rows import UNLABELED_NAMES
from netdissect.probe_sets.importers.import_options import ImportOptions, abbreviate_paths, find_images, flatten_path
from netdissect.probe_sets.source import CategoryLabels, Source, SourceImage, hash_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.probe_sets.compile.make import BuildResult


@dataclass(frozen=True)
class ClassFolders(Source):
    """Images with one label each: a Source.

    Attributes:
        name: its folder below ``images/``.
        about: a sentence for README.txt.
        classes: the classes.
        files: name in the set, image, label and split of every image.
    """

    name: str
    about: str
    classes: ClassList
    files: tuple[tuple[str, Path, int, str], ...]

    def describe(self) -> str:
        """Return a sentence for README.txt."""
        return self.about

    def fingerprint(self) -> str:
        """Return a hash of its tables."""
        return hash_parts("labels", self.classes.fingerprint(), [(name, *rest) for name, _, *rest in self.files])

    def list_images(self) -> Sequence[SourceImage]:
        """Return its images."""
        return [SourceImage(name, (photo, label), (photo,), split) for name, photo, label, split in self.files]

    def list_names(self, category: str, label: int) -> Sequence[str]:
        """Return the name of a class; a scene's ends in ``-s``, so that the object of that name is another concept."""
        if not label:
            return ()
        name = self.classes.names[label - 1]
        return (f"{name.removesuffix('-s')}-s" if category == "scene" else name,)

    def read_image(self, entry: SourceImage) -> NDArray[np.uint8]:
        """Return an image's image, upright."""
        return images.load_image(entry.record[0], upright=True)

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return the label of an image."""
        label = entry.record[1]
        return {self.classes.categories[label - 1]: (label,)} if label else {}


def from_labels(folder: str | Path, out: str | Path, **options: Any) -> BuildResult:
    """Make a probe set of class folders: image-level labels, as scenes unless another category is asked for.

    Args:
        folder: holds a folder per class; ``abbey/indoor/`` is the class ``abbey-indoor``. Where every image lies in a
            folder of a split (``train``, ``Valid``, ``test``, …), above or below its class, that is no part of its class.
        out: the set's folder.
        options: as `ImportOptions`; `category` is ``scene`` if not given, ``texture`` suits textures.

    Raises:
        DataError: one of its leaves, for anything wrong with the files.
        SettingsError: for an option out of its range.
    """
    making = ImportOptions.of({"category": "scene", **options})
    root = Path(folder)
    photos = find_images(root, making.say)
    places = [photo.relative_to(root).parts for photo in photos]
    at = split_names.find_split_depth(places, besides=1)
    _check_split_folders(root, places, at)
    homeless = [photo for photo, place in zip(photos, places, strict=True) if len(place) < 2]
    if homeless:
        raise DataFileError(
            f"{len(homeless)} images lie in no class folder of {root}: {abbreviate_paths(homeless)}; expected {root}/CLASS/IMAGE"
        )
    found = [
        (
            photo,
            split_names.read_split_at(place, at),
            "-".join(part for depth, part in enumerate(place[:-1]) if depth != at),
        )
        for photo, place in zip(photos, places, strict=True)
    ]
    raw = read_class_list(sorted({name for *_, name in found}), making.category, first=1)
    classes = making.classes(raw)
    # Names are those of the folders; what a renaming drops has label 0.
    label = {name: classes.codes[number] for number, name in enumerate(sorted({name for *_, name in found}), start=1)}
    empty = sorted(name for name in label if name.casefold() in UNLABELED_NAMES)
    if empty:
        count = sum(name in empty for *_, name in found)
        making.say(f"{root}: {count} images in {', '.join(empty)} carry no label: that name means nothing")
    files = tuple((flatten_path(photo, root), photo, label[name], split) for photo, split, name in found)
    source = ClassFolders(making.source_name(root), f"the class folders of {root}", classes, files)
    return making.finish(source, out, about="Made with: netdissect data from-labels.")


def _check_split_folders(root: Path, places: Sequence[Sequence[str]], at: int | None) -> None:
    """Refuse folders of which several are splits and others are not: what those hold would become other classes."""
    tops = {place[0] for place in places if len(place) > 2}
    named = {top: split_names.parse_split(top) for top in tops}
    divided = sorted(top for top, split in named.items() if split)
    others = sorted({place[0] for place in places} - set(divided))
    if at is None and others and len({named[top] for top in divided}) > 1:
        raise DataFileError(
            f"{root}: {' and '.join(divided)} are splits, and {others[0]} beside them is none: move it into one of them, or "
            f"give a folder that holds splits, or classes, only"
        )
