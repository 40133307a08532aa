"""A probe set read from a prepared file, alone or beside the folder it was made of."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, cast

import numpy as np
from PIL import Image

from netdissect.concepts import Labels
from netdissect.errors import DataFileError
from netdissect.io import images
from netdissect.probe_sets.broden.reader import Broden
from netdissect.probe_sets.prepared.prepared_schema import STAMPS_TABLE
from netdissect.probe_sets.prepared.stamps import stamp_images
from netdissect.probe_sets.prepared.stored_folder import StoredFolder
from netdissect.segments import Segments

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from netdissect.probe_sets.prepared.prepared_file import PreparedFile

_LOG = logging.getLogger("netdissect")


class PreparedSet(Broden):
    """A probe set in a prepared file. It implements ConceptSource, and equals the folder that the file was made of.

    Attributes:
        file: the prepared file.
        beside: the folder that the file was made of, if it is read beside it; None if the file is read alone.
    """

    def __init__(
        self, file: PreparedFile, *, split: str | None = None, limit: int | None = None, beside: Path | None = None
    ) -> None:
        """Read the tables; images and labels are read on demand.

        Args:
            file: the prepared file.
            split: keep only the rows of this split.
            limit: keep only this many rows, the first ones.
            beside: the folder that the file was made of, whose tables are read instead of the file's.

        Raises:
            DataError: a subclass, if a table is damaged, or contradicts another or the file.
            SettingsError: if no row is of that split.
        """
        self.file, self.beside = file, beside
        self._has_warned = False
        super().__init__(cast("Path", StoredFolder(file)) if beside is None else beside, split=split, limit=limit)
        if beside is None and (self.tables_fingerprint, len(self.labeled)) != (file.facts.tables, file.facts.images):
            raise DataFileError(
                f"{file.where} is damaged (its tables are others than it was made with): make it again with "
                f"netdissect data prepare"
            )

    def _open_folder(self, folder: str | Path) -> Path:
        return super()._open_folder(folder) if self.beside is not None else cast("Path", folder)

    def _reopen(self, split: str | None, limit: int | None) -> Broden:
        return PreparedSet(self.file, split=split, limit=limit, beside=self.beside)

    def find_change(self) -> str | None:
        """Return what has changed in the folder since the file was made, as a clause; None if nothing has."""
        if (self.tables_fingerprint, len(self.labeled)) != (self.file.facts.tables, self.file.facts.images):
            return "the tables of the folder have changed"
        stamps = self.file.read_tables().get(STAMPS_TABLE, b"")
        if len(stamps) != 8 * len(self.labeled):
            return "it was not made of a folder on this machine"
        positions = np.searchsorted(self.labeled, [row.number for row in self.rows])
        changed = np.frombuffer(stamps, "<i8")[positions] != stamp_images(self.folder, self.rows)
        return f"{self.rows[int(changed.argmax())].image} or its labels have changed" if changed.any() else None

    def read_numbers(self, index: int) -> Segments | NDArray[np.uint16]:
        """Return the label planes of an image as segments of label numbers; as planes if there are too many segments.

        Raises:
            DataFileError: if they are damaged.
        """
        row = self.rows[index]
        return self.file.read_labels(self._locate(row.number), row.number, (len(row.planes), *row.label_size))

    def read_segments(self, index: int) -> Segments:
        """Return an image's labels as segments, as codes; if they are damaged, those of the folder beside the file.

        Raises:
            DataFileError: if they are damaged and there is no such folder.
            LabelError: if a label number is not in ``label.csv``.
        """
        try:
            found = self.read_numbers(index)
        except DataFileError as error:
            self._require_folder(error)
            return Segments.from_labels(super().read_labels(index))
        whole = self.vocabulary.codes[list(self.rows[index].whole)].astype(np.int64)
        path = self._name_labels(index)
        if isinstance(found, Segments):
            return Segments(found.map, self._encode(found.table, path), whole)
        return Segments.from_labels(Labels(self._encode(found, path).copy(), whole))

    def read_labels(self, index: int) -> Labels:
        """Return an image's labels, as codes; `read_segments` says what it raises."""
        return self.read_segments(index).to_labels()

    def read_image_file(self, index: int) -> bytes:
        """Return an image's file; a PNG of the scaled image if the file holds no other and there is no folder beside it.

        Raises:
            DataFileError: if it is damaged and there is no such folder.
        """
        try:
            if self.file.facts.size is None:
                return self._read_stored(index).tobytes()
            if self.beside is not None:
                return super().read_image_file(index)
            out = io.BytesIO()
            Image.fromarray(self._read_pixels(index)).save(out, format="PNG")
            return out.getvalue()
        except DataFileError as error:
            self._require_folder(error)
            return super().read_image_file(index)

    def read_image(self, index: int, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """Return an image as RGB, uint8, shape (H, W, 3), scaled to height and width `size` if given.

        Raises:
            DataFileError: if it is damaged, or the file holds it at another size only, and there is no folder beside the
                file.
        """
        row = self.rows[index]
        stored = self.file.facts.size
        try:
            if stored is None:
                where = f"{self.file.where}:{row.image}"
                image = images.decode_image(self._read_stored(index).tobytes(), where, row.image_size)
                return image if size is None else images.resize_image(image, size)
            if (size or row.image_size) == stored:
                return self._read_pixels(index)
            if self.beside is None:
                height, width = size or row.image_size
                raise DataFileError(
                    f"{self.file.where} holds images of {stored[1]} x {stored[0]} pixels only, and {width} x {height} are "
                    f"needed: use the folder it was made of, or prepare it with --images original"
                )
        except DataFileError as error:
            self._require_folder(error)
        return super().read_image(index, size)

    def _locate(self, number: int) -> int:
        """Return the position in the file of a row of ``index.csv``."""
        return int(np.searchsorted(self.labeled, number))

    def _read_stored(self, index: int) -> NDArray[np.uint8]:
        number = self.rows[index].number
        return self.file.read_image(self._locate(number), number)

    def _read_pixels(self, index: int) -> NDArray[np.uint8]:
        """Return the scaled image that the file holds."""
        pixels = self._read_stored(index)
        shape = (*(self.file.facts.size or (0, 0)), 3)
        if pixels.size != shape[0] * shape[1] * 3:
            raise DataFileError(f"{self._name_labels(index)} is damaged: it has another size than the file says")
        return pixels.reshape(shape).copy()

    def _name_labels(self, index: int) -> Path:
        """Return where an image's labels are, for errors."""
        return cast("Path", f"{self.file.where}:{self.rows[index].image}")

    def _require_folder(self, error: Exception) -> None:
        """Raise an error again, unless the image can be read from the folder beside the file."""
        if self.beside is None:
            raise error
        if not self._has_warned:
            self._has_warned = True
            _LOG.warning("%s; what is damaged is read from %s", error, self.beside)
