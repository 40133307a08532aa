"""Fetch one file: try its mirrors in turn, several times each, and verify checksum or size."""

from __future__ import annotations

import hashlib
import time
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdissect.errors import DownloadError
from netdissect.io.reading import open_regular
from netdissect.probe_sets.download import download_record
from netdissect.probe_sets.download.connection import (
    MIN_BYTES_PER_SECOND,
    SPEED_SECONDS,
    MirrorRejected,
    TransferInterrupted,
)
from netdissect.probe_sets.download.partial import PartialFile, describe_irregular, remove_if_empty
from netdissect.probe_sets.download.transfer import format_bytes, transfer_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from netdissect.probe_sets.download.registry import Mirror, RemoteFile
    from netdissect.protocols import Progress

#: Consecutive attempts at a mirror without progress, after which the next one is tried.
_ATTEMPTS = 4


@dataclass(frozen=True)
class FetchedFile:
    """A file that was fetched.

    Attributes:
        path: the file.
        url: the address it came from.
        size: its size in bytes.
        sha256: its checksum, as hex digits.
    """

    path: Path
    url: str
    size: int
    sha256: str


def fetch_file(
    file: RemoteFile,
    folder: Path,
    *,
    progress: Progress,
    say: Callable[[str], None],
    digest: tuple[str, str] | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> FetchedFile:
    """Fetch a file into a folder, complete and verified, or not at all.

    An interrupted call leaves ``.downloads/NAME.part``; the next one continues after its last byte.

    Args:
        file: the file.
        folder: the folder.
        progress: reports the progress, in bytes.
        say: receives messages about mirrors that fail.
        digest: a checksum recorded at an earlier download, for a file without a published one.
        wait: called with the seconds to sleep between two attempts.

    Raises:
        DownloadError: if no mirror gave the right file, or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / file.name
    if (kind := describe_irregular(target)) is not None:
        raise DownloadError(f"{target} is in the way: it is {kind}; move it, or choose another place with --into")
    failures = []
    for mirror in file.mirrors:
        partial = PartialFile.load(target)
        try:
            _fetch_from_mirror(mirror, partial, file, file.digest or digest or mirror.digest, progress, wait)
        except MirrorRejected as refusal:
            failures.append(f"{mirror.url}: {refusal}")
            if mirror != file.mirrors[-1]:
                say(f"{file.name}: {failures[-1]}")
            continue
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(
                f"interrupted after {format_bytes(partial.size)} of {file.name}; run the same command again to continue"
            ) from interrupt
        if mirror.evidence == "guess" and file.digest is None and digest is None:
            say(f"{file.name} comes from {mirror.url}; that it is the right file is only a guess: {mirror.why}")
        fetched = FetchedFile(target, mirror.url, partial.size, _hash_file(partial.path, "sha256"))
        partial.finish()
        return fetched
    remove_if_empty(PartialFile.load(target).path.parent)
    raise DownloadError(
        f"{file.name} could not be fetched. {'; '.join(failures)}. If you have it from elsewhere, put it at {target} and "
        f"run the same command"
    )


def find_file_problem(path: Path, file: RemoteFile, digest: tuple[str, str] | None) -> str:
    """Return what is wrong with a file, as the end of a sentence; empty if nothing is."""
    if (kind := describe_irregular(path.resolve())) is not None:
        return f"it is {kind}"
    if file.size is not None and path.stat().st_size != file.size:
        return f"it has {path.stat().st_size} bytes, but the right one has {file.size}"
    if digest is not None and (found := _hash_file(path, digest[0])) != digest[1]:
        if file.digest is None and digest not in [mirror.digest for mirror in file.mirrors]:
            return (
                f"its {digest[0]} is {found}, but at the first download it was {digest[1]} (if the file was renewed on "
                f"purpose, delete its entry in {download_record.RECORD_FILE})"
            )
        return f"its {digest[0]} is {found}, but the right one's is {digest[1]}"
    if file.name.endswith(".zip") and not zipfile.is_zipfile(path):
        return "it is a truncated zip file"
    return ""


def _fetch_from_mirror(
    mirror: Mirror,
    partial: PartialFile,
    file: RemoteFile,
    digest: tuple[str, str] | None,
    progress: Progress,
    wait: Callable[[float], None],
) -> None:
    """Fetch a file from one mirror in several attempts; raise MirrorRejected if none succeeds."""
    idle, furthest = 0, partial.size
    while True:
        resumed = partial.size > 0
        try:
            transfer_file(mirror.url, partial, size=file.size, trusted=digest is not None, progress=progress)
        except TransferInterrupted as cut:
            if partial.size and digest is not None and not find_file_problem(partial.path, file, digest):
                return  # it is complete: the server announced too many bytes
            idle = 0 if partial.size - furthest >= MIN_BYTES_PER_SECOND * SPEED_SECONDS else idle + 1
            furthest = max(furthest, partial.size)
            if idle >= _ATTEMPTS:
                raise MirrorRejected(str(cut)) from cut
            wait(min(8.0, 0.5 * 2**idle))
            continue
        wrong = find_file_problem(partial.path, file, digest)
        if not wrong:
            return
        partial.drop()
        if not resumed:
            raise MirrorRejected(wrong)
        # Bytes of an earlier attempt may be wrong: fetch it once more from the first byte.


def _hash_file(path: Path, kind: str) -> str:
    hashed = hashlib.new(kind, usedforsecurity=False)
    with open_regular(path) as file:
        while block := file.read(1 << 20):
            hashed.update(block)
    return hashed.hexdigest()
