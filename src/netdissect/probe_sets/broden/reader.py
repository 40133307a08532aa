"""Read a probe set in Broden's format (docs/broden.md, The format)."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netdissect.bounds import describe_type
from netdissect.concepts import Labels
from netdissect.errors import (
    DataFileError,
    DataNotFoundError,
    LabelError,
    MissingExtraError,
    SettingsError,
    suggest_nearest,
)
from netdissect.io import images
from netdissect.io.arrays import parse_npy
from netdissect.optional_libraries import import_optional
from netdissect.probe_sets.broden.index_rows import read_index_table
from netdissect.probe_sets.broden.label_pngs import read_label_map
from netdissect.probe_sets.broden.probe_images import parse_probe_images
from netdissect.probe_sets.broden.vocabulary import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.probe_sets.broden.probe_images import ProbeImage

#: File of a probe set of generated images: the latent of every row of ``index.csv``.
LATENTS_FILE = "latents.npy"


class Broden:
    """A probe set in Broden's format, opened from its folder. It implements ConceptSource.

    Rows whose categories are all empty, or hold only 0, carry no label and are dropped, as the released code does.

    Attributes:
        folder: the probe set's folder.
        split: the only split that is kept; None keeps all.
        limit: the number of images that are kept; None keeps all.
        vocabulary: its concepts.
        columns: names of the columns of ``index.csv``.
        fingerprint: hash of its tables, `split` and `limit`.
        tables_fingerprint: hash of its tables alone.
        labeled: rows in ``index.csv`` that carry a label, of all splits, int64.

    Example:
        >>> import tempfile
        >>> from netdissect import Broden
        >>> from netdissect.demo.world import write_probe_set
        >>> folder = tempfile.TemporaryDirectory()
        >>> write_probe_set(Path(folder.name), images=3, size=32, workers=1)
        >>> probe_set = Broden(folder.name, limit=2)
        >>> len(probe_set), probe_set.read_image(0).shape, probe_set.read_labels(0).planes.shape
        (2, (32, 32, 3), (4, 16, 16))
        >>> folder.cleanup()
    """

    def __init__(self, folder: str | Path, *, split: str | None = None, limit: int | None = None) -> None:
        """Read the tables of a probe set; images are read on demand.

        Args:
            folder: the folder of ``index.csv``, a path or any fsspec URL (``s3://bucket/broden1_227``).
            split: keep only the rows of this split.
            limit: keep only this many rows, the first ones.

        Raises:
            DataNotFoundError: if the folder or one of its tables is missing.
            DataFileError: if a table is damaged or contradicts another.
            SettingsError: if no row is of that split, or `folder` is not a path.
        """
        given: object = folder
        if given is None or isinstance(given, (bool, int, float, bytes, list, tuple, dict)):
            raise SettingsError(f"Broden takes the folder of a probe set, not {describe_type(given)}")
        self.folder = self._open_folder(folder)
        if not self.folder.is_dir():
            raise DataNotFoundError(
                f"there is no probe set at {self.folder}: expected a Broden folder with index.csv "
                f"(netdissect data list shows what can be downloaded)"
            )
        self.split, self.limit = split, limit
        self.vocabulary, tables = read_vocabulary(self.folder)
        index = read_index_table(self.folder, self.vocabulary.categories)
        self.columns = index.columns
        self._rows: Sequence[ProbeImage] = parse_probe_images(index, self.vocabulary)
        self.labeled = np.array([row.number for row in self._rows], np.int64)
        if split is not None:
            splits = {line["split"] for line in index.lines}
            if split not in splits:
                raise SettingsError(
                    f"no image of {self.folder} is of split {split!r}: {suggest_nearest(split, sorted(splits))}"
                )
            self._rows = [row for row in self._rows if row.split == split]
        self._rows = self._rows[:limit]
        if not self._rows:
            raise DataFileError(f"{index.path}: no image carries a label")
        self.tables_fingerprint, self.fingerprint = self._hash([*(table.text for table in tables), index.text])
        codes = self.vocabulary.codes
        self._numbers_are_codes = bool((codes == np.arange(codes.size)).all())

    def select(self, *, split: str | None = None, limit: int | None = None) -> Broden:
        """Return the probe set with one split only, and the first `limit` images only; itself if nothing changes.

        Raises:
            SettingsError: if it was opened with another split.
        """
        if split is not None and self.split not in (None, split):
            raise SettingsError(
                f"split={split!r} was requested, but the probe set was opened with split={self.split!r}: use one of them"
            )
        smallest = min((number for number in (self.limit, limit) if number is not None), default=None)
        if (split or self.split, smallest) == (self.split, self.limit):
            return self
        return self._reopen(split or self.split, smallest)

    def _reopen(self, split: str | None, limit: int | None) -> Broden:
        """Return the probe set with another selection."""
        return Broden(str(self.folder), split=split, limit=limit)

    def _open_folder(self, folder: str | Path) -> Path:
        """Return the folder as a path."""
        return _open_path(folder)

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.resolve().name

    @property
    def path(self) -> str:
        """Absolute path or URL of the folder."""
        return str(self.folder.resolve())

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the first image in pixels; all images of a Broden edition have one size."""
        return self._rows[0].image_size

    @property
    def rows(self) -> Sequence[ProbeImage]:
        """The images that carry a label, in the order of ``index.csv``."""
        return self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, index: int) -> int:
        """Return an image's row in ``index.csv``, counted from 0."""
        return self._rows[index].number

    def image_name(self, index: int) -> str:
        """Return an image's path relative to ``images/``."""
        return self._rows[index].image

    def read_column(self, column: str) -> list[str]:
        """Return the text of every image in a column of ``index.csv``.

        Raises:
            DataFileError: if the table has changed since the probe set was opened.
        """
        index = read_index_table(self.folder, [*self.vocabulary.categories, column])
        found = [index.lines[row.number] for row in self._rows if row.number < len(index.lines)]
        if [line["image"] for line in found] != [row.image for row in self._rows]:
            raise DataFileError(f"{index.path} has changed since the probe set was opened: open it again")
        return [line[column] for line in found]

    def label_size(self, index: int) -> tuple[int, int]:
        """Return height and width of an image's label maps in pixels."""
        return self._rows[index].label_size

    def read_image_file(self, index: int) -> bytes:
        """Return the bytes of an image's file."""
        return images.read_indexed_image(self.folder / "images" / self._rows[index].image)

    def read_image(self, index: int, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """Return an image as RGB, uint8, shape (H, W, 3), scaled to height and width `size` if given.

        Raises:
            DataNotFoundError: if its file is missing.
            DataFileError: if it does not decode, or has another size than ``index.csv`` says.
        """
        row = self._rows[index]
        path = self.folder / "images" / row.image
        image = images.decode_image(images.read_indexed_image(path), path, row.image_size)
        return image if size is None else images.resize_image(image, size)

    def latent(self, index: int) -> NDArray[np.generic]:
        """Return the latent from which a generator made an image (``latents.npy``).

        Raises:
            DataNotFoundError: if the images were not made by a generator.
            DataFileError: if the table of latents is damaged or too short.
        """
        row = self._rows[index].number
        latents = self._latents
        if row >= len(latents):
            raise DataFileError(f"{self.folder / LATENTS_FILE}: expected a latent for every image, got {len(latents)}")
        latent: NDArray[np.generic] = latents[row]
        return latent

    @cached_property
    def _latents(self) -> NDArray[np.generic]:
        path = self.folder / LATENTS_FILE
        if not path.is_file():
            raise DataNotFoundError(
                f"{self.folder} holds no {LATENTS_FILE}: its images were not made by a generator, so no generator can be "
                f"dissected on them"
            )
        try:
            return parse_npy(images.read_indexed_image(path))
        except ValueError as error:
            raise DataFileError(f"{path}: expected a table of latents, got {error}") from error

    def read_labels(self, index: int) -> Labels:
        """Return an image's labels, as codes.

        Raises:
            DataNotFoundError: if a label map is missing.
            DataFileError: if one does not decode, or has another size than ``index.csv`` says.
            LabelError: if one is not 24-bit RGB, or a label number is not in ``label.csv``.
        """
        row = self._rows[index]
        planes = np.zeros((len(row.planes), *row.label_size), dtype=np.uint16)
        for plane, name in zip(planes, row.planes, strict=True):
            path = self.folder / "images" / name
            plane[...] = self._encode(read_label_map(path, row.label_size), path)
        whole = self.vocabulary.codes[list(row.whole)].astype(np.int64)
        return Labels(planes, whole)

    def _encode(self, numbers: NDArray[np.uint16], path: Path) -> NDArray[np.uint16]:
        """Return the codes of label numbers."""
        largest = int(numbers.max(initial=0))
        if largest > self.vocabulary.largest_number:
            raise LabelError(
                f"{path}: label {largest} is beyond the largest number in label.csv, {self.vocabulary.largest_number}"
            )
        if self._numbers_are_codes:
            return numbers
        codes = self.vocabulary.codes[numbers]
        if codes.min() < 0:
            raise LabelError(f"{path}: label {int(numbers[codes < 0][0])} is not listed in label.csv")
        return codes.astype(np.uint16)

    def _hash(self, tables: Sequence[str]) -> tuple[str, str]:
        """Return the fingerprints of the tables, and of the tables with the selection."""
        hashed = hashlib.sha256()
        for text in tables:
            hashed.update(text.encode())
        if (self.folder / LATENTS_FILE).is_file():
            hashed.update(images.read_indexed_image(self.folder / LATENTS_FILE))
        alone = hashed.hexdigest()
        hashed.update(f"split={self.split} limit={self.limit}".encode())
        return alone, hashed.hexdigest()


def _open_path(folder: str | Path) -> Path:
    """Return a folder as a path; for a URL, a path that reads through fsspec."""
    if not (isinstance(folder, str) and "://" in folder):
        return Path(folder)
    upath = import_optional("upath", extra="ray", purpose="for addresses like s3://")
    try:
        remote: Path = upath.UPath(folder)
        remote.exists()  # loads the library for this kind of address and contacts the host
    except ImportError as error:
        raise MissingExtraError(f"{folder} needs a library that is not installed: {error}") from error
    except ValueError as error:
        raise SettingsError(f"{folder} is not an address that can be read: {error}") from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataNotFoundError(f"the probe set at {folder} cannot be reached: {reason}") from error
    return remote
