"""Time of reading images and labels from a folder and from a prepared file, and the size of both."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import netdissect as nd
from benchmarks import machine, probe_sets
from netdissect.probe_sets.prepared.probe_folder import open_probe_folder

if TYPE_CHECKING:
    from collections.abc import Callable

_REPEATS = 5


def main(words: list[str]) -> None:
    """Print one row per kind of file; a word names a probe set to measure instead of a made-up one."""
    folder = Path(words[0]) if words else Path(probe_sets.make_noise(500).path)
    machine.print_title(f"Prepared files: reading {folder.name} in random order, ms of CPU time an image")
    with tempfile.TemporaryDirectory() as place:
        opened = nd.Broden(folder)
        side = opened.image_size[0]
        files = {"folder": opened}
        for images in ("original", side):
            file = Path(place) / f"{images}.arrow"
            files[f"file, --images {images}"] = open_probe_folder(
                nd.prepare_probe_set(folder, file, images=images).file
            )
        order = np.random.default_rng(0).permutation(len(opened))[:200].tolist()
        rows = {name: [_measure_size(Path(own.path)), 0.0, 0.0, 0.0] for name, own in files.items()}
        for _ in range(_REPEATS):  # in turns, so that a busy machine is one for all
            for name, own in files.items():
                for column, read in enumerate(
                    (own.read_labels, own.read_image, getattr(own, "read_segments", None)), 1
                ):
                    if read is not None:
                        spent = _measure(read, order)
                        rows[name][column] = min(spent, rows[name][column] or spent)
        machine.print_table(
            ["read from", "MB", "labels", "image", "segments"], [[name, *values] for name, values in rows.items()]
        )
        machine.print_table(
            ["labels of one row, ms, of", "ms", "MB"],
            _compare_formats(Path(place) / "original.arrow", Path(place), order),
        )


def _measure(read: Callable[[int], object], order: list[int]) -> float:
    """Return the milliseconds of CPU time that one image takes."""
    start = time.process_time()
    for index in order:
        read(index)
    return (time.process_time() - start) * 1e3 / len(order)


def _measure_size(path: Path) -> float:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6


def _compare_formats(file: Path, place: Path, order: list[int]) -> list[list[object]]:
    """Return rows about the same labels as Arrow and as Parquet, read one row at a time."""
    reader = pa.ipc.open_file(pa.memory_map(str(file)))
    table = reader.read_all().select(["segments", "labels"])
    with pa.ipc.new_file(place / "labels.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=16)
    mapped = pa.ipc.open_file(pa.memory_map(str(place / "labels.arrow")))
    found: list[list[object]] = [
        ["Arrow, 16 rows a batch", _measure(lambda row: _take(mapped.get_batch(row // 16), row % 16), order),
         _measure_size(place / "labels.arrow")]
    ]  # fmt: skip
    for rows, compression in ((16, "none"), (16, "zstd"), (1, "zstd")):
        path = place / f"{rows}-{compression}.parquet"
        pq.write_table(table, path, row_group_size=rows, compression=compression, use_dictionary=False)
        parquet = pq.ParquetFile(path, memory_map=True)

        def read(row: int, parquet: pq.ParquetFile = parquet, rows: int = rows) -> object:
            return _take(parquet.read_row_group(row // rows), row % rows)

        found.append([f"Parquet, {rows} rows a group, {compression}", _measure(read, order), _measure_size(path)])
    return found


def _take(rows: pa.RecordBatch | pa.Table, position: int) -> int:
    """Read the bytes of one row; return a sum of them."""
    return int(np.frombuffer(rows.column("segments")[position].as_buffer(), np.uint8).sum())
