"""Cache of an unfinished build, so that a later call continues it.

``OUT/.build/`` holds ``state.json`` (what is being built), ``pieces/`` (the results of every batch of images) and ``set/``
(the probe set so far). A finished probe set in OUT stays until the new one is complete; then the files of ``set/`` replace
it, ``index.csv`` last.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import DataError
from netdissect.io import atomic, folders
from netdissect.io.arrays import parse_npy
from netdissect.io.json_files import parse_json
from netdissect.io.names import find_name_problem
from netdissect.io.reading import MAX_TEXT_BYTES, open_regular, read_bytes
from netdissect.probe_sets.broden.probe_images import MAX_LABEL_PIXELS
from netdissect.probe_sets.broden.tables import iterate_cells

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

#: Bytes of the largest label planes of one image and category: two per pixel that `Broden` reads.
_LARGEST_ARRAY = 2 * MAX_LABEL_PIXELS

#: File of a finished probe set that records how it was built.
BUILD_RECORD = "build.json"
_WORK, _STATE = ".build", "state.json"


def _is_state(data: bytes) -> bool:
    try:
        found = parse_json(data)
    except ValueError:
        return False
    return isinstance(found, dict) and isinstance(found.get("state"), dict)


#: A folder with a probe set that was built here, finished or not.
PROBE_SET_FOLDER = folders.FolderKind(
    "probe set that was made here", {BUILD_RECORD: _is_state, f"{_WORK}/{_STATE}": _is_state}, _WORK, DataError, DataError,
    "made by another process",
)  # fmt: skip


class CacheMiss(Exception):  # noqa: N818 - not an error: the piece is made again
    """A piece is missing or damaged."""


@dataclass(frozen=True)
class BuildCache:
    """The cache of one build.

    Attributes:
        out: folder of the probe set.
    """

    out: Path

    @property
    def folder(self) -> Path:
        """The cache's folder, within `out`."""
        return self.out / _WORK

    @property
    def set_folder(self) -> Path:
        """The folder of the unfinished probe set."""
        return self.folder / "set"

    @property
    def _placing_file(self) -> Path:
        return self.folder / "placing.json"

    def write_piece(self, phase: str, key: str, value: Any) -> None:
        """Write the result of a batch in a phase, as JSON."""
        atomic.write_text(self._piece_file(phase, key), json.dumps(value, separators=(",", ":")))

    def read_piece(self, phase: str, key: str) -> Any:
        """Return the result of a batch in a phase; None if it is missing or damaged."""
        try:
            return parse_json(read_bytes(self._piece_file(phase, key), most=MAX_TEXT_BYTES))
        except (OSError, ValueError):
            return None

    def write_arrays(self, key: str, arrays: Iterable[tuple[str, NDArray[np.integer[Any]]]]) -> None:
        """Write named arrays, one at a time, into a compressed file.

        Raises:
            DataError: if an array is larger than `Broden` reads.
        """
        with (
            atomic.open_replacement(self._arrays_file(key)) as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        ):
            for name, array in arrays:
                if array.nbytes > _LARGEST_ARRAY:
                    raise DataError(
                        f"the label maps of one image ({name}) are {array.shape} pixels, and a probe set with more than "
                        f"{MAX_LABEL_PIXELS:,} in one image is not read: choose a smaller --size"
                    )
                with archive.open(name, "w") as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)

    def has_arrays(self, key: str) -> bool:
        """Return whether there is a file of arrays under a key, damaged or not."""
        return self._arrays_file(key).is_file()

    def read_arrays(self, key: str) -> Iterator[tuple[str, NDArray[np.integer[Any]]]]:
        """Yield arrays with their names, one at a time.

        Raises:
            CacheMiss: if their file is missing or damaged; some may have been yielded before.
        """
        try:
            with open_regular(self._arrays_file(key)) as file, zipfile.ZipFile(file) as archive:
                for info in archive.infolist():
                    if info.file_size > _LARGEST_ARRAY + 4096 or info.compress_type != zipfile.ZIP_DEFLATED:
                        raise CacheMiss
                    yield info.filename, parse_npy(archive.read(info))
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise CacheMiss from error

    def _piece_file(self, phase: str, key: str) -> Path:
        return self.folder / "pieces" / f"{phase}-{key}.json"

    def _arrays_file(self, key: str) -> Path:
        return self.folder / "pieces" / f"labels-{key}.zip"

    def is_finished(self, state: dict[str, str], inputs: str) -> bool:
        """Return whether `out` holds the finished probe set of a state and input files already."""
        record = _read_object(self.out / BUILD_RECORD)
        return (self.out / "index.csv").is_file() and record.get("state") == state and record.get("inputs") == inputs

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Lock `out` within the block, because two builds would overwrite each other's pieces.

        Raises:
            DataError: if `out` holds something that was not built here, or another process is building there.
        """
        if self.out.exists() and not self.out.is_dir():
            raise DataError(f"{self.out} is a file: choose a folder with --out")
        with (
            folders.lock_folder(self.out, PROBE_SET_FOLDER),
            atomic.stage_writes(self.out, self.folder / "parts", lambda _: None),
        ):
            yield

    def begin(self, state: dict[str, str], inputs: str, say: Callable[[str], None]) -> None:
        """Continue an unfinished build of the same state, or start over.

        Args:
            state: what is being built.
            inputs: hash of the files it is built from.
            say: receives a message about which of the two happens, and why.
        """
        unfinished = _read_object(self.folder / _STATE).get("state")
        finished = _read_object(self.out / BUILD_RECORD).get("state")
        if unfinished is None:
            self._clear()
            if finished is not None:
                changed = _describe_differences(finished, state) or "a file of its sources changed"
                say(
                    f"{self.out}: the probe set there was built differently ({changed}): starting over; it stays until the "
                    f"new one is complete"
                )
        elif unfinished != state:
            changed = _describe_differences(unfinished, state)
            say(f"{self.out}: an unfinished build there had other settings ({changed}): starting over")
            self._clear()
        elif _read_object(self._placing_file).get("inputs", inputs) != inputs:
            say(f"{self.out}: files changed since the last call: starting over")
            self._clear()
        else:
            say(f"{self.out}: continuing an unfinished build")
        atomic.write_text(self.folder / _STATE, json.dumps({"state": state}, indent=1))
        self.set_folder.mkdir(parents=True, exist_ok=True)

    def _clear(self) -> None:
        """Remove all pieces but the label maps that a network made, which have keys of their own."""
        for name in ("pieces", "set"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for path in (self._placing_file, self.folder / _STATE):
            path.unlink(missing_ok=True)

    def _move_foreign_images(self) -> None:
        """Move files that the user put below ``images/`` of the old probe set to the new one.

        Raises:
            DataError: if the new probe set has a file of that name.
        """
        images = self.out / "images"
        if not (atomic.is_real_folder(images) and (self.out / "index.csv").is_file()):
            return
        own = _list_own_images(self.out)
        for path in sorted(images.rglob("*")):
            name = path.relative_to(images).as_posix()
            if atomic.is_real_folder(path) or name in own:
                continue
            target = self.set_folder / "images" / name
            if target.exists():
                raise DataError(
                    f"{path} does not belong to the probe set there, and the new one has a file of that name: move it"
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)

    def move_into_place(self, state: dict[str, str], inputs: str, write_index: Callable[[Path], None]) -> None:
        """Replace the probe set in `out` by the new one and remove the cache; it can be repeated if interrupted.

        Args:
            state: what was built.
            inputs: hash of the files it was built from.
            write_index: writes ``index.csv`` into a folder.
        """
        self._move_foreign_images()
        # From here on set/ is incomplete: only a build of the same inputs may continue after an interruption.
        atomic.write_text(self._placing_file, json.dumps({"inputs": inputs}))
        (self.out / "index.csv").unlink(missing_ok=True)
        atomic.remove_files_below(self.out, [f"c_{name}.csv" for name in _list_categories(self.out)])
        for path in sorted(self.set_folder.iterdir()):
            target = self.out / path.name
            if target.is_symlink():
                target.unlink()
            elif target.is_dir():
                shutil.rmtree(target)
            path.replace(target)
        atomic.write_text(self.out / BUILD_RECORD, json.dumps({"state": state, "inputs": inputs}, indent=1))
        write_index(self.out)
        shutil.rmtree(self.folder)


def _list_own_images(folder: Path) -> set[str]:
    """Return every cell of ``index.csv`` and its items, among them all files below ``images/`` that belong to the probe set."""
    cells = {cell for line in iterate_cells(folder / "index.csv") for cell in line}
    return {name for cell in cells for name in cell.split(";")} | cells


def _list_categories(folder: Path) -> list[str]:
    """Return the categories of the probe set in a folder; none if it has no ``category.csv``."""
    try:
        names = [line[0] for line in iterate_cells(folder / "category.csv") if line]
    except OSError:
        return []
    return [name for name in names[1:] if find_name_problem(name) is None]


def _read_object(path: Path) -> dict[str, Any]:
    try:
        found = parse_json(read_bytes(path, most=MAX_TEXT_BYTES))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _describe_differences(before: dict[str, str], now: dict[str, str]) -> str:
    """Return what differs between two states: ``size 224 → 227``."""
    changed = []
    for name in sorted({*before, *now}):
        old, new = before.get(name, "none"), now.get(name, "none")
        if old != new and name != "sources":
            changed.append(f"{name} changed" if name.startswith("source ") else f"{name} {old} → {new}")
    return ", ".join(changed)
