"""Prepared probe sets that are damaged, lie about their sizes, or are other files."""

from __future__ import annotations

import io
import json
import os
import zlib
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from benchmarks.hostile.attempts import add_attempt, check_printed, expect_error, expect_success

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.hostile.attempts import AttemptFolder

PREPARED = "prepared probe sets"
_Columns = dict[str, list[Any]]


def _prepare(folder: AttemptFolder) -> Path:
    """Return a prepared file of the small probe set, away from it."""
    import netdissect as nd

    return nd.prepare_probe_set(folder.probe_set, folder.path / "small.arrow").file


def _rewrite(file: Path, change: Callable[[_Columns], object], compression: str | None = None, **facts: object) -> Path:
    """Write a prepared file again with other columns and facts."""
    reader = pa.ipc.open_file(pa.BufferReader(file.read_bytes()))
    own = json.loads(reader.schema.metadata[b"netdissect"]) | facts
    schema = reader.schema.with_metadata({**reader.schema.metadata, b"netdissect": json.dumps(own).encode()})
    columns: _Columns = reader.read_all().to_pydict()
    change(columns)
    out = io.BytesIO()
    with pa.ipc.new_file(out, schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_batch(pa.record_batch([pa.array(columns[f.name], f.type) for f in schema], schema=schema))
    file.write_bytes(out.getvalue())
    return file


def _seal(columns: _Columns) -> None:
    pairs = zip(columns["segments"], columns["labels"], strict=True)
    columns["labels_crc32"] = [
        zlib.crc32(b"".join(number.to_bytes(2, "little") for number in own), zlib.crc32(data)) for data, own in pairs
    ]
    columns["image_crc32"] = [zlib.crc32(image["bytes"]) for image in columns["image"]]


def _set(name: str, value: object) -> Callable[[_Columns], object]:
    def change(columns: _Columns) -> None:
        columns[name][1] = value
        _seal(columns)

    return change


def _edit_index(old: bytes, new: bytes) -> Callable[[_Columns], object]:
    def change(columns: _Columns) -> None:
        for entry in columns["tables"][0]:
            if entry["name"] == "index.csv":
                entry["data"] = entry["data"].replace(old, new)

    return change


for _name, _change, _facts, _sentence in (
    ("segments beyond the table", _set("segments", b"\xff" * 256), {}, "segment beyond"),
    ("no segments", _set("segments", b""), {}, "another size"),
    ("a gigabyte of zeros as segments, compressed", _set("segments", bytes(2**30)), {}, "another size|memory"),
    (
        "an image of another size",
        _set("image", {"bytes": b"\x89PNG\r\n\x1a\n" + bytes(99), "path": "x"}),
        {},
        "image 1",
    ),
    ("a billion rows", lambda _: None, {"images": 10**9}, "batches|expected"),
    ("a billion rows in a batch", lambda _: None, {"images": 10**9, "rows_per_batch": 10**9}, "tables"),
    ("images of 10^9 x 10^9 pixels", lambda _: None, {"size": [10**9, 10**9]}, "pixels"),
    ("a name that is a path", lambda _: None, {"name": "../../x"}, "impossible"),
    ("another version", lambda _: None, {"version": 2}, "version"),
    ("an index that names files outside", _edit_index(b"a/image 2.jpg", b"../../secret"), {}, "below|secret"),
    ("an index of 60,000 x 60,000 pixels", _edit_index(b",32,32,", b",60000,60000,"), {}, "pixels"),
):

    @add_attempt(PREPARED, _name, expect_error(_sentence))
    def _(
        folder: AttemptFolder,
        change: Callable[[_Columns], object] = _change,
        facts: dict[str, object] = _facts,
        compression: str | None = "lz4" if "compressed" in _name else None,
    ) -> object:
        return folder.make_run_command(data=_rewrite(_prepare(folder), change, compression, **facts))


for _name, _data in (
    ("empty", b""),
    ("a beginning alone", b"ARROW1\0\0"),
    ("text", b"no Arrow file at all"),
    ("a footer of 2^31 bytes", b"ARROW1\0\0" + b"\xff\xff\xff\x7f" + b"ARROW1"),
):

    @add_attempt(PREPARED, _name, expect_error("prepared"))
    def _(folder: AttemptFolder, data: bytes = _data) -> object:
        return folder.make_run_command(data=folder.write("small.arrow", data))


@add_attempt(PREPARED, "/dev/zero", expect_error("device|regular|file"))
def _(folder: AttemptFolder) -> object:
    (folder.path / "small.arrow").symlink_to("/dev/zero")
    return folder.make_run_command(data=folder.path / "small.arrow")


@add_attempt(PREPARED, "a named pipe beside the folder", expect_success(check_printed("conv1")))
def _(folder: AttemptFolder) -> object:
    os.mkfifo(folder.probe_set.with_name("set.arrow"))
    return folder.make_run_command()


@add_attempt(PREPARED, "a damaged file beside the folder", expect_success(check_printed("conv1")))
def _(folder: AttemptFolder) -> object:
    folder.probe_set.with_name("set.arrow").write_bytes(b"ARROW1\0\0" + bytes(5000))
    return folder.make_run_command()


@add_attempt(PREPARED, "written over a file of another owner", expect_error("not replaced"))
def _(folder: AttemptFolder) -> object:
    theirs = folder.write("theirs.arrow", "mine")
    return ["data", "prepare", folder.probe_set, "--out", theirs, "--workers", "1"]


@add_attempt(PREPARED, "written back over a folder of another owner", expect_error("empty or a new folder"))
def _(folder: AttemptFolder) -> object:
    return ["data", "from-hf", _prepare(folder), "--out", folder.write_foreign_files()]
