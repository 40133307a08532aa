"""``from-labels``: a folder per class; every picture in it has that label as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdissect.data.build.source import Item, Labelling, hashed
from netdissect.data.own.classes import ClassList, read_classes
from netdissect.data.own.making import Making, first_of, flat, pictures_in
from netdissect.errors import DataFileError
from netdissect.io import images

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.data.build.make import Made


@dataclass(frozen=True)
class ClassFolders:
    """Pictures with one label each: a Source.

    Attributes:
        name: its folder below ``images/``.
        about: a sentence for README.txt.
        classes: the classes.
        files: name in the set, picture, label and split of every image.
    """

    name: str
    about: str
    classes: ClassList
    files: tuple[tuple[str, Path, int, str], ...]

    aligned = True

    def fingerprint(self) -> str:
        """Return a hash of its tables."""
        return hashed("labels", self.classes.fingerprint(), [(name, *rest) for name, _, *rest in self.files])

    def items(self) -> Sequence[Item]:
        """Return its images."""
        return [Item(name, (photo, label), (photo,), split) for name, photo, label, split in self.files]

    def names(self, category: str, label: int) -> Sequence[str]:
        """Return the name of a class; a scene's ends in ``-s``, so that the object of that name is another concept."""
        if not label:
            return ()
        name = self.classes.names[label - 1]
        return (f"{name.removesuffix('-s')}-s" if category == "scene" else name,)

    def photo(self, item: Item) -> NDArray[np.uint8]:
        """Return an image's picture, upright."""
        return images.load(item.record[0], upright=True)

    def labels(self, item: Item) -> Mapping[str, Labelling]:
        """Return the label of an image."""
        label = item.record[1]
        return {self.classes.categories[label - 1]: (label,)} if label else {}


def from_labels(folder: str | Path, out: str | Path, **options: Any) -> Made:
    """Make a probe set of class folders: image-level labels, as scenes unless another category is asked for.

    Args:
        folder: holds a folder per class; ``abbey/indoor/`` is the class ``abbey-indoor``. Where it holds ``train/`` and
            ``val/`` and nothing else, they are splits, and the classes lie in them.
        out: the set's folder.
        options: as `Making`; `category` is ``scene`` if not given, ``texture`` suits textures.

    Raises:
        DataError: one of its leaves, for anything wrong with the files.
        SettingsError: for an option out of its range.
    """
    making = Making.of({"category": "scene", **options})
    root = Path(folder)
    photos = pictures_in(root)
    tops = {photo.relative_to(root).parts[0] for photo in photos}
    divided = tops <= {"train", "val"}
    homeless = [photo for photo in photos if len(photo.relative_to(root).parts) < (3 if divided else 2)]
    if homeless:
        raise DataFileError(
            f"{len(homeless)} pictures lie in no class folder of {root}: {first_of(homeless)}; expected {root}/CLASS/PICTURE"
        )
    found = []
    for photo in photos:
        parts = photo.relative_to(root).parts
        found.append((photo, parts[0] if divided else "", "-".join(parts[1 if divided else 0 : -1])))
    raw = read_classes(sorted({name for *_, name in found}), making.category, first=1)
    classes = making.classes(raw)
    # Names are those of the folders; what a renaming drops has label 0.
    label = {name: classes.codes[number] for number, name in enumerate(sorted({name for *_, name in found}), start=1)}
    files = tuple((flat(photo, root), photo, label[name], split) for photo, split, name in found)
    source = ClassFolders(making.source_name(root), f"the class folders of {root}", classes, files)
    return making.finish(source, out, about="Made with: netdissect data from-labels.")
