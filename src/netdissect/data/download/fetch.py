"""Fetching one file: mirrors in turn, several attempts each, and a checksum or size at the end."""

from __future__ import annotations

import hashlib
import time
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdissect.data.download.transfer import Cut, Partial, Refused, amount, transfer
from netdissect.errors import DownloadError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from netdissect.data.download.registry import RemoteFile
    from netdissect.protocols import Progress

#: What was downloaded, from where, and the checksums that were found.
RECORD = "downloads.json"
#: Attempts at one address that bring nothing new, before the next is tried.
_ATTEMPTS = 4


@dataclass(frozen=True)
class Fetched:
    """A file that was fetched.

    Attributes:
        path: where it lies.
        url: the address that gave it.
        size: its size in bytes.
        sha256: its checksum.
    """

    path: Path
    url: str
    size: int
    sha256: str


def fetch(
    file: RemoteFile,
    folder: Path,
    *,
    progress: Progress,
    say: Callable[[str], None],
    digest: tuple[str, str] | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Fetch a file into a folder, whole and verified, or not at all.

    What an interrupted call leaves is ``NAME.part``; the next goes on from its last byte.

    Args:
        file: what to fetch.
        folder: where it goes.
        progress: shown how far it is, in bytes.
        say: told of mirrors that fail.
        digest: a checksum recorded earlier, for a file of which none is published.
        wait: pauses between attempts.

    Raises:
        DownloadError: if no mirror gave the right file, or the disk has no room.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / file.name
    known = file.digest or digest
    failures = []
    for url in file.mirrors:
        partial = Partial.of(target)
        try:
            _from_mirror(url, partial, file, known, progress, wait)
        except Refused as refusal:
            failures.append(f"{url}: {refusal}")
            if url != file.mirrors[-1]:
                say(f"{file.name}: {failures[-1]}")
            continue
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(
                f"interrupted after {amount(partial.size)} of {file.name}; the same command goes on from there"
            ) from interrupt
        sha256 = _hash(partial.path, "sha256")
        size = partial.size
        partial.path.replace(target)
        partial.note.unlink(missing_ok=True)
        return Fetched(target, url, size, sha256)
    raise DownloadError(
        f"{file.name} could not be fetched. {'; '.join(failures)}. If you have it from elsewhere, put it at {target} and "
        f"run the same command"
    )


def verify(path: Path, file: RemoteFile, digest: tuple[str, str] | None) -> str:
    """Return what is wrong with a file; empty if nothing is."""
    if file.size is not None and path.stat().st_size != file.size:
        return f"it has {path.stat().st_size} bytes, and the right one {file.size}"
    if digest is not None and (found := _hash(path, digest[0])) != digest[1]:
        if file.digest is None:
            return (
                f"its {digest[0]} is {found}, and at the first download it was {digest[1]} (if the file was renewed on "
                f"purpose, delete its entry in {RECORD})"
            )
        return f"its {digest[0]} is {found}, and the right one's {digest[1]}"
    if file.name.endswith(".zip") and not zipfile.is_zipfile(path):
        return "it is a zip file without its end"
    return ""


def _from_mirror(
    url: str,
    partial: Partial,
    file: RemoteFile,
    digest: tuple[str, str] | None,
    progress: Progress,
    wait: Callable[[float], None],
) -> None:
    idle = 0
    while True:
        before = partial.size
        resumed = before > 0
        try:
            transfer(url, partial, size=file.size, trusted=digest is not None, progress=progress)
        except Cut as cut:
            if partial.size and digest is not None and not verify(partial.path, file, digest):
                return  # it was all there: the server had announced too much
            idle = 0 if partial.size > before else idle + 1
            if idle >= _ATTEMPTS:
                raise Refused(str(cut)) from cut
            wait(min(8.0, 0.5 * 2**idle))
            continue
        wrong = verify(partial.path, file, digest)
        if not wrong:
            return
        partial.drop()
        if not resumed:
            raise Refused(wrong)
        # Bytes of an earlier attempt may have spoilt it: once more, from the first byte.


def _hash(path: Path, kind: str) -> str:
    hashed = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            hashed.update(block)
    return hashed.hexdigest()
