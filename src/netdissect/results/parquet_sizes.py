"""How much a Parquet file would unpack to, told by the heads of its pages, before anything is unpacked.

The reader believes these heads: a page of a few kilobytes may say that it holds two gigabytes. They are structures of
Thrift's compact protocol, and no library of Parquet's shows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow.parquet as pq

#: Field numbers of a page's head, and Thrift's kinds of values.
_UNCOMPRESSED_SIZE, _COMPRESSED_SIZE = 2, 3
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_MAX_DEPTH = 8


def count_unpacked_bytes(data: bytes, said: pq.FileMetaData, names: Collection[str]) -> int:
    """Return how many bytes the pages of some columns would unpack to.

    Raises:
        ValueError: if the file contradicts itself.
    """
    total = rows = 0
    for position in range(said.num_row_groups):
        group = said.row_group(position)
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
    if rows != said.num_rows:
        raise ValueError(f"its parts have {rows:,} rows, and it says {said.num_rows:,}")
    return total


def _count_page_bytes(data: bytes, at: int, end: int) -> int:
    if not 0 <= at <= end <= len(data):
        raise ValueError("a column lies outside the file")
    total = 0
    while at < end:
        head = _PageHeader(data, at)
        sizes = head.integers()
        unpacked_size, packed_size = sizes.get(_UNCOMPRESSED_SIZE, -1), sizes.get(_COMPRESSED_SIZE, -1)
        if unpacked_size < 0 or packed_size < 0:
            raise ValueError("a page does not tell its size")
        total += unpacked_size
        at = head.at + packed_size
    return total


class _PageHeader:
    """A structure of Thrift's compact protocol, read from a place in the data."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self.at = at

    def integers(self) -> dict[int, int]:
        """Read the structure; return its 32-bit fields by number."""
        return self._structure(0)

    def _structure(self, depth: int) -> dict[int, int]:
        if depth > _MAX_DEPTH:
            raise ValueError("a page's head is nested too deeply")
        found: dict[int, int] = {}
        field = 0
        while (byte := self._byte()) != 0:
            kind, step = byte & 15, byte >> 4
            field = field + step if step else _decode_zigzag(self._number())
            value = self._value(kind, depth)
            if kind == _I32:
                found[field] = value
        return found

    def _value(self, kind: int, depth: int) -> int:
        if kind in (_TRUE, _FALSE):
            return 0
        if kind == _BYTE:
            return self._byte()
        if kind in (_I16, _I32, _I64):
            return _decode_zigzag(self._number())
        if kind in (_DOUBLE, _BINARY):
            self._skip(8 if kind == _DOUBLE else self._number())
            return 0
        if kind in (_LIST, _SET):
            head = self._byte()
            count = head >> 4 if head >> 4 < 15 else self._number()
            if count > len(self._data):
                raise ValueError("a page's head is longer than the file")
            for _ in range(count):
                self._byte() if head & 15 in (_TRUE, _FALSE) else self._value(head & 15, depth)
            return 0
        if kind == _STRUCT:
            self._structure(depth + 1)
            return 0
        raise ValueError("a page's head is damaged")

    def _number(self) -> int:
        value = shift = 0
        while shift < 64:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
        raise ValueError("a page's head is damaged")

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise ValueError("the file ends in a page's head")
        self.at += 1
        return self._data[self.at - 1]

    def _skip(self, count: int) -> None:
        self.at += count


def _decode_zigzag(number: int) -> int:
    """Undo Thrift's zigzag.

    >>> [_decode_zigzag(number) for number in (0, 1, 2, 3)]
    [0, -1, 1, -2]
    """
    return number >> 1 ^ -(number & 1)
