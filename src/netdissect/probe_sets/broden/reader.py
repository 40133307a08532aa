"""A probe set in Broden's format, read as it is (format: docs/broden.md)."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netdissect.bounds import describe_type
from netdissect.concepts import Concept, Labels, Vocabulary
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
from netdissect.io.names import find_name_problem, is_below
from netdissect.io.reading import read_text
from netdissect.optional_libraries import import_optional
from netdissect.probe_sets.broden import label_pngs
from netdissect.probe_sets.broden.index_rows import has_label, is_label_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

#: Where a set of generated images keeps the latents they were made from, one for every row of ``index.csv``.
LATENTS_FILE = "latents.npy"
#: Pixels of all label maps of one image together; they are held at once.
MAX_LABEL_PIXELS = 2**27
_FIXED_COLUMNS = ("image", "split", "ih", "iw", "sh", "sw")


@dataclass(frozen=True, slots=True)
class ProbeImage:
    """One line of ``index.csv`` that carries a label.

    Attributes:
        number: its position in the file, counted from 0.
        image: image, relative to ``images/``.
        split: such as ``train`` or ``val``.
        image_size: height and width of the image.
        label_size: height and width of its label maps.
        planes: label maps of all categories, relative to ``images/``.
        whole: label numbers that hold for the whole image, each once, without 0.
    """

    number: int
    image: str
    split: str
    image_size: tuple[int, int]
    label_size: tuple[int, int]
    planes: tuple[str, ...]
    whole: tuple[int, ...]


class Broden:
    """A probe set on disk: a ConceptSource.

    Rows whose categories are all empty, or hold nothing but 0, carry no label and are dropped, as the released code does.

    Example:
        >>> from netdissect.probe_sets.broden.reader import Broden
        >>> probe_set = Broden("dataset/broden1_227", split="val")        # doctest: +SKIP
        >>> probe_set.labels(0).planes.shape                              # doctest: +SKIP
        (2, 113, 113)
    """

    def __init__(self, folder: str | Path, *, split: str | None = None, limit: int | None = None) -> None:
        """Read the tables of a probe set; images are read when asked for.

        Args:
            folder: where ``index.csv`` lies, a path or any fsspec URL (``s3://bucket/broden1_227``).
            split: keep only the rows of this split.
            limit: keep only the first so many rows.

        Raises:
            DataNotFoundError: if the folder or one of its tables is missing.
            DataFileError: if a table says something impossible.
            SettingsError: if no row is of that split, or the folder is no path.
        """
        given: object = folder
        if given is None or isinstance(given, (bool, int, float, bytes, list, tuple, dict)):
            raise SettingsError(f"Broden takes the folder of a probe set, not {describe_type(given)}")
        self.folder = _open_folder(folder)
        if not self.folder.is_dir():
            raise DataNotFoundError(
                f"there is no probe set at {self.folder}: expected a Broden folder with index.csv "
                f"(netdissect data list shows what can be downloaded)"
            )
        self.vocabulary, hashed = _read_vocabulary(self.folder)
        text = _read_table(self.folder, "index.csv")
        hashed.update(text.encode())
        rows, splits = _read_index(self.folder, text, self.vocabulary)
        if split is not None:
            if split not in splits:
                raise SettingsError(
                    f"no image of {self.folder} is of split {split!r}: {suggest_nearest(split, sorted(splits))}"
                )
            rows = [row for row in rows if row.split == split]
        self.split, self.limit = split, limit
        self._rows: Sequence[ProbeImage] = rows[:limit]
        if not self._rows:
            raise DataFileError(f"{self.folder / 'index.csv'}: no image carries a label")
        if self._has_latents:
            hashed.update(images.read_indexed_image(self.folder / LATENTS_FILE))
        hashed.update(f"split={split} limit={limit}".encode())
        self.fingerprint = hashed.hexdigest()
        codes = self.vocabulary.codes
        self._numbers_are_codes = bool((codes == np.arange(codes.size)).all())

    def select(self, *, split: str | None = None, limit: int | None = None) -> Broden:
        """Return the set with only one split, and only the first so many images; itself if that changes nothing.

        Raises:
            SettingsError: if it was opened with another split.
        """
        if split is not None and self.split not in (None, split):
            raise SettingsError(
                f"split={split!r} was asked for, and the probe set was opened with split={self.split!r}: give one of them"
            )
        limits = [given for given in (self.limit, limit) if given is not None]
        wanted = split or self.split, min(limits, default=None)
        if wanted == (self.split, self.limit):
            return self
        return Broden(str(self.folder), split=wanted[0], limit=wanted[1])

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    @property
    def path(self) -> str:
        """The folder."""
        return str(self.folder.resolve())

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the first image; the others of a Broden edition are as large."""
        return self._rows[0].image_size

    @property
    def rows(self) -> Sequence[ProbeImage]:
        """The rows that carry a label."""
        return self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, index: int) -> int:
        """Return an image's row in ``index.csv``, counted from 0."""
        return self._rows[index].number

    def image_name(self, index: int) -> str:
        """Return an image's path relative to ``images/``."""
        return self._rows[index].image

    def label_size(self, index: int) -> tuple[int, int]:
        """Return height and width of an image's label maps."""
        return self._rows[index].label_size

    def read_image_file(self, index: int) -> bytes:
        """Return an image's file as it is on disk."""
        return images.read_indexed_image(self.folder / "images" / self._rows[index].image)

    def picture(self, index: int, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """Return an image, RGB, shape (H, W, 3), scaled to `size` if one is given.

        Raises:
            DataNotFoundError: if its file is missing.
            DataFileError: if its file does not decode, or has not the size that ``index.csv`` says.
        """
        row = self._rows[index]
        path = self.folder / "images" / row.image
        picture = images.decode_image(images.read_indexed_image(path), path, row.image_size)
        return picture if size is None else images.resize_image(picture, size)

    def latent(self, index: int) -> NDArray[np.generic]:
        """Return the latent that an image was made from, in a set of generated images (``latents.npy``).

        Raises:
            DataNotFoundError: if the images were not made by a generator.
            DataFileError: if the table of latents is damaged.
        """
        row = self._rows[index].number
        latents = self._latents
        if row >= len(latents):
            raise DataFileError(f"{self.folder / LATENTS_FILE}: expected a latent for every image, got {len(latents)}")
        found: NDArray[np.generic] = latents[row]
        return found

    @cached_property
    def _latents(self) -> NDArray[np.generic]:
        path = self.folder / LATENTS_FILE
        if not self._has_latents:
            raise DataNotFoundError(
                f"{self.folder} holds no {LATENTS_FILE}: its pictures were not made by a generator, so that none can be "
                f"dissected on them"
            )
        try:
            found: NDArray[np.generic] = parse_npy(images.read_indexed_image(path))
        except ValueError as error:
            raise DataFileError(f"{path}: expected a table of latents, got {error}") from error
        return found

    @property
    def _has_latents(self) -> bool:
        return (self.folder / LATENTS_FILE).is_file()

    def labels(self, index: int) -> Labels:
        """Return an image's labels, as codes.

        Raises:
            DataNotFoundError: if a label map is missing.
            DataFileError: if one does not decode, or has not the size that ``index.csv`` says.
            LabelError: if one is not 24-bit RGB, or a number is not in ``label.csv``.
        """
        row = self._rows[index]
        planes = np.zeros((len(row.planes), *row.label_size), dtype=np.uint16)
        for plane, name in zip(planes, row.planes, strict=True):
            path = self.folder / "images" / name
            plane[...] = self._codes(label_pngs.read_label_map(path, row.label_size), path)
        whole = self.vocabulary.codes[list(row.whole)].astype(np.int64)
        return Labels(planes, whole)

    def _codes(self, numbers: NDArray[np.uint16], path: Path) -> NDArray[np.uint16]:
        largest = int(numbers.max(initial=0))
        if largest > self.vocabulary.largest_number:
            raise LabelError(
                f"{path}: label {largest} lies beyond the largest number in label.csv, {self.vocabulary.largest_number}"
            )
        if self._numbers_are_codes:
            return numbers
        codes = self.vocabulary.codes[numbers]
        if codes.min() < 0:
            raise LabelError(f"{path}: label {int(numbers[codes < 0][0])} is not listed in label.csv")
        return codes.astype(np.uint16)


def _open_folder(folder: str | Path) -> Path:
    """Return a folder as a path; one behind a URL answers to the same calls."""
    if not (isinstance(folder, str) and "://" in folder):
        return Path(folder)
    upath = import_optional("upath", extra="ray", purpose="for addresses like s3://")
    try:
        remote: Path = upath.UPath(folder)
        remote.exists()  # only now is the library for this kind of address loaded, and the place asked
    except ImportError as error:
        raise MissingExtraError(f"{folder} needs a library that is not installed: {error}") from error
    except ValueError as error:
        raise SettingsError(f"{folder} is no address that can be read: {error}") from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataNotFoundError(f"the probe set at {folder} cannot be reached: {reason}") from error
    return remote


def _read_table(folder: Path, name: str) -> str:
    path = folder / name
    try:
        text = read_text(path, "a table", missing=DataNotFoundError, wrong=DataFileError)
    except DataNotFoundError as error:
        raise DataNotFoundError(f"{folder} is not a complete Broden folder: {name} is missing") from error
    except DataFileError:
        raise
    except Exception as error:  # what lies behind a URL may fail in any way
        raise images.make_read_error("table", path, error) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _records(folder: Path, name: str, text: str, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Return the lines of a table as (line number, fields)."""
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        header = reader.fieldnames or []
        missing = [column for column in columns if column not in header]
        if missing:
            raise DataFileError(
                f"{folder / name}: expected the columns {', '.join(columns)}; {missing[0]!r} is missing"
            )
        if len(set(header)) < len(header):
            raise DataFileError(f"{folder / name}: a column stands twice in the first line")
        records = []
        for record in reader:
            if None in record or None in record.values():
                raise DataFileError(f"{folder / name}, line {reader.line_num}: expected {len(header)} fields")
            records.append((reader.line_num, record))
    except csv.Error as error:
        raise DataFileError(f"{folder / name}, line {reader.reader.line_num}: not a CSV table ({error})") from error
    return records


def _integer(folder: Path, name: str, line: int, record: Mapping[str, str], column: str, least: int) -> int:
    text = record[column]
    if not text.isascii() or not text.strip().isdigit() or len(text) > 9 or int(text) < least:
        raise DataFileError(
            f"{folder / name}, line {line}: expected a whole number of at least {least} as {column!r}, got {text!r}"
        )
    return int(text)


def _read_vocabulary(folder: Path) -> tuple[Vocabulary, hashlib._Hash]:
    hashed = hashlib.sha256()
    text = _read_table(folder, "category.csv")
    hashed.update(text.encode())
    categories = [record["name"] for _, record in _records(folder, "category.csv", text, ["name"])]
    if len(set(categories)) < len(categories) or not all(categories):
        raise DataFileError(f"{folder / 'category.csv'}: category names must be distinct and not empty")
    if not categories:
        raise DataFileError(f"{folder / 'category.csv'}: expected at least one category, got none")
    for category in categories:
        problem = find_name_problem(category)
        if problem is not None or category in _FIXED_COLUMNS:
            raise DataFileError(
                f"{folder / 'category.csv'}: the category {category!a} has a table of its own, c_{category!a}.csv, and a column "
                f"of index.csv, and cannot be called so: {problem or 'index.csv has such a column for every image'}"
            )
    text = _read_table(folder, "label.csv")
    hashed.update(text.encode())
    names: dict[int, str] = {}
    for line, record in _records(folder, "label.csv", text, ["number", "name"]):
        number = _integer(folder, "label.csv", line, record, "number", 1)
        if number in names:
            raise DataFileError(f"{folder / 'label.csv'}, line {line}: label {number} is listed twice")
        if number > label_pngs.MAX_LABEL:
            raise DataFileError(
                f"{folder / 'label.csv'}, line {line}: label {number} is beyond what a label map can hold, "
                f"{label_pngs.MAX_LABEL}"
            )
        names[number] = record["name"]
    if not names:
        raise DataFileError(f"{folder / 'label.csv'}: expected at least one label, got none")
    primary: dict[int, tuple[float, int]] = {}
    for position, category in enumerate(categories):
        table = f"c_{category}.csv"
        text = _read_table(folder, table)
        hashed.update(text.encode())
        for line, record in _records(folder, table, text, ["number", "coverage"]):
            number = _integer(folder, table, line, record, "number", 0)
            if number == 0:
                continue
            if number not in names:
                raise DataFileError(f"{folder / table}, line {line}: label {number} is not listed in label.csv")
            try:
                coverage = float(record["coverage"])
            except ValueError:
                coverage = math.nan
            if not 0 <= coverage < math.inf:
                raise DataFileError(
                    f"{folder / table}, line {line}: expected a number of at least 0 as 'coverage', got {record['coverage']!r}"
                )
            # The largest coverage decides; of equals the later category (METHOD, § 3).
            primary[number] = max(primary.get(number, (0.0, -1)), (coverage, position))
    homeless = sorted(set(names) - set(primary))
    if homeless:
        raise DataFileError(
            f"{folder}: label {homeless[0]} ({names[homeless[0]]}) of label.csv stands in no c_<category>.csv"
        )
    concepts = tuple(Concept(number, names[number], categories[primary[number][1]]) for number in sorted(names))
    return Vocabulary(tuple(categories), concepts), hashed


def _read_index(folder: Path, text: str, vocabulary: Vocabulary) -> tuple[list[ProbeImage], set[str]]:
    records = _records(folder, "index.csv", text, [*_FIXED_COLUMNS, *vocabulary.categories])
    rows, splits = [], set()
    seen: dict[str, int] = {}
    for number, (line, record) in enumerate(records):
        fields = [record[category] for category in vocabulary.categories]
        splits.add(record["split"])
        if not has_label(fields):
            continue
        image = _require_below(folder, line, record["image"])
        if image in seen:
            raise DataFileError(
                f"{folder / 'index.csv'}, line {line}: {image} stands there already in line {seen[image]}"
            )
        seen[image] = line
        ih, iw, sh, sw = (_integer(folder, "index.csv", line, record, column, 1) for column in _FIXED_COLUMNS[2:])
        if max(ih * iw, sh * sw) > images.MAX_IMAGE_PIXELS:
            raise DataFileError(
                f"{folder / 'index.csv'}, line {line}: expected pictures of at most {images.MAX_IMAGE_PIXELS:,} pixels, got "
                f"{max(ih * iw, sh * sw):,}"
            )
        planes, whole = _parse_fields(folder, line, fields, vocabulary)
        if len(planes) * sh * sw > MAX_LABEL_PIXELS:
            raise DataFileError(
                f"{folder / 'index.csv'}, line {line}: {len(planes)} label maps of {sw} x {sh} pixels are "
                f"{len(planes) * sh * sw:,} in one image, and at most {MAX_LABEL_PIXELS:,} are read"
            )
        rows.append(ProbeImage(number, image, record["split"], (ih, iw), (sh, sw), planes, whole))
    return rows, splits


def _parse_fields(
    folder: Path, line: int, fields: Sequence[str], vocabulary: Vocabulary
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    planes: list[str] = []
    whole: dict[int, None] = {}
    for field in fields:
        for item in filter(None, field.split(";")):
            if not is_label_number(item):
                planes.append(_require_below(folder, line, item))
                continue
            number = int(item) if len(item) < 10 else label_pngs.MAX_LABEL + 1
            if number >= vocabulary.codes.size or vocabulary.codes[number] < 0:
                raise LabelError(f"{folder / 'index.csv'}, line {line}: label {item} is not listed in label.csv")
            if number:  # 0 is nothing, though genuine Broden holds it
                whole[number] = None
    return tuple(planes), tuple(whole)


def _require_below(folder: Path, line: int, name: str) -> str:
    """Return a file name that stays inside ``images/``."""
    if not is_below(name):
        raise DataFileError(f"{folder / 'index.csv'}, line {line}: expected a file below images/, got {name!r}")
    return name
