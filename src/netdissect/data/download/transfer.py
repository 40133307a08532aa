"""One attempt to fetch one file from one address, going on where an earlier attempt stopped."""

from __future__ import annotations

import errno
import http.client
import shutil
import urllib.error
from typing import TYPE_CHECKING, Any

from netdissect.data.download import answers
from netdissect.data.download.connection import SLOWEST, Cut, Refused, Watch, opened
from netdissect.errors import DownloadError
from netdissect.io.text import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.data.download.partial import Partial
    from netdissect.protocols import Progress

_BLOCK = 1 << 16
#: Bytes left free on the disk besides what is fetched, and after how many the disk is looked at again.
_MARGIN, _LOOK_AGAIN = 16 << 20, 64 << 20

#: Last bytes that are fetched once more where a server vouches for nothing: they must be those that are there.
_OVERLAP = 1 << 16
#: A file is recognised by so many bytes.
_FIRST = 512

_CHANGED = "the server has another file by now"


def transfer(url: str, partial: Partial, *, size: int | None, trusted: bool, progress: Progress) -> None:
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
    with Watch() as watch:
        try:
            _transfer(url, partial, (have, again), size, trusted, progress, watch)
        except (Cut, Refused) as error:
            if watch.slow:
                raise Refused(f"it sends less than {amount(SLOWEST)} a second") from error
            raise


def _transfer(
    url: str,
    partial: Partial,
    place: tuple[int, int],
    size: int | None,
    trusted: bool,
    progress: Progress,
    watch: Watch,
) -> None:
    have, again = place
    try:
        answer = opened(url, _headers(partial, have - again), watch)
    except urllib.error.HTTPError as error:
        _answer_error(error, partial, have, size)
        return
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise Cut(f"the connection broke ({_reason(error)})") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, (ConnectionResetError, TimeoutError)):
            raise Cut(f"the connection broke ({_reason(error.reason)})") from error
        raise Refused(f"it cannot be reached ({_reason(error.reason)})") from error
    except (OSError, ValueError, OverflowError) as error:
        raise Refused(f"it cannot be reached ({_reason(error)})") from error
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
                f"{partial.target.parent}: the disk is full; {amount(partial.size)} of {partial.name} are kept: make room "
                f"and run the same command, which goes on from there"
            ) from error


def _headers(partial: Partial, first: int) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"}
    if first:
        headers["Range"] = f"bytes={first}-"
        if validator := partial.told.get("validator"):
            headers["If-Range"] = str(validator)
    return headers


def _resumable(url: str, partial: Partial, *, trusted: bool) -> tuple[int, int]:
    """Return how many bytes may be gone on with from this address, and how many of them are fetched again to compare."""
    have, told = partial.size, partial.told
    if have and told and (trusted or (told.get("url") == url and told.get("validator"))):
        return have, 0
    if have > _OVERLAP and told.get("url") == url and told.get("total"):
        return have, _OVERLAP
    return 0, 0


def _agree(
    url: str, answer: Any, partial: Partial, place: tuple[int, int], size: int | None, watch: Watch, *, trusted: bool
) -> tuple[int, int | None, dict[str, Any]]:
    """Return from which byte on the answer goes, how many the file has in all, and what is noted of it.

    The number is None if the answer's end will tell.
    """
    have, again = place
    answers.require_file(answer, partial.name, lambda: _read(answer, watch, _BLOCK))
    if answer.status == 206:
        first, total = answers.part(answer)
        known = partial.told.get("total")
        if first != have - again or not have:
            partial.drop()
            raise Cut("the server sent another part than the one that was missing")
        if total is None:
            total = known if isinstance(known, int) else size
        if total is None or (known is not None and total != known):
            partial.drop()
            raise Cut("the server does not say how long the file is" if total is None else _CHANGED)
        if again:
            _compare(answer, partial, have, again, watch)
    else:
        have, total = 0, answers.length(answer)
    if size is not None and total is not None and total != size:
        raise Refused(f"it offers a file of {total} bytes, and the right one has {size}")
    if total is None and size is None and not trusted and not answers.says_its_end(answer):
        raise Refused("it does not say how long the file is, so that a cut connection could not be told")
    total = size if total is None else total
    validator = answers.validator(answer)
    told = partial.told if answer.status == 206 else {}
    return have, total, {
        "url": told.get("url", url), "validator": validator or told.get("validator", ""), "total": total,
    }  # fmt: skip


def _compare(answer: Any, partial: Partial, have: int, again: int, watch: Watch) -> None:
    """Read what is fetched once more, and go on only if it is what is there."""
    found = b""
    while len(found) < again and (block := _read(answer, watch, again - len(found))):
        found += block
    if len(found) < again:
        raise Cut("the connection ended at once")
    with partial.open() as file:
        file.seek(have - again)
        same = file.read(again) == found
    if not same:
        partial.drop()
        raise Cut(_CHANGED)


def _first(answer: Any, name: str, total: int | None, watch: Watch) -> bytes:
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
        raise Cut("the connection ended at once")
    if wrong := answers.wrong_start(name, first) if first else "it sends an empty file":
        raise Refused(wrong)
    return first


def _receive(
    answer: Any, partial: Partial, have: int, first: bytes, total: int | None, progress: Progress, watch: Watch
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
        raise Cut(f"the connection ended after {have} of {total} bytes")


def _read(answer: Any, watch: Watch, most: int) -> bytes:
    """Return what came, at most so many bytes; none at the end."""
    try:
        block: bytes = answer.read1(most)
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise Cut(f"the connection broke ({_reason(error)})") from error
    watch.saw(len(block))
    return block


def _answer_error(error: urllib.error.HTTPError, partial: Partial, have: int, size: int | None) -> None:
    """Turn an answer that says no into what it means for the file."""
    error.close()
    if error.code == 416 and have:
        whole = answers.whole(error)
        if (size if whole is None else whole) == have and partial.told.get("total") in (None, have):
            return  # nothing was missing: the checksum decides
        partial.drop()
        raise Cut(_CHANGED) from error
    if error.code in (408, 425, 429) or error.code >= 500:
        raise Cut(f"the server is busy or broken (HTTP {error.code})") from error
    if error.code // 100 == 3:
        raise Refused(f"it redirects to {error.url}, which is not followed") from error
    raise Refused(f"it answers HTTP {error.code}, {one_line(str(error.reason))}") from error


def _room(path: Path, needed: int | None) -> None:
    free = shutil.disk_usage(path.parent).free
    if needed is not None and needed + _MARGIN > free:
        raise Refused(
            f"{path.parent.parent} has {amount(free)} free and {amount(needed)} are still to come: make room, or choose "
            f"another disk with --into"
        )


def amount(size: int) -> str:
    """Return a number of bytes as people say it.

    >>> amount(975_000_000), amount(1_052_103), amount(300)
    ('975 MB', '1.1 MB', '0.3 kB')
    """
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.{0 if size >= 100 * unit else 1}f} {name}"
    return f"{size / 1e3:.1f} kB"


def _reason(error: object) -> str:
    """Return what an error says, which may be what a server sent."""
    return one_line(str(error).strip()[:200]) or type(error).__name__
