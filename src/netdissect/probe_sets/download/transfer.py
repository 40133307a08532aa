"""Make one attempt to fetch a file from one address, continuing after an earlier attempt."""

from __future__ import annotations

import errno
import http.client
import shutil
import urllib.error
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netdissect.errors import DownloadError
from netdissect.io.text import escape_line
from netdissect.probe_sets.download import responses
from netdissect.probe_sets.download.connection import (
    MIN_BYTES_PER_SECOND,
    MirrorRejected,
    TransferDeadline,
    TransferInterrupted,
    open_url,
)

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.probe_sets.download.partial import PartialFile
    from netdissect.protocols import Progress

_BLOCK = 1 << 16
#: Bytes to leave free on the disk, and number of bytes after which the free space is checked again.
_MARGIN, _RECHECK_BYTES = 16 << 20, 64 << 20

#: Without a validator or checksum, this many of the last bytes are fetched again and compared.
_OVERLAP = 1 << 16
#: Number of first bytes by which the kind of a file is recognized.
_FIRST_BYTES = 512

_CHANGED = "the file on the server has changed"


def transfer_file(url: str, partial: PartialFile, *, size: int | None, trusted: bool, progress: Progress) -> None:
    """Fetch the missing bytes of a file.

    Args:
        url: the address.
        partial: the bytes so far; complete when this returns.
        size: the exact size in bytes, if known.
        trusted: whether a checksum will be compared in the end; only then bytes of two addresses are combined.
        progress: reports the progress, in bytes.

    Raises:
        TransferInterrupted: if the connection ended early or the server is busy.
        MirrorRejected: if the address gives something else, more than fits on the disk, or too few bytes per second.
        DownloadError: if the disk is full.
    """
    have, again = _find_resumable(url, partial, trusted=trusted)
    if size is not None and have == size:
        return
    with TransferDeadline() as deadline:
        try:
            _Transfer(url, partial, size, trusted, progress, deadline).run(have, again)
        except (TransferInterrupted, MirrorRejected) as error:
            if deadline.slow:
                raise MirrorRejected(f"it sends less than {format_bytes(MIN_BYTES_PER_SECOND)} a second") from error
            raise


def _find_resumable(url: str, partial: PartialFile, *, trusted: bool) -> tuple[int, int]:
    """Return how many bytes can be kept with this address, and how many of them must be fetched again to compare."""
    have, origin = partial.size, partial.origin
    if have and origin and (trusted or (origin.get("url") == url and origin.get("validator"))):
        return have, 0
    if have > _OVERLAP and origin.get("url") == url and origin.get("total"):
        return have, _OVERLAP
    return 0, 0


