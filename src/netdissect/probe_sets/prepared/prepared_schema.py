"""What a prepared file holds: its columns, its facts, and its version (docs/broden.md, Prepared probe sets)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from netdissect.errors import DataFileError
from netdissect.io.names import find_name_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The version that is written and read.
VERSION = 1
#: Table of the first row that holds the facts of the whole file, and the one that holds every row's stamp.
FACTS_TABLE, STAMPS_TABLE = "prepared.json", "stamps.bin"
#: Columns of every file; `IMAGE` or `PIXELS` is added.
COLUMNS: Mapping[str, pa.DataType] = {
    "row": pa.int32(),
    "name": pa.string(),
    "split": pa.string(),
    "label_height": pa.int32(),
    "label_width": pa.int32(),
    "segments": pa.binary(),
    "labels": pa.list_(pa.uint16()),
    "image_crc32": pa.uint32(),
    "labels_crc32": pa.uint32(),
    "tables": pa.list_(pa.struct({"name": pa.string(), "data": pa.binary()})),
}
#: The column of images as the files they were, as the library `datasets` stores images.
IMAGE, IMAGE_TYPE = "image", pa.struct({"bytes": pa.binary(), "path": pa.string()})
#: The column of images that were decoded and scaled: RGB, row by row.
PIXELS, PIXELS_TYPE = "pixels", pa.binary()
#: Keys of the schema's metadata; the second one is read by the library `datasets`.
_FACTS_KEY, _LIBRARY_KEY = b"netdissect", b"huggingface"
#: What the file is, among its facts.
KIND = "prepared probe set"


@dataclass(frozen=True)
class PreparedFacts:
    """The facts of a prepared file.

    Attributes:
        name: the probe set's name.
        images: number of images that carry a label, one row each.
        rows_per_batch: number of rows of every record batch but the last.
        size: height and width to which images were scaled; None if they are the files they were.
        tables: fingerprint of the tables that decide images and labels.
    """

    name: str
    images: int
    rows_per_batch: int
    size: tuple[int, int] | None
    tables: str

    def to_json(self) -> bytes:
        """Return the facts as JSON, with kind and version."""
        return json.dumps({"kind": KIND, "version": VERSION, **asdict(self)}).encode()

    @classmethod
    def from_json(cls, data: bytes, where: str) -> Self:
        """Return the facts in a file.

        Args:
            data: the JSON.
            where: the file, for errors.

        Raises:
            DataFileError: if it is of another kind or version, or a fact is impossible.
        """
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or found.get("kind") != KIND:
            raise DataFileError(f"{where} is not a prepared probe set: netdissect data prepare makes one")
        if found.get("version") != VERSION:
            raise DataFileError(
                f"{where}: expected a prepared probe set of version {VERSION}, got version {str(found.get('version'))[:20]!a}: "
                f"make it again with netdissect data prepare"
            )
        size = found.get("size")
        numbers = [found.get("images"), found.get("rows_per_batch"), *(size if isinstance(size, list) else ())]
        name, tables = found.get("name"), found.get("tables")
        if (
            not isinstance(name, str)
            or not isinstance(tables, str)
            or find_name_problem(name) is not None
            or not all(type(number) is int and 0 < number < 2**31 for number in numbers)
            or not (size is None or (isinstance(size, list) and len(size) == 2))
        ):
            raise DataFileError(
                f"{where} is damaged: its facts are impossible; make it again with netdissect data prepare"
            )
        return cls(name, numbers[0], numbers[1], None if size is None else (size[0], size[1]), tables)


def list_columns(size: tuple[int, int] | None) -> dict[str, pa.DataType]:
    """Return the columns of a file, given the size of its images."""
    return {**COLUMNS, **({IMAGE: IMAGE_TYPE} if size is None else {PIXELS: PIXELS_TYPE})}


def make_schema(facts: PreparedFacts) -> pa.Schema:
    """Return the schema of a file, with its facts."""
    library = {"info": {"features": {IMAGE: {"_type": "Image"}}}} if facts.size is None else {"info": {"features": {}}}
    return pa.schema(
        [pa.field(name, kind) for name, kind in list_columns(facts.size).items()],
        metadata={_FACTS_KEY: facts.to_json(), _LIBRARY_KEY: json.dumps(library).encode()},
    )


def read_facts(schema: pa.Schema, where: str) -> PreparedFacts:
    """Return the facts in a file's schema, after checking its columns.

    Raises:
        DataFileError: as `PreparedFacts.from_json`, or if the columns are others.
    """
    metadata: Mapping[bytes, bytes] = schema.metadata or {}
    facts = PreparedFacts.from_json(metadata.get(_FACTS_KEY, b""), where)
    require_columns(schema, facts, where)
    return facts


def require_columns(schema: pa.Schema, facts: PreparedFacts, where: str) -> None:
    """Refuse a schema with other columns than a prepared file has.

    Raises:
        DataFileError: naming the first column that is missing or of another type.
    """
    for name, kind in list_columns(facts.size).items():
        at = schema.get_field_index(name)
        if at < 0 or schema.field(at).type != kind:
            got: Any = "none" if at < 0 else schema.field(at).type
            raise DataFileError(f"{where}: expected a column {name!r} of type {kind}, got {got}: it is damaged")
