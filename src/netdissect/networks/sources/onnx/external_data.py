"""External data of an ONNX file: weights in other files of its folder, read without trusting the names and sizes that it states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.errors import ModelFileError
from netdissect.io.reading import open_regular
from netdissect.io.text import escape_line

if TYPE_CHECKING:
    from pathlib import Path

#: Tensors may share bytes, but together may read at most this many times the files' size.
_MAX_EXPANSION = 4


class ExternalData:
    """Reads the external data of an ONNX file, and counts the bytes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = path.parent.resolve()
        self._sizes: dict[Path, int] = {}
        self._bytes_read = 0

    def read(self, tensor: Any) -> bytes:
        """Return a tensor's bytes.

        Raises:
            ModelFileError: if its file is outside the folder, is not a regular file or is too short, or if all tensors
                together read many times the files' size.
        """
        entries: dict[str, str] = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        expected = f"the weights {escape_line(tensor.name)!r} in another file"
        try:
            start, length = int(entries.get("offset", 0)), int(entries.get("length", -1))
        except ValueError as error:
            raise ModelFileError(
                f"{self._path}: expected {expected}, got an offset or length that is not a number"
            ) from error
        file = self._find_file(location, expected)
        size = self._sizes.setdefault(file, file.stat().st_size)
        length = size - start if length < 0 else length
        if start < 0 or length < 0 or start + length > size:
            raise ModelFileError(
                f"{self._path}: expected {expected}, and {location!r} is too short for them: truncated?"
            )
        self._bytes_read += length
        if self._bytes_read > _MAX_EXPANSION * sum(self._sizes.values()):
            raise ModelFileError(
                f"{self._path}: its weights take more than {_MAX_EXPANSION} times the bytes that its external files hold, "
                f"{sum(self._sizes.values()):,}: refused"
            )
        try:
            with open_regular(file) as data:
                data.seek(start)
                return data.read(length)
        except OSError as error:
            raise ModelFileError(
                f"{self._path}: expected {expected}, and {location!r} cannot be read ({error})"
            ) from error

    def _find_file(self, location: str, expected: str) -> Path:
        try:
            file = (self._folder / location).resolve()
            inside, there = file.is_relative_to(self._folder), file.is_file()
        except (OSError, ValueError, RuntimeError):  # an impossible file name, or a loop of links
            inside, there = True, False
        if not location or not inside:
            raise ModelFileError(
                f"{self._path}: expected {expected}, got {escape_line(location)!r}, which is outside its folder: refused"
            )
        if not there:
            raise ModelFileError(
                f"{self._path}: expected {expected}, and there is no file {escape_line(location)!r} in {self._path.parent}"
            )
        return file