@dataclass(frozen=True)
class _Transfer:
    """One attempt to fetch a file; the fields are as in `transfer_file`."""

    url: str
    partial: PartialFile
    size: int | None
    trusted: bool
    progress: Progress
    deadline: TransferDeadline

    def run(self, have: int, again: int) -> None:
        """Fetch what is missing after `have` bytes, and the last `again` bytes of them once more."""
        response = self._open(have, again)
        if response is None:
            return
        with response:
            try:
                have, total, origin = self._check(response, have, again)
                _require_space(self.partial.path, total - have if total is not None else None)
                first = b"" if have else self._read_first_bytes(response, total)
                if not have:
                    self.partial.drop()  # only now that the new bytes are known to be of the right kind
                self.partial.write_note(**origin)
                self.progress.start("download", total or 0)
                self._receive(response, have, first, total)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                raise DownloadError(
                    f"{self.partial.target.parent}: the disk is full; {format_bytes(self.partial.size)} of "
                    f"{self.partial.name} are kept: make room and run the same command again to continue"
                ) from error

    def _open(self, have: int, again: int) -> Any:
        """Return the server's response; None if nothing is missing."""
        headers = {"Accept-Encoding": "identity"}
        if have - again:
            headers["Range"] = f"bytes={have - again}-"
            if validator := self.partial.origin.get("validator"):
                headers["If-Range"] = str(validator)
        try:
            return open_url(self.url, headers, self.deadline)
        except urllib.error.HTTPError as error:
            self._handle_http_error(error, have)
            return None
        except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
            raise TransferInterrupted(f"the connection broke ({_describe_error(error)})") from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, (ConnectionResetError, TimeoutError)):
                raise TransferInterrupted(f"the connection broke ({_describe_error(error.reason)})") from error
            raise MirrorRejected(f"it cannot be reached ({_describe_error(error.reason)})") from error
        except (OSError, ValueError, OverflowError) as error:
            raise MirrorRejected(f"it cannot be reached ({_describe_error(error)})") from error

    def _handle_http_error(self, error: urllib.error.HTTPError, have: int) -> None:
        """Raise the error for an HTTP error status; return if no bytes of the file were missing."""
        error.close()
        if error.code == 416 and have:
            total = responses.parse_total_length(error)
            if (self.size if total is None else total) == have and self.partial.origin.get("total") in (None, have):
                return  # nothing is missing: the checksum decides
            raise self._restart(_CHANGED) from error
        if error.code in (408, 425, 429) or error.code >= 500:
            raise TransferInterrupted(f"the server is busy or broken (HTTP {error.code})") from error
        if error.code // 100 == 3:
            raise MirrorRejected(f"it redirects to {error.url}, which is not followed") from error
        raise MirrorRejected(f"it answers HTTP {error.code}, {escape_line(str(error.reason))}") from error

    def _restart(self, reason: str) -> TransferInterrupted:
        """Drop all bytes, so that the next attempt starts from the first; return the error."""
        self.partial.drop()
        return TransferInterrupted(reason)

    def _check(self, response: Any, have: int, again: int) -> tuple[int, int | None, dict[str, Any]]:
        """Check a response against the bytes so far.

        Returns:
            the number of bytes to keep, the total size in bytes (None if it is unknown until the response ends), and
            the note on the origin of the bytes.
        """
        responses.require_file_response(response, self.partial.name, lambda: self._read_block(response, _BLOCK))
        origin: dict[str, Any] = {}
        if response.status == 206:
            origin = self.partial.origin
            total: int | None = self._check_part(response, have, again)
        else:
            have, total = 0, responses.parse_content_length(response)
        if self.size is not None and total is not None and total != self.size:
            raise MirrorRejected(f"it offers a file of {total} bytes, but the right one has {self.size}")
        if total is None and self.size is None and not self.trusted and not responses.has_known_end(response):
            raise MirrorRejected(
                "it does not state the length of the file, so an interrupted connection could not be noticed"
            )
        total = self.size if total is None else total
        validator = responses.get_validator(response) or origin.get("validator", "")
        return have, total, {"url": origin.get("url", self.url), "validator": validator, "total": total}

    def _check_part(self, response: Any, have: int, again: int) -> int:
        """Check that a part (HTTP 206) continues the bytes so far; return the total size in bytes."""
        first, total = responses.parse_content_range(response)
        known = self.partial.origin.get("total")
        if first != have - again or not have:
            raise self._restart("the server sent another part of the file than the requested one")
        if total is None:
            total = known if isinstance(known, int) else self.size
        if total is None:
            raise self._restart("the server does not say how long the file is")
        if known is not None and total != known:
            raise self._restart(_CHANGED)
        if again:
            self._compare_overlap(response, have, again)
        return total

    def _compare_overlap(self, response: Any, have: int, again: int) -> None:
        """Compare the bytes that are fetched again with those on disk; drop all bytes if they differ."""
        found = b""
        while len(found) < again and (block := self._read_block(response, again - len(found))):
            found += block
        if len(found) < again:
            raise TransferInterrupted("the connection ended at once")
        with self.partial.open() as file:
            file.seek(have - again)
            same = file.read(again) == found
        if not same:
            raise self._restart(_CHANGED)

    def _read_first_bytes(self, response: Any, total: int | None) -> bytes:
        """Return the first bytes of a file, enough to recognize its kind.

        Raises:
            MirrorRejected: if a file of its name cannot begin so, or is empty.
        """
        first = b""
        wanted = _FIRST_BYTES if total is None else min(_FIRST_BYTES, total)
        while len(first) < wanted and (
            block := self._read_block(response, _BLOCK if total is None else min(_BLOCK, total - len(first)))
        ):
            first += block
        if not first and total:
            raise TransferInterrupted("the connection ended at once")
        if wrong := responses.find_wrong_start(self.partial.name, first) if first else "it sends an empty file":
            raise MirrorRejected(wrong)
        return first

    def _receive(self, response: Any, have: int, first: bytes, total: int | None) -> None:
        """Write the first bytes and the rest of the response after the bytes to keep."""
        check_at = have + _RECHECK_BYTES
        with self.partial.open() as file:
            file.seek(have)
            file.truncate()
            file.write(first)
            have += len(first)
            self.progress.advance(have)
            while total is None or have < total:
                block = self._read_block(response, _BLOCK if total is None else min(_BLOCK, total - have))
                if not block:
                    break
                file.write(block)
                have += len(block)
                self.progress.advance(len(block))
                if total is None and have >= check_at:
                    _require_space(self.partial.path, 0)
                    check_at = have + _RECHECK_BYTES
        if total is not None and have < total:
            raise TransferInterrupted(f"the connection ended after {have} of {total} bytes")

    def _read_block(self, response: Any, most: int) -> bytes:
        """Return the next bytes, at most `most`; empty at the end."""
        try:
            block: bytes = response.read1(most)
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise TransferInterrupted(f"the connection broke ({_describe_error(error)})") from error
        self.deadline.count_bytes(len(block))
        return block


def _require_space(path: Path, needed: int | None) -> None:
    free = shutil.disk_usage(path.parent).free
    if needed is not None and needed + _MARGIN > free:
        raise MirrorRejected(
            f"{path.parent.parent} has {format_bytes(free)} free and {format_bytes(needed)} are still to come: make room, or "
            f"choose another disk with --into"
        )


def format_bytes(size: int) -> str:
    """Return a number of bytes in a readable unit.

    >>> format_bytes(975_000_000), format_bytes(1_052_103), format_bytes(300)
    ('975 MB', '1.1 MB', '0.3 kB')
    """
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.{0 if size >= 100 * unit else 1}f} {name}"
    return f"{size / 1e3:.1f} kB"


def _describe_error(error: object) -> str:
    """Return an error's message on one line, escaped because a server may have sent it."""
    return escape_line(str(error).strip()[:200]) or type(error).__name__
