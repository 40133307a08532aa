"""Make one attempt to fetch a file from one address, continuing after an earlier attempt."""

from __future__ import annotations

import errno
import http.client
import shutil
import urllib.error
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

#: Without validator or checksum, so many of the last bytes are fetched again and must be the same.
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
    with TransferDeadline() as watch:
        try:
            _transfer(url, partial, (have, again), size, trusted, progress, watch)
        except (TransferInterrupted, MirrorRejected) as error:
            if watch.slow:
                raise MirrorRejected(f"it sends less than {format_bytes(MIN_BYTES_PER_SECOND)} a second") from error
            raise


def _transfer(
    url: str,
    partial: PartialFile,
    place: tuple[int, int],
    size: int | None,
    trusted: bool,
    progress: Progress,
    watch: TransferDeadline,
) -> None:
    have, again = place
    try:
        response = open_url(url, _make_headers(partial, have - again), watch)
    except urllib.error.HTTPError as error:
        _handle_http_error(error, partial, have, size)
        return
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise TransferInterrupted(f"the connection broke ({_describe_error(error)})") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, (ConnectionResetError, TimeoutError)):
            raise TransferInterrupted(f"the connection broke ({_describe_error(error.reason)})") from error
        raise MirrorRejected(f"it cannot be reached ({_describe_error(error.reason)})") from error
    except (OSError, ValueError, OverflowError) as error:
        raise MirrorRejected(f"it cannot be reached ({_describe_error(error)})") from error
    with response:
        try:
            have, total, origin = _check_response(url, response, partial, (have, again), size, watch, trusted=trusted)
            _require_space(partial.path, total - have if total is not None else None)
            first = b"" if have else _read_first_bytes(response, partial.name, total, watch)
            if not have:
                partial.drop()  # only now that the new bytes are known to be of the right kind
            partial.write_note(**origin)
            progress.start("download", total or 0)
            _receive(response, partial, have, first, total, progress, watch)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise DownloadError(
                f"{partial.target.parent}: the disk is full; {format_bytes(partial.size)} of {partial.name} are kept: make room "
                f"and run the same command again to continue"
            ) from error


def _make_headers(partial: PartialFile, first: int) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"}
    if first:
        headers["Range"] = f"bytes={first}-"
        if validator := partial.origin.get("validator"):
            headers["If-Range"] = str(validator)
    return headers


def _find_resumable(url: str, partial: PartialFile, *, trusted: bool) -> tuple[int, int]:
    """Return how many bytes can be kept with this address, and how many of them must be fetched again to compare."""
    have, origin = partial.size, partial.origin
    if have and origin and (trusted or (origin.get("url") == url and origin.get("validator"))):
        return have, 0
    if have > _OVERLAP and origin.get("url") == url and origin.get("total"):
        return have, _OVERLAP
    return 0, 0


def _check_response(
    url: str,
    response: Any,
    partial: PartialFile,
    place: tuple[int, int],
    size: int | None,
    watch: TransferDeadline,
    *,
    trusted: bool,
) -> tuple[int, int | None, dict[str, Any]]:
    """Check a response against the bytes so far.

    Returns:
        the number of bytes to keep, the total size in bytes (None if only the end of the response will tell), and the
        note on the origin of the bytes.
    """
    have, again = place
    responses.require_file_response(response, partial.name, lambda: _read_block(response, watch, _BLOCK))
    if response.status == 206:
        first, total = responses.parse_content_range(response)
        known = partial.origin.get("total")
        if first != have - again or not have:
            partial.drop()
            raise TransferInterrupted("the server sent another part of the file than the requested one")
        if total is None:
            total = known if isinstance(known, int) else size
        if total is None or (known is not None and total != known):
            partial.drop()
            raise TransferInterrupted("the server does not say how long the file is" if total is None else _CHANGED)
        if again:
            _compare_overlap(response, partial, have, again, watch)
    else:
        have, total = 0, responses.parse_content_length(response)
    if size is not None and total is not None and total != size:
        raise MirrorRejected(f"it offers a file of {total} bytes, and the right one has {size}")
    if total is None and size is None and not trusted and not responses.has_known_end(response):
        raise MirrorRejected(
            "it does not state the length of the file, so an interrupted connection could not be noticed"
        )
    total = size if total is None else total
    validator = responses.get_validator(response)
    origin = partial.origin if response.status == 206 else {}
    return have, total, {
        "url": origin.get("url", url), "validator": validator or origin.get("validator", ""), "total": total,
    }  # fmt: skip


