"""The work folder of a build: finished pieces under a key, so that a second call goes on where the first stopped.

``OUT/.build/`` holds ``state.json`` (what is being made), ``pieces/`` (what each batch of images gave) and ``set/``
(the probe set as it grows). A set that lies in OUT stays as it is until the new one is complete; then ``set/`` takes
its place, ``index.csv`` last.
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

#: Bytes of the planes of one image and category: two for each pixel that a set is read with (`broden.LARGEST_ROW`).
_LARGEST_ARRAY = 2 * MAX_LABEL_PIXELS

#: What a finished set says of its making.
BUILD_RECORD = "build.json"
_WORK, _STATE = ".build", "state.json"


def _is_state(data: bytes) -> bool:
    try:
        found = parse_json(data)
    except ValueError:
        return False
    return isinstance(found, dict) and isinstance(found.get("state"), dict)


#: A probe set that was made here, whole or not.
PROBE_SET_FOLDER = folders.FolderKind(
    "probe set that was made here", {BUILD_RECORD: _is_state, f"{_WORK}/{_STATE}": _is_state}, _WORK, DataError, DataError,
    "made by another process",
)  # fmt: skip


class CacheMiss(Exception):  # noqa: N818 - it is what happened, not a mistake
    """A finished piece cannot be read any more: it is made again."""


@dataclass(frozen=True)
class BuildCache:
    """The work folder of one build.

    Attributes:
        out: where the set will lie.
        folder: the work folder.
    """

    out: Path

    @property
    def folder(self) -> Path:
        """The work folder."""
        return self.out / _WORK

    @property
    def set_folder(self) -> Path:
        """Where the set grows."""
        return self.folder / "set"

    @property
    def _placing(self) -> Path:
        return self.folder / "placing.json"

    def piece(self, phase: str, key: str) -> Path:
        """Return the file that holds what a batch gave in a phase."""
        return self.folder / "pieces" / f"{phase}-{key}.json"

    def keep(self, phase: str, key: str, value: Any) -> None:
        """Remember what a batch gave."""
        atomic.write_text(self.piece(phase, key), json.dumps(value, separators=(",", ":")))

    def read_piece(self, phase: str, key: str) -> Any:
        """Return what a batch gave; None if it is not known, or its file was damaged."""
        try:
            return parse_json(read_bytes(self.piece(phase, key), most=MAX_TEXT_BYTES))
        except (OSError, ValueError):
            return None

    def write_arrays(self, key: str, arrays: Iterable[tuple[str, NDArray[np.integer[Any]]]]) -> None:
        """Remember arrays by name; each is written as it comes."""
        with (
            atomic.open_replacement(self._arrays(key)) as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        ):
            for name, array in arrays:
                if array.nbytes > _LARGEST_ARRAY:
                    raise DataError(
                        f"the label maps of one image ({name}) are {array.shape} pixels, and a set with more than {MAX_LABEL_PIXELS:,} "
                        f"in one image is not read: choose a smaller --size"
                    )
                with archive.open(name, "w") as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)

    def has_arrays(self, key: str) -> bool:
        """Say whether there are arrays under a key; whether they are sound shows when they are read."""
        return self._arrays(key).is_file()

    def read_arrays(self, key: str) -> Iterator[tuple[str, NDArray[np.integer[Any]]]]:
        """Yield arrays by name, one at a time.

        Raises:
            Lost: if they are not known, or their file was damaged; some may have been yielded by then.
        """
        try:
            with open_regular(self._arrays(key)) as file, zipfile.ZipFile(file) as archive:
                for info in archive.infolist():
                    if info.file_size > _LARGEST_ARRAY + 4096 or info.compress_type != zipfile.ZIP_DEFLATED:
                        raise CacheMiss
                    yield info.filename, parse_npy(archive.read(info))
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise CacheMiss from error

    def _arrays(self, key: str) -> Path:
        return self.folder / "pieces" / f"labels-{key}.zip"

    def finished(self, state: dict[str, str], inputs: str) -> bool:
        """Say whether OUT holds this very set already."""
        record = _read(self.out / BUILD_RECORD)
        return (self.out / "index.csv").is_file() and record.get("state") == state and record.get("inputs") == inputs

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold OUT for the length of a block: two builds of one set at once would spoil each other's pieces.

        Raises:
            DataError: if OUT holds something that was not made here, or another process is making it.
        """
        if self.out.exists() and not self.out.is_dir():
            raise DataError(f"{self.out} is a file: choose a folder with --out")
        with (
            folders.lock_folder(self.out, PROBE_SET_FOLDER),
            atomic.stage_writes(self.out, self.folder / "parts", lambda _: None),
        ):
            yield

    def begin(self, state: dict[str, str], inputs: str, say: Callable[[str], None]) -> None:
        """Go on with an unfinished build of the same state, or start over, and say so.

        Args:
            state: what is being made.
            inputs: hash of the files it is made of.
            say: told what is being done with what lies there.
        """
        before = _read(self.folder / _STATE).get("state")
        made = _read(self.out / BUILD_RECORD).get("state")
        if before is not None and before != state:
            say(
                f"{self.out}: an unfinished build there had other settings ({_differences(before, state)}): starting over"
            )
            self._clear()
        elif before is None:
            self._clear()
        elif before is not None and _read(self._placing).get("inputs", inputs) != inputs:
            say(f"{self.out}: files changed since the last call: starting over")
            self._clear()
        elif before is not None:
            say(f"{self.out}: going on with an unfinished build")
        if before is None and made is not None:
            changed = _differences(made, state) or "a file of its sources changed"
            say(
                f"{self.out}: the set there was made otherwise ({changed}): starting over; it stays until the new is complete"
            )
        atomic.write_text(self.folder / _STATE, json.dumps({"state": state}, indent=1))
        self.set_folder.mkdir(parents=True, exist_ok=True)

    def _clear(self) -> None:
        """Forget all pieces; label maps that a network made stay, each under a key of its own."""
        for name in ("pieces", "set"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for path in (self._placing, self.folder / _STATE):
            path.unlink(missing_ok=True)

    def _take_along(self) -> None:
        """Let what somebody put among the old set's images lie among the new one's.

        Raises:
            DataError: if the new set has a file of that name.
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
                    f"{path} is not of the set that lies there, and the new one has a file of that name: move it"
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)

    def place(self, state: dict[str, str], inputs: str, write_index: Callable[[Path], None]) -> None:
        """Put the finished set into its place; a call that is interrupted here can be made again."""
        self._take_along()
        # From here on set/ is no longer whole: what is made after an interruption must be this very set.
        atomic.write_text(self._placing, json.dumps({"inputs": inputs}))
        (self.out / "index.csv").unlink(missing_ok=True)
        atomic.remove_files_below(self.out, [f"c_{name}.csv" for name in _list_categories(self.out)])
        grown = sorted(self.set_folder.iterdir())
        for path in grown:
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
    """Return the files below ``images/`` that ``index.csv`` names, whatever else that holds."""
    cells = {cell for line in iterate_cells(folder / "index.csv") for cell in line}
    return {name for cell in cells for name in cell.split(";")} | cells


def _list_categories(folder: Path) -> list[str]:
    """Return the categories of the probe set in a folder; none if it has no ``category.csv``."""
    try:
        names = [line[0] for line in iterate_cells(folder / "category.csv") if line]
    except OSError:
        return []
    return [name for name in names[1:] if find_name_problem(name) is None]


def _read(path: Path) -> dict[str, Any]:
    try:
        found = parse_json(read_bytes(path, most=MAX_TEXT_BYTES))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _differences(before: dict[str, str], now: dict[str, str]) -> str:
    """Return what differs, in words: ``size 224 → 227``."""
    changed = []
    for name in sorted({*before, *now}):
        old, new = before.get(name, "none"), now.get(name, "none")
        if old != new and name != "sources":
            changed.append(f"{name} changed" if name.startswith("source ") else f"{name} {old} → {new}")
    return ", ".join(changed)
