"""Weights in files beside an ONNX file: read from inside its folder only, and no more than lies there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.errors import ModelFileError
from netdissect.io.reading import open_regular
from netdissect.io.text import escape_line

if TYPE_CHECKING:
    from pathlib import Path

#: A part of a file may be the weights of several tensors, but not of any number of them.
_MAX_EXPANSION = 4


class ExternalData:
    """The files beside an ONNX file, and how much was taken out of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = path.parent.resolve()
        self._sizes: dict[Path, int] = {}
        self._taken = 0

    def read(self, tensor: Any) -> bytes:
        """Return a tensor's bytes.

        Raises:
            ModelFileError: if what it names lies outside the folder, is no regular file or too short, or if tensors
                together want more than the files hold.
        """
        told: dict[str, str] = {entry.key: entry.value for entry in tensor.external_data}
        location = told.get("location", "")
        wanted = f"the weights {escape_line(tensor.name)!r} in a file beside it"
        try:
            start, length = int(told.get("offset", 0)), int(told.get("length", -1))
        except ValueError as error:
            raise ModelFileError(f"{self._path}: expected {wanted}, got no place in it") from error
        file = self._place(location, wanted)
        size = self._sizes.setdefault(file, file.stat().st_size)
        length = size - start if length < 0 else length
        if start < 0 or length < 0 or start + length > size:
            raise ModelFileError(f"{self._path}: expected {wanted}, and {location!r} is too short for them: truncated?")
        self._taken += length
        if self._taken > _MAX_EXPANSION * sum(self._sizes.values()):
            raise ModelFileError(
                f"{self._path}: its weights want more than {_MAX_EXPANSION} times what the files beside it hold, "
                f"{sum(self._sizes.values()):,} bytes: refused"
            )
        try:
            with open_regular(file) as opened:
                opened.seek(start)
                return opened.read(length)
        except OSError as error:
            raise ModelFileError(
                f"{self._path}: expected {wanted}, and {location!r} cannot be read ({error})"
            ) from error

    def _place(self, location: str, wanted: str) -> Path:
        try:
            file = (self._folder / location).resolve()
            inside, there = file.is_relative_to(self._folder), file.is_file()
        except (OSError, ValueError, RuntimeError):  # a name that no file can have, or links that go round
            inside, there = True, False
        if not location or not inside:
            raise ModelFileError(
                f"{self._path}: expected {wanted}, got {escape_line(location)!r}, which lies outside its folder: refused"
            )
        if not there:
            raise ModelFileError(
                f"{self._path}: expected {wanted}, and there is no file {escape_line(location)!r} in {self._path.parent}"
            )
        return file
