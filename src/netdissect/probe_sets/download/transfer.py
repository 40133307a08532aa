"""One attempt to fetch one file from one address, going on where an earlier attempt stopped."""

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
    SLOWEST,
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
#: Bytes left free on the disk besides what is fetched, and after how many the disk is looked at again.
_MARGIN, _LOOK_AGAIN = 16 << 20, 64 << 20

#: Last bytes that are fetched once more where a server vouches for nothing: they must be those that are there.
_OVERLAP = 1 << 16
#: A file is recognized by so many bytes.
_FIRST = 512

_CHANGED = "the server has another file by now"


def transfer_file(url: str, partial: PartialFile, *, size: int | None, trusted: bool, progress: Progress) -> None:
    """Fetch what is missing of a file.

    Args:
        url: the address.
        partial: what there is already; holds the whole file when this returns.
        size: the exact size, if known.
        trusted: whether a checksum will be compared in the end; only then are bytes of two addresses put together.
        progress: shown how far it is, in bytes.

    Raises:
        Cut: if the connection ended early or the server is busy.
        Refused: if the address gives something else, more than the disk has room for, or next to nothing for a minute.
        DownloadError: if the disk fills up.
    """
    have, again = _resumable(url, partial, trusted=trusted)
    if size is not None and have == size:
        return
    with TransferDeadline() as watch:
        try:
            _transfer(url, partial, (have, again), size, trusted, progress, watch)
        except (TransferInterrupted, MirrorRejected) as error:
            if watch.slow:
                raise MirrorRejected(f"it sends less than {format_bytes(SLOWEST)} a second") from error
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
        answer = open_url(url, _headers(partial, have - again), watch)
    except urllib.error.HTTPError as error:
        _answer_error(error, partial, have, size)
        return
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise TransferInterrupted(f"the connection broke ({_reason(error)})") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, (ConnectionResetError, TimeoutError)):
            raise TransferInterrupted(f"the connection broke ({_reason(error.reason)})") from error
        raise MirrorRejected(f"it cannot be reached ({_reason(error.reason)})") from error
    except (OSError, ValueError, OverflowError) as error:
        raise MirrorRejected(f"it cannot be reached ({_reason(error)})") from error
    with answer:
        try:
            have, total, told = _agree(url, answer, partial, (have, again), size, watch, trusted=trusted)
            _room(partial.path, total - have if total is not None else None)
            first = b"" if have else _first(answer, partial.name, total, watch)
            if not have:
                partial.drop()  # not before it is known that something better comes
            partial.tell(**told)
            progress.start("download", total or 0)
            _receive(answer, partial, have, first, total, progress, watch)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise DownloadError(
                f"{partial.target.parent}: the disk is full; {format_bytes(partial.size)} of {partial.name} are kept: make room "
                f"and run the same command, which goes on from there"
            ) from error


def _headers(partial: PartialFile, first: int) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"}
    if first:
        headers["Range"] = f"bytes={first}-"
        if validator := partial.told.get("validator"):
            headers["If-Range"] = str(validator)
    return headers


def _resumable(url: str, partial: PartialFile, *, trusted: bool) -> tuple[int, int]:
    """Return how many bytes may be gone on with from this address, and how many of them are fetched again to compare."""
    have, told = partial.size, partial.told
    if have and told and (trusted or (told.get("url") == url and told.get("validator"))):
        return have, 0
    if have > _OVERLAP and told.get("url") == url and told.get("total"):
        return have, _OVERLAP
    return 0, 0


def _agree(
    url: str,
    answer: Any,
    partial: PartialFile,
    place: tuple[int, int],
    size: int | None,
    watch: TransferDeadline,
    *,
    trusted: bool,
) -> tuple[int, int | None, dict[str, Any]]:
    """Return from which byte on the answer goes, how many the file has in all, and what is noted of it.

    The number is None if the answer's end will tell.
    """
    have, again = place
    responses.require_file_response(answer, partial.name, lambda: _read(answer, watch, _BLOCK))
    if answer.status == 206:
        first, total = responses.parse_content_range(answer)
        known = partial.told.get("total")
        if first != have - again or not have:
            partial.drop()
            raise TransferInterrupted("the server sent another part than the one that was missing")
        if total is None:
            total = known if isinstance(known, int) else size
        if total is None or (known is not None and total != known):
            partial.drop()
            raise TransferInterrupted("the server does not say how long the file is" if total is None else _CHANGED)
        if again:
            _compare(answer, partial, have, again, watch)
    else:
        have, total = 0, responses.parse_content_length(answer)
    if size is not None and total is not None and total != size:
        raise MirrorRejected(f"it offers a file of {total} bytes, and the right one has {size}")
    if total is None and size is None and not trusted and not responses.has_known_end(answer):
        raise MirrorRejected("it does not say how long the file is, so that a cut connection could not be told")
    total = size if total is None else total
    validator = responses.get_validator(answer)
    told = partial.told if answer.status == 206 else {}
    return have, total, {
        "url": told.get("url", url), "validator": validator or told.get("validator", ""), "total": total,
    }  # fmt: skip


