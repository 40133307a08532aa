"""Limit the memory that a model's file may need, before any of it is unpacked.

Archives that torch writes (checkpoints, programs of torch.export) are zip files, and a small one can unpack to terabytes. The
header of a safetensors file is JSON of any length. The functions here check both first.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
import warnings
import zipfile
from typing import IO, TYPE_CHECKING, Any

import torch

from netdissect.errors import ModelFileError, ModelNotFoundError
from netdissect.io.reading import open_regular, read_bytes
from netdissect.io.text import escape_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import nn

#: An archive may unpack to this many times its own size; weights hardly compress at all.
_MAX_EXPANSION = 16
#: Bytes it may unpack to in addition: the program in a small ``.pt2`` file is text, which compresses well.
_EXTRA_BYTES = 2**25
#: Bytes of a safetensors header; 100,000 tensors take 12 MB.
_MAX_HEADER_BYTES = 2**25
#: Settings that count layers; the deepest published networks have some hundreds.
_DEPTH_KEYS = re.compile(r"layers|depth|blocks")
_MAX_LAYERS = 4096
#: Bytes of weights that a folder's settings may ask for, however small its files are.
_MIN_NETWORK_BYTES = 2**33
_DAMAGED = "{}: expected a whole file, got an archive whose directory is damaged: truncated?"
_ZIP_MAGIC = b"PK\x03\x04"


def open_model_file(path: Path, what: str) -> IO[bytes]:
    """Open a model's file.

    Args:
        path: the file.
        what: kind of file, for error messages, such as ``"weights file"``.

    Raises:
        ModelNotFoundError: if there is no such file.
        ModelFileError: if it cannot be read, or is not a regular file.
    """
    try:
        return open_regular(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelNotFoundError(f"there is no {what} {path}") from error
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path} cannot be read as {what}: {getattr(error, 'strerror', None) or error}") from error


def read_model_file(path: Path, what: str, *, most: int = 2**36) -> bytes:
    """Return the bytes of a model's file.

    Raises:
        ModelNotFoundError: if there is no such file.
        ModelFileError: if it cannot be read, is not a regular file, or is larger than `most` bytes.
    """
    open_model_file(path, what).close()
    try:
        return read_bytes(path, most=most)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read as {what}: {error.strerror or error}") from error


def check_archive_size(where: Path | str, file: IO[bytes]) -> None:
    """Check that a file, if it is a zip archive, unpacks to at most `_MAX_EXPANSION` times its size (plus `_EXTRA_BYTES`).

    Args:
        where: its path, for error messages.
        file: the open file, which is rewound.

    Raises:
        ModelFileError: if it would unpack to more, or if its directory is damaged.
    """
    file.seek(0, os.SEEK_END)
    size = file.tell()
    file.seek(0)
    if file.read(4) == _ZIP_MAGIC:
        most = _MAX_EXPANSION * size + _EXTRA_BYTES
        unpacked = _count_unpacked_bytes(where, file, size)
        if unpacked > most:
            raise ModelFileError(
                f"{where}: its {size:,} bytes would unpack to {unpacked:,}, and at most {most:,} are allowed for a file "
                f"of its size: save the weights again with torch.save, which does not compress"
            )
    file.seek(0)


def _count_unpacked_bytes(where: Path | str, file: IO[bytes], size: int) -> int:
    """Return the unpacked size of an archive; refuse one in which another reader could find another directory."""
    try:
        file.seek(max(0, size - 22))
        end = file.read(22)
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            inside = all(0 <= entry.header_offset < archive.start_dir for entry in entries)
            begins = struct.unpack("<L", end[16:20])[0] if end.startswith(b"PK\x05\x06") else None
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error, RuntimeError) as error:
        raise ModelFileError(_DAMAGED.format(where)) from error
    if not inside or begins not in (archive.start_dir, 0xFFFFFFFF):
        raise ModelFileError(_DAMAGED.format(where))
    return sum(entry.file_size for entry in entries)


def check_layer_counts(where: Path, settings: Any) -> None:
    """Check that a network's settings ask for a plausible number of layers: building them takes memory and time.

    Args:
        where: the file, for error messages.
        settings: its JSON.

    Raises:
        ModelFileError: if they ask for more.
    """
    level: list[tuple[str, Any]] = [("", settings)]
    while level:
        key, value = level.pop()
        if isinstance(value, dict):
            level += value.items()
        elif isinstance(value, list):
            level += [(key, part) for part in value]
        elif _DEPTH_KEYS.search(key) and isinstance(value, (int, float)) and value > _MAX_LAYERS:
            raise ModelFileError(
                f"{where}: {escape_line(key)} is {value:,}, and networks have at most {_MAX_LAYERS:,} layers"
            )


def check_network_size(where: Path, make: Callable[[], nn.Module]) -> None:
    """Check that a network's weights take memory in proportion to the files in its folder.

    Args:
        where: the folder.
        make: builds the network; called on the meta device, where tensors take no memory.

    Raises:
        ModelFileError: if they would take more.
    """
    needed = 0
    with contextlib.suppress(Exception), warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("ignore")
        needed = sum(4 * parameter.numel() for parameter in make().parameters())
    most = max(
        _MIN_NETWORK_BYTES, _MAX_EXPANSION * sum(file.stat().st_size for file in where.iterdir() if file.is_file())
    )
    if needed > most:
        raise ModelFileError(
            f"{where}: its settings ask for {needed:,} bytes of weights, and at most {most:,} are allowed"
        )


def check_safetensors_header(where: Path | str, file: IO[bytes]) -> None:
    """Check that the header of a safetensors file has a plausible length.

    Raises:
        ModelFileError: if it is too long, or longer than the file.
    """
    file.seek(0, os.SEEK_END)
    size = file.tell()
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    file.seek(0)
    if length > min(size - 8, _MAX_HEADER_BYTES):
        raise ModelFileError(
            f"{where}: expected a safetensors file, got one of {size:,} bytes whose header claims {length:,}: truncated?"
        )
