"""Guess the kind of a file that is not the expected Caffe file, for error messages."""

from __future__ import annotations

#: Bytes of English text, and bytes that do not occur in text.
_TEXT = frozenset(b"\t\n\r\f") | frozenset(range(32, 127))
_BINARY = frozenset(range(32)) - frozenset(b"\t\n\r\f\v\x1a\x1b")


def sniff_prototxt(data: bytes) -> str:
    """Return a description of bytes that cannot be a prototxt; empty if they can."""
    known = _sniff_magic_bytes(data)
    if known:
        return known
    if _BINARY.intersection(data[:4096]):
        return "a binary file; are prototxt and caffemodel the wrong way round?"
    return ""


def sniff_caffemodel(data: bytes) -> str:
    """Return a description of bytes that cannot be a caffemodel or a mean image; empty if they can."""
    known = _sniff_magic_bytes(data)
    if known:
        return known
    head = data[:512]
    # A caffemodel starts with a name, followed by bytes that do not occur in text.
    if len(head) > 8 and all(byte in _TEXT for byte in head):
        start = head[:40].decode("ascii").split("\n")[0].strip()
        return f"a text ({start!r} …); are prototxt and caffemodel the wrong way round?"
    return ""


def _sniff_magic_bytes(data: bytes) -> str:
    head = data[:256].lstrip(b"\xef\xbb\xbf\t\r\n ").lower()
    if not data:
        return "an empty file"
    if head.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "a web page (the download went to an error page?); download it again"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer; fetch the file itself with: git lfs pull"
    if data.startswith(b"\x89HDF"):
        return "an HDF5 file; save the network as a binary caffemodel"
    if data.startswith((b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ")):
        return "a compressed archive; unpack it first"
    return ""