def _compare(answer: Any, partial: PartialFile, have: int, again: int, watch: TransferDeadline) -> None:
    """Read what is fetched once more, and go on only if it is what is there."""
    found = b""
    while len(found) < again and (block := _read(answer, watch, again - len(found))):
        found += block
    if len(found) < again:
        raise TransferInterrupted("the connection ended at once")
    with partial.open() as file:
        file.seek(have - again)
        same = file.read(again) == found
    if not same:
        partial.drop()
        raise TransferInterrupted(_CHANGED)


def _first(answer: Any, name: str, total: int | None, watch: TransferDeadline) -> bytes:
    """Return the first bytes of a file, enough to tell what it is, or all there are.

    Raises:
        Refused: if a file of its name cannot begin so, or there are none.
    """
    first = b""
    wanted = _FIRST if total is None else min(_FIRST, total)
    while len(first) < wanted and (
        block := _read(answer, watch, _BLOCK if total is None else min(_BLOCK, total - len(first)))
    ):
        first += block
    if not first and total:
        raise TransferInterrupted("the connection ended at once")
    if wrong := responses.find_wrong_start(name, first) if first else "it sends an empty file":
        raise MirrorRejected(wrong)
    return first


def _receive(
    answer: Any,
    partial: PartialFile,
    have: int,
    first: bytes,
    total: int | None,
    progress: Progress,
    watch: TransferDeadline,
) -> None:
    look_again = have + _LOOK_AGAIN
    with partial.open() as file:
        file.seek(have)
        file.truncate()
        file.write(first)
        have += len(first)
        progress.advance(have)
        while total is None or have < total:
            block = _read(answer, watch, _BLOCK if total is None else min(_BLOCK, total - have))
            if not block:
                break
            file.write(block)
            have += len(block)
            progress.advance(len(block))
            if total is None and have >= look_again:
                _room(partial.path, 0)
                look_again = have + _LOOK_AGAIN
    if total is not None and have < total:
        raise TransferInterrupted(f"the connection ended after {have} of {total} bytes")


def _read(answer: Any, watch: TransferDeadline, most: int) -> bytes:
    """Return what came, at most so many bytes; none at the end."""
    try:
        block: bytes = answer.read1(most)
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise TransferInterrupted(f"the connection broke ({_reason(error)})") from error
    watch.saw(len(block))
    return block


def _answer_error(error: urllib.error.HTTPError, partial: PartialFile, have: int, size: int | None) -> None:
    """Turn an answer that says no into what it means for the file."""
    error.close()
    if error.code == 416 and have:
        whole = responses.parse_total_length(error)
        if (size if whole is None else whole) == have and partial.told.get("total") in (None, have):
            return  # nothing was missing: the checksum decides
        partial.drop()
        raise TransferInterrupted(_CHANGED) from error
    if error.code in (408, 425, 429) or error.code >= 500:
        raise TransferInterrupted(f"the server is busy or broken (HTTP {error.code})") from error
    if error.code // 100 == 3:
        raise MirrorRejected(f"it redirects to {error.url}, which is not followed") from error
    raise MirrorRejected(f"it answers HTTP {error.code}, {escape_line(str(error.reason))}") from error


def _room(path: Path, needed: int | None) -> None:
    free = shutil.disk_usage(path.parent).free
    if needed is not None and needed + _MARGIN > free:
        raise MirrorRejected(
            f"{path.parent.parent} has {format_bytes(free)} free and {format_bytes(needed)} are still to come: make room, or choose "
            f"another disk with --into"
        )


def format_bytes(size: int) -> str:
    """Return a number of bytes as people say it.

    >>> format_bytes(975_000_000), format_bytes(1_052_103), format_bytes(300)
    ('975 MB', '1.1 MB', '0.3 kB')
    """
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.{0 if size >= 100 * unit else 1}f} {name}"
    return f"{size / 1e3:.1f} kB"


def _reason(error: object) -> str:
    """Return what an error says, which may be what a server sent."""
    return escape_line(str(error).strip()[:200]) or type(error).__name__
