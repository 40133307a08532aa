"""Read the Describable Textures Dataset, release 1.0.1 (docs/broden.md, Building Broden)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import images
from netdissect.io.names import is_below
from netdissect.probe_sets.source import CategoryLabels, Source, SourceImage, hash_parts, read_source_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Dtd(Source):
    """DTD: textures of whole images, the main one first.

    Attributes:
        root: the release, with ``images/`` and ``labels/``.
        files: every image, relative to ``images/``, and its textures.
        skip_missing: leave out images that are missing.
    """

    root: Path
    files: tuple[tuple[str, tuple[str, ...]], ...]
    skip_missing: bool = False

    name = "dtd"

    def describe(self) -> str:
        """Return a sentence for README.txt."""
        return f"DTD r1.0.1 (Cimpoi et al., CVPR 2014): {len(self.files)} images in its list, textures"

    def fingerprint(self) -> str:
        """Return a hash of its tables."""
        return hash_parts("dtd", self.files, self.skip_missing)

    def list_images(self) -> Sequence[SourceImage]:
        """Return its images, in the order of the list."""
        found = []
        for file, textures in self.files:
            photo = self.root / "images" / file
            if self.skip_missing and not photo.is_file():
                continue
            numbers = tuple(self._number[texture] for texture in textures)
            found.append(SourceImage(file, (photo, numbers), (photo,)))
        if not found:
            raise DataNotFoundError(f"DTD: none of the {len(self.files)} images of its list lie below {self.root}")
        return found

    def list_names(self, category: str, label: int) -> Sequence[str]:  # noqa: ARG002 - it has one category
        """Return the name of a texture label."""
        return (self.textures[label - 1],) if label else ()

    def read_image(self, entry: SourceImage) -> NDArray[np.uint8]:
        """Return an image, RGB."""
        return images.load_image(entry.record[0])

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return the texture labels of an image."""
        return {"texture": entry.record[1]}

    @cached_property
    def textures(self) -> tuple[str, ...]:
        """The textures' names, sorted; a texture's label is its position plus 1."""
        return tuple(sorted({texture for _, textures in self.files for texture in textures}))

    @cached_property
    def _number(self) -> dict[str, int]:
        return {texture: number for number, texture in enumerate(self.textures, start=1)}


def open_dtd(folder: Path, *, skip_missing: bool = False) -> Dtd:
    """Open DTD by its joint list.

    Args:
        folder: the folder of ``labels/labels_joint_anno.txt``, or the one above it.
        skip_missing: leave out images that are missing.

    Raises:
        DataNotFoundError: if there is no list.
        DataFileError: if a line of it names no texture.
    """
    inner = "labels/labels_joint_anno.txt"
    found = [path for path in (folder / inner, *sorted(folder.glob(f"*/{inner}"))) if path.is_file()]
    if not found:
        raise DataNotFoundError(f"DTD: expected {inner} in {folder} or in a folder below it")
    files = []
    for line, text in enumerate(read_source_text(found[0], "DTD's list").splitlines(), start=1):
        words = text.split()
        if not words:
            continue
        if len(words) < 2 or not is_below(words[0]):
            raise DataFileError(
                f"{found[0]}, line {line}: expected an image and its textures, got {text.strip()[:200]!r}"
            )
        files.append((words[0], tuple(words[1:])))
    return Dtd(found[0].parent.parent, tuple(files), skip_missing)
