"""The base of the importers: images whose labels are the classes of one class list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netdissect.probe_sets.source import Source, SourceImage, hash_parts, list_facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.probe_sets.importers.class_list import ClassList


@dataclass(frozen=True, kw_only=True)
class ImportedImages(Source):
    """Images labeled with the classes of a class list; subclasses read the images and labels.

    Attributes:
        name: the folder below ``images/``.
        about: a sentence for README.txt.
        classes: the classes.
        images: the images.
        settings_hash: hash of the settings that decide the labels, besides the classes and the images' files.
        whole_images: whether labels hold for whole images; names of scenes then end in ``-s``, which distinguishes a scene
            from an object of the same name.
    """

    name: str
    about: str
    classes: ClassList
    images: tuple[SourceImage, ...]
    settings_hash: str = ""
    whole_images: bool = False

    def __getstate__(self) -> dict[str, Any]:
        """Leave the list of images out when pickled: a worker process gets the images it reads."""
        return {**self.__dict__, "images": ()}

    def describe(self) -> str:
        """Return a sentence for README.txt."""
        return self.about

    def fingerprint(self) -> str:
        """Return a hash of the images' names and splits, the classes and the settings."""
        return hash_parts(
            type(self).__name__,
            self.classes.fingerprint(),
            self.settings_hash,
            self.whole_images,
            list_facts(self.images),
        )

    def list_images(self) -> Sequence[SourceImage]:
        """Return the images."""
        return self.images

    def list_names(self, category: str, label: int) -> Sequence[str]:
        """Return the name of a class."""
        if not label:
            return ()
        name = self.classes.names[label - 1]
        return (f"{name.removesuffix('-s')}-s" if self.whole_images and category == "scene" else name,)