def _compare_overlap(response: Any, partial: PartialFile, have: int, again: int, watch: TransferDeadline) -> None:
    """Compare the bytes that are fetched again with those on disk.

    Raises:
        TransferInterrupted: if they differ; then all bytes are dropped.
    """
    found = b""
    while len(found) < again and (block := _read_block(response, watch, again - len(found))):
        found += block
    if len(found) < again:
        raise TransferInterrupted("the connection ended at once")
    with partial.open() as file:
        file.seek(have - again)
        same = file.read(again) == found
    if not same:
        partial.drop()
        raise TransferInterrupted(_CHANGED)


def _read_first_bytes(response: Any, name: str, total: int | None, watch: TransferDeadline) -> bytes:
    """Return the first bytes of a file, enough to recognize its kind.

    Raises:
        MirrorRejected: if a file of its name cannot begin so, or is empty.
    """
    first = b""
    wanted = _FIRST_BYTES if total is None else min(_FIRST_BYTES, total)
    while len(first) < wanted and (
        block := _read_block(response, watch, _BLOCK if total is None else min(_BLOCK, total - len(first)))
    ):
        first += block
    if not first and total:
        raise TransferInterrupted("the connection ended at once")
    if wrong := responses.find_wrong_start(name, first) if first else "it sends an empty file":
        raise MirrorRejected(wrong)
    return first


def _receive(
    response: Any,
    partial: PartialFile,
    have: int,
    first: bytes,
    total: int | None,
    progress: Progress,
    watch: TransferDeadline,
) -> None:
    look_again = have + _RECHECK_BYTES
    with partial.open() as file:
        file.seek(have)
        file.truncate()
        file.write(first)
        have += len(first)
        progress.advance(have)
        while total is None or have < total:
            block = _read_block(response, watch, _BLOCK if total is None else min(_BLOCK, total - have))
            if not block:
                break
            file.write(block)
            have += len(block)
            progress.advance(len(block))
            if total is None and have >= look_again:
                _require_space(partial.path, 0)
                look_again = have + _RECHECK_BYTES
    if total is not None and have < total:
        raise TransferInterrupted(f"the connection ended after {have} of {total} bytes")


def _read_block(response: Any, watch: TransferDeadline, most: int) -> bytes:
    """Return the next bytes, at most `most`; empty at the end."""
    try:
        block: bytes = response.read1(most)
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise TransferInterrupted(f"the connection broke ({_describe_error(error)})") from error
    watch.count_bytes(len(block))
    return block


def _handle_http_error(error: urllib.error.HTTPError, partial: PartialFile, have: int, size: int | None) -> None:
    """Raise what an HTTP error means for the file; return if nothing of it was missing."""
    error.close()
    if error.code == 416 and have:
        whole = responses.parse_total_length(error)
        if (size if whole is None else whole) == have and partial.origin.get("total") in (None, have):
            return  # nothing is missing: the checksum decides
        partial.drop()
        raise TransferInterrupted(_CHANGED) from error
    if error.code in (408, 425, 429) or error.code >= 500:
        raise TransferInterrupted(f"the server is busy or broken (HTTP {error.code})") from error
    if error.code // 100 == 3:
        raise MirrorRejected(f"it redirects to {error.url}, which is not followed") from error
    raise MirrorRejected(f"it answers HTTP {error.code}, {escape_line(str(error.reason))}") from error


def _require_space(path: Path, needed: int | None) -> None:
    free = shutil.disk_usage(path.parent).free
    if needed is not None and needed + _MARGIN > free:
        raise MirrorRejected(
            f"{path.parent.parent} has {format_bytes(free)} free and {format_bytes(needed)} are still to come: make room, or choose "
            f"another disk with --into"
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
    """Return an error's message on one line; a server may have sent it."""
    return escape_line(str(error).strip()[:200]) or type(error).__name__
