"""A source: where images and their labels come from, whatever files they lie in."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

#: What one category says of one image: a plane (h, w) or planes (p, h, w) of label numbers, or labels of the whole image.
CategoryLabels: TypeAlias = "NDArray[np.integer[Any]] | tuple[int, ...]"


@dataclass(frozen=True, slots=True)
class SourceImage:
    """One image of a source.

    Attributes:
        file: what the image is called; in the probe set it will be ``<source>/<stem>.jpg``.
        record: what the source needs to open it again, in any process.
        inputs: the files it is made of; when one changes, it is made again.
        split: the part of the set it belongs to; empty leaves that to the rule of BRODEN, § 2.
    """

    file: str
    record: Any
    inputs: tuple[Path, ...] = ()
    split: str = ""


#: Bytes of an image's name in a set; label maps' names are longer by their category and level.
_LONGEST = 140


class Source(Protocol):
    """Images and their labels. It travels to other processes, so it holds tables and no open files."""

    @property
    def name(self) -> str:
        """What the source is called; also its folder below ``images/``."""
        ...

    @property
    def about(self) -> str:
        """A sentence for README.txt: what it is, and where it came from."""
        ...

    @property
    def aligned(self) -> bool:
        """Whether a label map of another shape than its image is a mistake."""
        ...

    def fingerprint(self) -> str:
        """Return a hash of its tables."""
        ...

    def items(self) -> Sequence[SourceImage]:
        """Return its images, in an order of its own that never changes."""
        ...

    def names(self, category: str, label: int) -> Sequence[str]:
        """Return the names of a label, the best one first; none if the label means nothing."""
        ...

    def photo(self, item: SourceImage) -> NDArray[np.uint8]:
        """Return an image's image, RGB, shape (H, W, 3)."""
        ...

    def labels(self, item: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return what is labeled in an image, per category; 0 is nothing."""
        ...


def hash_parts(*parts: object) -> str:
    """Return a short hash of anything that has a plain and lasting ``repr``."""
    return hashlib.blake2b("\0".join(map(repr, parts)).encode(), digest_size=16).hexdigest()


def stat_files(paths: Iterable[Path]) -> list[tuple[str, int, int]]:
    """Return name, size and time of change of files; a missing one has size -1."""
    states = []
    for path in paths:
        try:
            found = path.stat()
            states.append((path.name, found.st_size, found.st_mtime_ns))
        except OSError:
            states.append((path.name, -1, -1))
    return states


def read_source_text(path: Path, what: str) -> str:
    """Read a table of a source: UTF-8, or Latin-1 where it is not.

    Raises:
        DataNotFoundError: if it is not there; `what` says what it is.
        DataFileError: if it cannot be read.
    """
    return reading.read_text(
        path, what, missing=DataNotFoundError, wrong=DataFileError, encodings=("utf-8-sig", "latin-1")
    ).replace("\r\n", "\n")


def make_image_name(file: str) -> str:
    """Return the name an image has in the probe set: its stem and ``.jpg``.

    Characters that mean something in ``index.csv``, or that a file system may refuse, become ``_``.

    >>> picture_name("street/ADE_train_00016869.jpg"), picture_name("a;b.png")
    ('ADE_train_00016869.jpg', 'a_b.jpg')
    """
    stem = _plain(PurePath(file).stem)
    return f"{stem or '_'}.jpg"


def _plain(stem: str) -> str:
    """Return a file's name that every system takes: a long one is cut, and told apart by a hash of it."""
    plain = re.sub(r'[;:*?"<>|\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]', "_", stem)
    if len(plain.encode()) <= _LONGEST:
        return plain
    return f"{plain.encode()[: _LONGEST - 20].decode(errors='ignore')}-{hash_parts(stem)[:16]}"


def make_unique_names(items: Iterable[SourceImage]) -> list[str]:
    """Return an image name for every item; a name already taken gets 2, 3, … appended (BRODEN, § 2).

    Names that differ in case only count as equal: some file systems cannot tell them apart.
    """
    taken: set[str] = set()
    names = []
    for item in items:
        first = name = make_image_name(item.file)
        number = 1
        while name.casefold() in taken:
            number += 1
            name = f"{first.removesuffix('.jpg')}{number}.jpg"
        taken.add(name.casefold())
        names.append(name)
    return names


def to_planes(labeling: CategoryLabels) -> NDArray[np.integer[Any]]:
    """Return planes of a pixel labeling, shape (p, h, w)."""
    array = np.asarray(labeling)
    return array[np.newaxis] if array.ndim == 2 else array
