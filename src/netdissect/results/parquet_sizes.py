"""Compute the uncompressed size of a Parquet file from its page headers, before anything is decompressed.

Parquet readers trust these headers, and a page of a few kilobytes may claim to hold two gigabytes. No Parquet library exposes
the headers, which are structures of Thrift's compact protocol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow.parquet as pq

#: Field numbers of a page header, and Thrift's types.
_UNCOMPRESSED_SIZE, _COMPRESSED_SIZE = 2, 3
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_MAX_DEPTH = 8


def count_unpacked_bytes(data: bytes, metadata: pq.FileMetaData, names: Collection[str]) -> int:
    """Return the number of bytes that the pages of some columns would decompress to.

    Raises:
        ValueError: if the file is inconsistent.
    """
    total = rows = 0
    for position in range(metadata.num_row_groups):
        group = metadata.row_group(position)
        rows += group.num_rows
        for number in range(group.num_columns):
            column = group.column(number)
            if column.path_in_schema not in names:
                continue
            if column.num_values != group.num_rows:
                raise ValueError(
                    f"column {column.path_in_schema} has {column.num_values:,} values in {group.num_rows:,} rows"
                )
            start = min(column.dictionary_page_offset or column.data_page_offset, column.data_page_offset)
            total += _count_page_bytes(data, start, start + column.total_compressed_size)
    if rows != metadata.num_rows:
        raise ValueError(f"its parts have {rows:,} rows, and its metadata says {metadata.num_rows:,}")
    return total


def _count_page_bytes(data: bytes, at: int, end: int) -> int:
    if not 0 <= at <= end <= len(data):
        raise ValueError("a column lies outside the file")
    total = 0
    while at < end:
        head = _PageHeader(data, at)
        sizes = head.read_integers()
        unpacked_size, packed_size = sizes.get(_UNCOMPRESSED_SIZE, -1), sizes.get(_COMPRESSED_SIZE, -1)
        if unpacked_size < 0 or packed_size < 0:
            raise ValueError("a page has no size")
        total += unpacked_size
        at = head.at + packed_size
    return total


class _PageHeader:
    """A structure of Thrift's compact protocol, read from a position in the data."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self.at = at

    def read_integers(self) -> dict[int, int]:
        """Read the structure; return its 32-bit integers by field number."""
        return self._read_structure(0)

    def _read_structure(self, depth: int) -> dict[int, int]:
        if depth > _MAX_DEPTH:
            raise ValueError("a page header is nested too deeply")
        found: dict[int, int] = {}
        field = 0
        while (byte := self._read_byte()) != 0:
            kind, step = byte & 15, byte >> 4
            field = field + step if step else _decode_zigzag(self._read_varint())
            value = self._read_value(kind, depth)
            if kind == _I32:
                found[field] = value
        return found

    def _read_value(self, kind: int, depth: int) -> int:
        if kind in (_TRUE, _FALSE):
            return 0
        if kind == _BYTE:
            return self._read_byte()
        if kind in (_I16, _I32, _I64):
            return _decode_zigzag(self._read_varint())
        if kind in (_DOUBLE, _BINARY):
            self._skip(8 if kind == _DOUBLE else self._read_varint())
            return 0
        if kind in (_LIST, _SET):
            head = self._read_byte()
            count = head >> 4 if head >> 4 < 15 else self._read_varint()
            if count > len(self._data):
                raise ValueError("a page header is longer than the file")
            for _ in range(count):
                self._read_byte() if head & 15 in (_TRUE, _FALSE) else self._read_value(head & 15, depth)
            return 0
        if kind == _STRUCT:
            self._read_structure(depth + 1)
            return 0
        raise ValueError("a page header is damaged")

    def _read_varint(self) -> int:
        value = shift = 0
        while shift < 64:
            byte = self._read_byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
        raise ValueError("a page header is damaged")

    def _read_byte(self) -> int:
        if self.at >= len(self._data):
            raise ValueError("the file ends in a page header")
        self.at += 1
        return self._data[self.at - 1]

    def _skip(self, count: int) -> None:
        self.at += count


def _decode_zigzag(number: int) -> int:
    """Return the signed integer of a zigzag code.

    >>> [_decode_zigzag(number) for number in (0, 1, 2, 3)]
    [0, -1, 1, -2]
    """
    return number >> 1 ^ -(number & 1)
