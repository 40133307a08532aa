"""Sources: images and their labels, whatever files they are read from."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from netdissect.errors import DataFileError, DataNotFoundError, SettingsError
from netdissect.io import reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.protocols import Progress

#: Labels of one image in one category: a plane (h, w) or planes (p, h, w) of label numbers, or the numbers of labels
#: that hold for the whole image.
CategoryLabels: TypeAlias = "NDArray[np.integer[Any]] | tuple[int, ...]"

#: Characters of the longest name of a category, which becomes part of file names.
_LONGEST_CATEGORY = 60
#: Bytes of the longest image name in a probe set, without the category and level that label maps add.
_LONGEST_NAME = 140


@dataclass(frozen=True, slots=True)
class SourceImage:
    """An image of a source (provisional).

    Attributes:
        file: the image's file name; in the probe set the image is ``<source>/<stem>.jpg``.
        record: what the source needs to read the image in any worker process.
        inputs: the files the image and its labels are read from; when one of them changes, they are read again.
        split: ``train``, ``val`` or ``test``; if empty, a hash of the name decides.
        group: what images that belong together share, such as the name of their video; empty for an image of its own.
    """

    file: str
    record: Any = None
    inputs: tuple[Path, ...] = ()
    split: str = ""
    group: str = ""


class Source(ABC):
    """Images and their labels, to be written as a probe set (provisional): the base class of every importer.

    A source is pickled into worker processes, so it holds tables and paths, and no open files.

    Attributes:
        name: the source's name, and its folder below ``images/``: letters, digits, ``-`` and ``_``.
        aligned: whether a label map must have the shape of its image, or be a smaller copy of it.
    """

    name: str
    aligned: ClassVar[bool] = True

    @abstractmethod
    def list_images(self) -> Sequence[SourceImage]:
        """Return the source's images, always in the same order."""

    @abstractmethod
    def list_names(self, category: str, label: int) -> Sequence[str]:
        """Return the names of a label of a category, the best one first; none for pixels without a label."""

    @abstractmethod
    def read_image(self, entry: SourceImage) -> NDArray[np.uint8]:
        """Return an image, RGB, shape (H, W, 3)."""

    @abstractmethod
    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return the labels of an image by category; 0 is no label."""

    def prepare(self, progress: Progress) -> None:  # noqa: B027 - most sources need nothing
        """Make what reading needs, once, before worker processes start; not called if the probe set is already complete."""

    def describe(self) -> str:
        """Return a sentence for README.txt: what the source is, and where it comes from."""
        return ""

    def fingerprint(self) -> str:
        """Return a hash of what decides the images and labels besides their input files.

        By default, the hash of the source's class and list of images. If it has changed, an unfinished probe set is started
        over.
        """
        return hash_parts(type(self).__qualname__, list_facts(self.list_images()))


def check_category(name: str) -> None:
    """Check the name of a category.

    Raises:
        SettingsError: if it is not a valid name.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
        raise SettingsError(f"a category's name is letters, digits, - and _, not {name!r}")
    if len(name) > _LONGEST_CATEGORY:
        raise SettingsError(f"a category's name has at most {_LONGEST_CATEGORY} letters, not {name[:20]!r}…")


def check_image_and_labels(image: object, labels: object) -> None:
    """Check what a source read for an image.

    Raises:
        DataFileError: if the image is not RGB, or labels are neither label maps nor tuples of numbers.
        SettingsError: if a category has an invalid name.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise DataFileError(f"expected an RGB image, uint8, shape (H, W, 3), got {_describe(image)}")
    if not isinstance(labels, dict):
        raise DataFileError(f"expected labels by category as a dict, got {_describe(labels)}")
    for category, own in labels.items():
        check_category(category)
        if isinstance(own, tuple) and all(isinstance(label, (int, np.integer)) for label in own):
            continue
        if not isinstance(own, np.ndarray) or own.dtype.kind not in "ui" or own.ndim not in (2, 3) or not own.size:
            raise DataFileError(
                f"{category}: expected a label map of integers, shape (h, w) or (p, h, w), or a tuple of label numbers, got "
                f"{_describe(own)}"
            )


def _describe(value: object) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def hash_parts(*parts: object) -> str:
    """Return a short hash of objects whose ``repr`` is the same in every process."""
    return hashlib.blake2b("\0".join(map(repr, parts)).encode(), digest_size=16).hexdigest()


def list_facts(listed: Iterable[SourceImage]) -> list[tuple[str, ...]]:
    """Return the name and split of images, and the group where there is one, for the hash of a source."""
    return [(image.file, image.split, *filter(None, [image.group])) for image in listed]


def stat_files(paths: Iterable[Path]) -> list[tuple[str, int, int]]:
    """Return the name, size in bytes and modification time in ns of files; both are -1 for a missing file."""
    states = []
    for path in paths:
        try:
            found = path.stat()
            states.append((path.name, found.st_size, found.st_mtime_ns))
        except OSError:
            states.append((path.name, -1, -1))
    return states


def read_source_text(path: Path, what: str) -> str:
    r"""Return the text of a table of a source, in UTF-8 or else Latin-1, with ``\n`` as line ends.

    Args:
        path: the file.
        what: what the file is, for errors.

    Raises:
        DataNotFoundError: if there is no such file.
        DataFileError: if it cannot be read.
    """
    return reading.read_text(
        path, what, missing=DataNotFoundError, wrong=DataFileError, encodings=("utf-8-sig", "latin-1")
    ).replace("\r\n", "\n")


def make_image_name(file: str) -> str:
    """Return an image's name in the probe set: its stem and ``.jpg``.

    Characters with a meaning in ``index.csv``, or that some file system refuses, are replaced by ``_``.

    >>> make_image_name("street/ADE_train_00016869.jpg"), make_image_name("a;b.png")
    ('ADE_train_00016869.jpg', 'a_b.jpg')
    """
    stem = _make_portable(PurePath(file).stem)
    return f"{stem or '_'}.jpg"


def _make_portable(stem: str) -> str:
    """Return a stem that every file system accepts; a long one is cut and gets a hash appended."""
    plain = re.sub(r'[;:*?"<>|\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]', "_", stem)
    if len(plain.encode()) <= _LONGEST_NAME:
        return plain
    return f"{plain.encode()[: _LONGEST_NAME - 20].decode(errors='ignore')}-{hash_parts(stem)[:16]}"


def make_unique_names(entries: Iterable[SourceImage]) -> list[str]:
    """Return the names of images in the probe set; a name that occurs again gets 2, 3, … appended.

    Names that differ in case only count as equal, as on some file systems.
    """
    taken: set[str] = set()
    names = []
    for entry in entries:
        first = name = make_image_name(entry.file)
        number = 1
        while name.casefold() in taken:
            number += 1
            name = f"{first.removesuffix('.jpg')}{number}.jpg"
        taken.add(name.casefold())
        names.append(name)
    return names


def to_planes(labels: CategoryLabels) -> NDArray[np.integer[Any]]:
    """Return label maps as planes, shape (p, h, w)."""
    array = np.asarray(labels)
    return array[np.newaxis] if array.ndim == 2 else array
