"""Parse HTTP responses: whether they hold a file or a part of it, its length and its encoding."""

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

#: Some servers state a compressed file's own compression as Content-Encoding; for these suffixes it is ignored.
_OWN_ENCODING = {
    "gzip": (".gz", ".tgz"), "x-gzip": (".gz", ".tgz"), "bzip2": (".bz2",), "x-bzip2": (".bz2",), "xz": (".xz",),
    "x-xz": (".xz",),
}  # fmt: skip


def require_file_response(response: Any, name: str, read: Callable[[], bytes]) -> None:
    """Require that a response holds the file, or a part of it, without a further encoding.

    Args:
        response: the response, after its headers were read.
        name: the file's name.
        read: returns the next bytes of the response.

    Raises:
        MirrorRejected: for web pages, other statuses, and encodings that were not requested.
    """
    if response.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
        raise MirrorRejected(_describe_web_page(read()))
    if response.status not in (200, 206):
        raise MirrorRejected(f"it answers HTTP {response.status} instead of sending the file")
    if "Transfer-Encoding" in response.headers and (not response.chunked or "Content-Length" in response.headers):
        raise MirrorRejected("its headers contradict each other on the length of the response (Transfer-Encoding)")
    for encoding in response.headers.get("Content-Encoding", "").lower().split(","):
        kind = encoding.strip()
        if kind not in ("", "identity") and not name.endswith(_OWN_ENCODING.get(kind, "\0")):
            raise MirrorRejected(
                f"it sends the file encoded (Content-Encoding {kind!r}), though no encoding was requested"
            )


def parse_content_range(response: Any) -> tuple[int | None, int | None]:
    """Return the first byte of a part (HTTP 206) and the length of the whole file; None for what is missing or invalid."""
    match = re.fullmatch(
        r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", response.headers.get("Content-Range", "").strip(), re.ASCII
    )
    if match is None:
        return None, None
    first, last = int(match[1]), int(match[2])
    total = None if match[3] == "*" else int(match[3])
    if (
        last < first
        or (total is not None and last >= total)
        or parse_content_length(response) not in (None, last - first + 1)
    ):
        return None, None
    return first, total


def parse_total_length(response: Any) -> int | None:
    """Return the length of the whole file when a part beyond its end was requested (HTTP 416); None if it is missing."""
    match = re.fullmatch(r"bytes \*/(\d{1,18})", response.headers.get("Content-Range", "").strip(), re.ASCII)
    return int(match[1]) if match else None


def parse_content_length(response: Any) -> int | None:
    """Return the Content-Length in bytes; None if there is none."""
    text = response.headers.get("Content-Length", "").strip()
    return int(text) if re.fullmatch(r"\d{1,18}", text, re.ASCII) else None


def has_known_end(response: Any) -> bool:
    """Return whether the end of the response can be distinguished from a broken connection."""
    return bool(response.chunked) or parse_content_length(response) is not None


def get_validator(response: Any) -> str:
    """Return the strong ETag or Last-Modified, by which a server recognizes the same file; empty if there is none."""
    etag = str(response.headers.get("ETag", ""))
    return etag if etag and not etag.startswith("W/") else str(response.headers.get("Last-Modified", ""))


def find_wrong_start(name: str, first: bytes) -> str:
    """Return why these cannot be the first bytes of a file with this name; empty if they can."""
    start = first[:256].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(_MARKUP):
        return _describe_web_page(first)
    wanted = next((magic for ending, magic in _FIRST_BYTES.items() if name.endswith(ending)), b"")
    if not first.startswith(wanted):
        return f"it sends something that is not a {name.rsplit('.', 1)[-1]} file"
    if first.startswith(_GZIP) and (wanted != _GZIP or _decompress_start(first).startswith(_GZIP)):
        return "it sends the file compressed (gzip), though no encoding was requested"
    return ""


def _decompress_start(compressed: bytes) -> bytes:
    """Return the first bytes after decompression; empty if they are damaged."""
    try:
        return zlib.decompressobj(wbits=31).decompress(compressed, 16)
    except zlib.error:
        return b""


def _describe_web_page(page: bytes) -> str:
    title = re.search(rb"<title[^>]{0,200}>\s*([^<]{1,200})", page[:4096], re.IGNORECASE)
    title_words = f" titled {title[1].decode('utf-8', 'replace').strip()[:80]!r}" if title else ""
    return f"it answers with a web page{title_words} instead of the file"
