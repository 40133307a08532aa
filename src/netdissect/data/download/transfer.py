"""One attempt to fetch one file from one address, going on where an earlier attempt stopped."""

from __future__ import annotations

import errno
import http.client
import json
import re
import shutil
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from netdissect.errors import DownloadError
from netdissect.io import atomic

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.protocols import Progress

_BLOCK = 1 << 16
_TIMEOUT = 30.0
_AGENT = "netdissect (https://github.com/CSAILVision/NetDissect)"
#: Bytes left free on the disk besides what is fetched.
_MARGIN = 16 << 20

#: Last bytes that are fetched once more where a server vouches for nothing: they must be those that are there.
_OVERLAP = 1 << 16

_FIRST_BYTES = {".zip": b"PK", ".gz": b"\x1f\x8b", ".npy": b"\x93NUMPY", ".jpg": b"\xff\xd8"}


_CHANGED = "the server has another file by now"


class Cut(Exception):  # noqa: N818 - it is what happened, not a mistake
    """The connection ended early: what came is kept, another attempt may go on."""


class Refused(Exception):  # noqa: N818
    """This address does not give the file: the next may."""


@dataclass
class Partial:
    """A file that is not all there yet: its bytes, and a note of what they are bytes of.

    Attributes:
        path: the bytes so far, ``NAME.part``.
        note: ``NAME.part.json``.
        told: address, validator and total size of the file the bytes belong to.
    """

    path: Path
    note: Path
    told: dict[str, Any]

    @classmethod
    def of(cls, target: Path) -> Self:
        """Return what there is of a file."""
        note = target.with_name(f"{target.name}.part.json")
        try:
            told = json.loads(note.read_bytes())
        except (OSError, ValueError):
            told = {}
        return cls(target.with_name(f"{target.name}.part"), note, told if isinstance(told, dict) else {})

    @property
    def size(self) -> int:
        """How many bytes there are."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    @property
    def name(self) -> str:
        """What the whole file will be called."""
        return self.path.name.removesuffix(".part")

    def tell(self, **told: Any) -> None:
        """Note what the bytes belong to."""
        self.told = told
        atomic.write_text(self.note, json.dumps(told))

    def drop(self) -> None:
        """Forget the bytes."""
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)
        self.told = {}


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
        Refused: if the address gives something else.
        DownloadError: if the disk has no room for it.
    """
    have, again = _resumable(url, partial, trusted=trusted)
    if size is not None and have == size:
        return
    try:
        with _open(url, partial, have - again) as answer:
            have, total = _agree(url, answer, partial, have, again, size)
            _room(partial.path, total - have if total is not None else None)
            progress.start("download", total or 0)
            progress.advance(have)
            _receive(url, answer, partial, have, total, progress)
    except urllib.error.HTTPError as error:
        _answer_error(error, partial, have, size)
    except (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
        raise Cut(f"the connection broke ({_reason(error)})") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, (ConnectionResetError, TimeoutError)):
            raise Cut(f"the connection broke ({_reason(error.reason)})") from error
        raise Refused(f"it cannot be reached ({_reason(error.reason)})") from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DownloadError(
            f"{partial.path.parent}: the disk is full; {amount(partial.size)} of {partial.name} are kept: make room and run "
            f"the same command, which goes on from there"
        ) from error


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Redirects stay on http and https, and never leave https."""

    max_redirections = 8

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str) -> Any:
        if not newurl.startswith(("http://", "https://")) or (
            req.full_url.startswith("https://") and newurl.startswith("http://")
        ):
            raise Refused(f"it redirects to {newurl}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str, partial: Partial, have: int) -> Any:
    headers = {"User-Agent": _AGENT, "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if validator := partial.told.get("validator"):
            headers["If-Range"] = validator
    opener = urllib.request.build_opener(_NoDowngrade)
    return opener.open(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)  # noqa: S310 - http(s) by then


def _resumable(url: str, partial: Partial, *, trusted: bool) -> tuple[int, int]:
    """Return how many bytes may be gone on with from this address, and how many of them are fetched again to compare."""
    have, told = partial.size, partial.told
    if have and told and (trusted or (told.get("url") == url and told.get("validator"))):
        return have, 0
    if have > _OVERLAP and told.get("url") == url and told.get("total"):
        return have, _OVERLAP
    return 0, 0


def _agree(url: str, answer: Any, partial: Partial, have: int, again: int, size: int | None) -> tuple[int, int | None]:
    """Return from which byte on the answer goes, and how many the file has in all."""
    kind = answer.headers.get_content_type()
    if kind in ("text/html", "application/xhtml+xml"):
        raise Refused(_web_page(answer.read(_BLOCK)))
    if answer.status == 206:
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", answer.headers.get("Content-Range", "").strip())
        if match is None or int(match[1]) != have - again:
            partial.drop()
            raise Cut("the server sent another part than the one that was missing")
        total = None if match[3] == "*" else int(match[3])
        if again:
            _compare(answer, partial, have, again, total)
    else:
        have = 0
        length = answer.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        partial.drop()
    if size is not None and total is not None and total != size:
        partial.drop()
        raise Refused(f"it offers a file of {total} bytes, and the right one has {size}")
    etag = answer.headers.get("ETag", "")
    validator = etag if etag and not etag.startswith("W/") else answer.headers.get("Last-Modified", "")
    told = partial.told if answer.status == 206 and partial.told else {}
    partial.tell(url=told.get("url", url), validator=validator or told.get("validator", ""), total=total)
    return have, total


def _compare(answer: Any, partial: Partial, have: int, again: int, total: int | None) -> None:
    """Read what is fetched once more, and go on only if it is what is there."""
    found = answer.read(again)
    if len(found) < again:
        raise Cut("the connection ended at once")
    with partial.path.open("rb") as file:
        file.seek(have - again)
        same = file.read(again) == found
    if not same or total != partial.told.get("total"):
        partial.drop()
        raise Cut(_CHANGED)


def _receive(url: str, answer: Any, partial: Partial, have: int, total: int | None, progress: Progress) -> None:
    with partial.path.open("r+b" if have else "wb") as file:
        file.seek(have)
        file.truncate()
        while block := answer.read(_BLOCK):
            if not have:
                _recognise(url, partial, block)
            file.write(block)
            have += len(block)
            progress.advance(len(block))
    if total is not None and have < total:
        raise Cut(f"the connection ended after {have} of {total} bytes")


def _recognise(url: str, partial: Partial, first: bytes) -> None:
    """Refuse a file that begins as it cannot."""
    start = first[:256].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        partial.drop()
        raise Refused(_web_page(first))
    wanted = next((magic for ending, magic in _FIRST_BYTES.items() if partial.name.endswith(ending)), b"")
    if not first.startswith(wanted):
        partial.drop()
        raise Refused(f"it gives something that is no {partial.name.rsplit('.', 1)[-1]} file: {url}")


def _web_page(page: bytes) -> str:
    title = re.search(rb"<title[^>]*>\s*(.*?)\s*</title>", page, re.IGNORECASE | re.DOTALL)
    told = f" titled {title[1].decode('utf-8', 'replace')[:80]!r}" if title else ""
    return f"it answers with a web page{told} instead of the file"


def _answer_error(error: urllib.error.HTTPError, partial: Partial, have: int, size: int | None) -> None:
    """Turn an answer that says no into what it means for the file."""
    error.close()
    if error.code == 416 and have:
        told = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", "").strip())
        whole = int(told[1]) if told else size
        if whole == have:
            return  # nothing was missing: the checksum decides
        partial.drop()
        raise Cut(_CHANGED) from error
    if error.code in (408, 425, 429) or error.code >= 500:
        raise Cut(f"the server is busy or broken (HTTP {error.code})") from error
    if error.code // 100 == 3:
        raise Refused(f"it redirects to {error.url}, which is not followed") from error
    raise Refused(f"it answers HTTP {error.code}, {error.reason}") from error


def _room(path: Path, needed: int | None) -> None:
    free = shutil.disk_usage(path.parent).free
    if needed is not None and needed + _MARGIN > free:
        raise DownloadError(
            f"{path.parent} has {amount(free)} free and {amount(needed)} are still to come: make room, or choose another "
            f"disk with --into"
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
    return str(error) or type(error).__name__
