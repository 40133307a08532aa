"""What a server's answer says of the file: whether it is one, which part of it, how long it is, and in which form."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any

from netdissect.probe_sets.download.connection import MirrorRejected

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_BYTES = {
    ".zip": b"PK", ".gz": b"\x1f\x8b", ".tgz": b"\x1f\x8b", ".bz2": b"BZh", ".xz": b"\xfd7zXZ\0", ".npy": b"\x93NUMPY",
    ".jpg": b"\xff\xd8",
}  # fmt: skip
_MARKUP = (
    b"<!doctype html", b"<html", b"<head", b"<body", b"<title", b"<meta", b"<script", b"<!--", b"<?xml",
)  # fmt: skip
_GZIP = b"\x1f\x8b"

#: Servers give the compression that a file has by itself as its encoding: for these endings it is none on top.
_OWN_ENCODING = {
    "gzip": (".gz", ".tgz"), "x-gzip": (".gz", ".tgz"), "bzip2": (".bz2",), "x-bzip2": (".bz2",), "xz": (".xz",),
    "x-xz": (".xz",),
}  # fmt: skip


def require_file_response(answer: Any, name: str, read: Callable[[], bytes]) -> None:
    """Let an answer through that holds the file, or a part of it, as it is.

    Args:
        answer: the answer, its headers read.
        name: what the file is called.
        read: gives the answer's next bytes.

    Raises:
        Refused: for web pages, for any other status, and for a file in an encoding that was not asked for.
    """
    if answer.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
        raise MirrorRejected(_describe_web_page(read()))
    if answer.status not in (200, 206):
        raise MirrorRejected(f"it answers HTTP {answer.status} and not with the file")
    if "Transfer-Encoding" in answer.headers and (not answer.chunked or "Content-Length" in answer.headers):
        raise MirrorRejected("it does not say in one way how its answer is to be read (Transfer-Encoding)")
    for encoding in answer.headers.get("Content-Encoding", "").lower().split(","):
        kind = encoding.strip()
        if kind not in ("", "identity") and not name.endswith(_OWN_ENCODING.get(kind, "\0")):
            raise MirrorRejected(
                f"it sends the file in another form (Content-Encoding {kind!r}), though it was asked for as it is"
            )


def parse_content_range(answer: Any) -> tuple[int | None, int | None]:
    """Return the first byte of a part (HTTP 206), and the whole file's length; None for what is not said, or not rightly."""
    match = re.fullmatch(
        r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", answer.headers.get("Content-Range", "").strip(), re.ASCII
    )
    if match is None:
        return None, None
    first, last = int(match[1]), int(match[2])
    total = None if match[3] == "*" else int(match[3])
    if (
        last < first
        or (total is not None and last >= total)
        or parse_content_length(answer) not in (None, last - first + 1)
    ):
        return None, None
    return first, total


def parse_total_length(answer: Any) -> int | None:
    """Return the whole file's length where a part beyond its end was asked for (HTTP 416); None if it is not said."""
    told = re.fullmatch(r"bytes \*/(\d{1,18})", answer.headers.get("Content-Range", "").strip(), re.ASCII)
    return int(told[1]) if told else None


def parse_content_length(answer: Any) -> int | None:
    """Return the length that is announced; None if there is none."""
    said = answer.headers.get("Content-Length", "").strip()
    return int(said) if re.fullmatch(r"\d{1,18}", said, re.ASCII) else None


def has_known_end(answer: Any) -> bool:
    """Say whether an answer's end can be told from a connection that broke."""
    return bool(answer.chunked) or parse_content_length(answer) is not None


def get_validator(answer: Any) -> str:
    """Return what a server will know the same file by; empty if it gives nothing."""
    etag = str(answer.headers.get("ETag", ""))
    return etag if etag and not etag.startswith("W/") else str(answer.headers.get("Last-Modified", ""))


def find_wrong_start(name: str, first: bytes) -> str:
    """Return why a file of a name cannot begin with some bytes; empty if it can."""
    start = first[:256].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(_MARKUP):
        return _describe_web_page(first)
    wanted = next((magic for ending, magic in _FIRST_BYTES.items() if name.endswith(ending)), b"")
    if not first.startswith(wanted):
        return f"it gives something that is no {name.rsplit('.', 1)[-1]} file"
    if first.startswith(_GZIP) and (wanted != _GZIP or _decompress_start(first).startswith(_GZIP)):
        return "it sends the file compressed (gzip), though it was asked for as it is"
    return ""


def _decompress_start(compressed: bytes) -> bytes:
    """Return the first bytes of what is compressed; none if it is damaged."""
    try:
        return zlib.decompressobj(wbits=31).decompress(compressed, 16)
    except zlib.error:
        return b""


def _describe_web_page(page: bytes) -> str:
    title = re.search(rb"<title[^>]{0,200}>\s*([^<]{1,200})", page[:4096], re.IGNORECASE)
    told = f" titled {title[1].decode('utf-8', 'replace').strip()[:80]!r}" if title else ""
    return f"it answers with a web page{told} instead of the file"
