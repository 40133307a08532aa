"""The probe images and label maps cached in a report's folder, and a record of the probe set they belong to."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from netdissect.errors import DataNotFoundError
from netdissect.io import atomic, reading
from netdissect.io.json_files import parse_json
from netdissect.report import label_maps
from netdissect.report.browser_images import convert_for_browser
from netdissect.report.label_maps import LabelCache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from netdissect.concepts import Labels
    from netdissect.protocols import ImageSource
    from netdissect.results.run_result import Result

#: File that records which probe set a folder's cached files belong to.
_RECORD = "probe-set.json"
_CACHED_FILE = re.compile(r"(\d{6,18})\.(jpg|png|js)")
_MAX_BYTES = 2**26
_THREADS = 4


class ReportCache:
    """The images and label maps in a report's folder, from which the report can be redrawn without the probe set.

    It is an `ImageSource`. Files that were cached from another probe set than the run's are never used.

    Args:
        result: the run.
        folder: the run's folder.
        html: name of the report's folder in it.
    """

    def __init__(self, result: Result, folder: Path, *, html: str = "html") -> None:
        self._result = result
        self._concepts = len(result.probe_set.vocabulary)
        self._record = {"name": result.probe_set.name, "fingerprint": result.probe_set.fingerprint}
        self._image_folder = folder / html / "image" / "probe"
        self._label_folder = folder / html / "data" / "labels"
        self._image_files = self._find_own_files(self._image_folder)
        self._label_files = self._find_own_files(self._label_folder)

    @property
    def records(self) -> tuple[Path, Path]:
        """The files that record the probe set to which cached images and label maps belong."""
        return self._image_folder / _RECORD, self._label_folder / _RECORD

    def read_image_file(self, row: int) -> bytes | None:
        """Return the bytes of a cached image file; None if it is not cached or cannot be read."""
        try:
            return read_cached_file(self._image_files[row])
        except (KeyError, OSError):
            return None

    def read_labels(self, row: int) -> Labels | None:
        """Return a cached label map; None if it is not cached or is damaged."""
        try:
            text = read_cached_file(self._label_files[row]).decode("ascii")
            return label_maps.decode_label_script(text, self._concepts)
        except (KeyError, OSError, ValueError):
            return None

    def cache_images(self, source: ImageSource) -> Mapping[int, Path]:
        """Cache every exemplar image that is not cached yet.

        Args:
            source: the probe set's images.

        Returns:
            the cached files by their row in ``index.csv``.

        Raises:
            DataNotFoundError: if an image is neither cached nor in the source.
        """
        self._image_files = self._claim(self._image_folder)
        missing = [row for row in self._result.image_names if row not in self._image_files]
        with atomic.write_together() as write:
            for row in missing:
                data = convert_for_browser(self._require_image(row, source))
                suffix = ".png" if data.startswith(b"\x89PNG") else ".jpg"
                self._image_files[row] = self._image_folder / f"{row:06d}{suffix}"
                write(self._image_files[row], data)
        return {row: self._image_files[row] for row in self._result.image_names}

    def _require_image(self, row: int, source: ImageSource) -> bytes:
        """Return the bytes of an image file of the source; DataNotFoundError if it has no such image."""
        data = source.read_image_file(row)
        if data is None:
            raise DataNotFoundError(
                f"image {self._result.image_names[row]} is needed for the report but is neither in {self._image_folder} nor "
                f"in the probe set {self._result.probe_set.path or self._result.probe_set.name}: put the probe set back, or "
                f"redraw the report on a machine that has it"
            )
        return data

    def cache_labels(self, source: ImageSource) -> LabelCache:
        """Cache the label map of every exemplar image, and choose example images of every concept from them.

        A row whose label map is neither cached nor in the source is left out: the page shows that image without labels.

        Args:
            source: the probe set's labels.
        """
        self._label_files = self._claim(self._label_folder)
        rows = sorted(self._result.image_names)
        with (
            atomic.write_together() as write,
            ThreadPoolExecutor(_THREADS, thread_name_prefix="labels") as threads,
        ):
            counted = list(threads.map(lambda row: self._count_pixels(row, source, write), rows))
        counts = {row: count for row, count in zip(rows, counted, strict=True) if count is not None}
        table = np.array(list(counts.values()), np.int64).reshape(len(counts), self._concepts)
        examples = label_maps.choose_examples(np.array(list(counts), np.int64), table)
        files = {row: self._label_files[row] for row in counts}
        return LabelCache(files, examples, (table > 0).sum(axis=0), *label_maps.find_companions(table))

    def _count_pixels(
        self, row: int, source: ImageSource, write: Callable[[Path, bytes], None]
    ) -> NDArray[np.int64] | None:
        """Cache a row's label map; return each concept's number of pixels, shape (C,), or None if there are no labels."""
        labels = self.read_labels(row)
        if labels is None:
            labels = source.read_labels(row)
            if labels is None:
                return None
            path = self._label_folder / f"{row:06d}.js"
            write(path, label_maps.encode_label_script(row, labels).encode())
            self._label_files[row] = path
        return label_maps.count_pixels(labels, self._concepts)

    def _claim(self, folder: Path) -> dict[int, Path]:
        """Delete cached files of another probe set and record the run's probe set; return the files that are left."""
        files = self._find_own_files(folder)
        if not self._is_own(folder):
            for path in _find_cached_files(folder).values():
                path.unlink()
            atomic.write_text(folder / _RECORD, json.dumps(self._record) + "\n")
        return files

    def _find_own_files(self, folder: Path) -> dict[int, Path]:
        return _find_cached_files(folder) if self._is_own(folder) else {}

    def _is_own(self, folder: Path) -> bool:
        """Return whether a folder's record names the run's probe set."""
        try:
            if not atomic.is_regular_below(folder, _RECORD):
                return False
            return bool(parse_json(read_cached_file(folder / _RECORD)) == self._record)
        except (OSError, ValueError):
            return False


def read_cached_file(path: Path) -> bytes:
    """Return the bytes of a cached file.

    Raises:
        OSError: if it cannot be read, is not a regular file, or is too large.
    """
    return reading.read_bytes(path, most=_MAX_BYTES)


def _find_cached_files(folder: Path) -> dict[int, Path]:
    """Return a folder's cached files by row; links, and files in linked folders, are ignored."""
    if not all(atomic.is_real_folder(above) for above in (folder, folder.parent, folder.parent.parent)):
        return {}
    matches = ((path, _CACHED_FILE.fullmatch(path.name)) for path in folder.iterdir())
    return {int(match[1]): path for path, match in matches if match and atomic.is_regular_below(folder, path.name)}
