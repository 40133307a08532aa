"""Run folders that were received from others, edited or damaged, and tables to compare."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from benchmarks.hostile.attempts import (
    Expected,
    add_attempt,
    check_printed,
    expect_either,
    expect_error,
    expect_success,
)

if TYPE_CHECKING:
    from benchmarks.hostile.attempts import AttemptFolder

RECEIVED = "runs that were received"
TABLES = "tables that are compared"
LOAD = "netdissect report"


def _change_record(folder: AttemptFolder, change: Any) -> None:
    path = folder.finished_run / "run.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    change(found)
    path.write_text(json.dumps(found), encoding="utf-8")


def _make_load_call(folder: AttemptFolder) -> object:
    """Return a function that loads the run and reads every layer's units."""

    def call() -> None:
        import netdissect as nd

        found = nd.load(str(folder.finished_run))
        for layer in found.layers:
            _ = found[layer].units

    return call


for _name, _text, _sentence in (
    ("empty", b"", "run.json"),
    ("cut short", b'{"schema": 1, "lay', "run.json"),
    ("deep", b"[" * 90000 + b"]" * 90000, "run.json"),
    ("a list", b"[]", "run.json"),
    ("not text", b"\xff\xfe\x00", "run.json"),
    ("from a newer version", b'{"schema": 99}', "newer|run.json"),
):

    @add_attempt(RECEIVED, f"run.json is {_name}", expect_error(_sentence))
    def _(folder: AttemptFolder, text: bytes = _text) -> object:
        (folder.finished_run / "run.json").write_bytes(text)
        return _make_load_call(folder)


for _name, _change in (
    ("a folder above it as a layer's file", lambda r: r["layers"][0].update(files="../../theirs/x")),
    ("an absolute file", lambda r: r["layers"][0].update(files="/etc/passwd")),
    ("two layers of one name", lambda r: r["layers"].append(r["layers"][0])),
    ("a layer's number of units below zero", lambda r: r["layers"][0].update(units=-1)),
    ("a layer's number of units of 10**15", lambda r: r["layers"][0].update(units=10**15)),
    ("settings of another kind", lambda r: r.update(settings=[])),
    ("a quantile that is a word", lambda r: r["settings"].update(quantile="half")),
    ("no layers", lambda r: r.pop("layers")),
):

    @add_attempt(RECEIVED, f"run.json says {_name}", expect_error("run.json|damaged|layer|missing"))
    def _(folder: AttemptFolder, change: Any = _change) -> object:
        _change_record(folder, change)
        return _make_load_call(folder)


for _suffix in (".parquet", ".npz"):
    for _name, _change in (
        ("is missing", lambda path: path.unlink()),
        ("is cut short", lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])),
        ("is empty", lambda path: path.write_bytes(b"")),
        ("has a bit flipped", lambda path: path.write_bytes(_flip_bit(path.read_bytes()))),
        ("is a named pipe", lambda path: (path.unlink(), os.mkfifo(path))),
        ("is /dev/zero", lambda path: (path.unlink(), path.symlink_to("/dev/zero"))),
        ("is of another layer", lambda path: path.write_bytes(path.with_name(f"conv2{path.suffix}").read_bytes())),
    ):

        @add_attempt(RECEIVED, f"a layer's {_suffix} {_name}", expect_error("conv1"))
        def _(folder: AttemptFolder, suffix: str = _suffix, change: Any = _change) -> object:
            change(folder.finished_run / f"conv1{suffix}")
            return _make_load_call(folder)


def _flip_bit(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 0x20]) + data[len(data) // 2 + 1 :]


def _change_parquet(folder: AttemptFolder, change: Any) -> None:
    import pyarrow.parquet as pq

    path = folder.finished_run / "conv1.parquet"
    table = pq.read_table(path)
    pq.write_table(change(table), path)


for _name, _change in (
    ("re-ordered", lambda table: table.take(list(reversed(range(table.num_rows))))),
    ("of half the rows", lambda table: table.slice(0, table.num_rows // 2)),
    ("of twice the rows", lambda table: table.take([*range(table.num_rows), *range(table.num_rows)])),
):

    @add_attempt(RECEIVED, f"a table that is {_name}", expect_error("conv1|damaged|checksum"))
    def _(folder: AttemptFolder, change: Any = _change) -> object:
        _change_parquet(folder, change)
        return _make_load_call(folder)


for _name, _data in (
    ("an address", "https://example.org/x"),
    ("a device", "/dev/zero"),
    ("somebody's folder", "/root"),
):

    @add_attempt(
        RECEIVED,
        f"a run whose probe set is {_name} is reported without it",
        expect_either("probe set|run.json", check_printed("report")),
    )
    def _(folder: AttemptFolder, data: str = _data) -> object:
        def change(record: dict[str, Any]) -> None:
            def replace(value: Any) -> Any:
                if isinstance(value, dict):
                    return {key: replace(entry) for key, entry in value.items()}
                if isinstance(value, list):
                    return [replace(entry) for entry in value]
                return data if isinstance(value, str) and value.endswith("/set") else value

            record.update(replace(record))

        _change_record(folder, change)
        folder.finished_run.rename(folder.out)
        return ["report", folder.out]


_HEAD = (
    "unit,category,label,score,object-label,object-truth,object-activation,object-intersect,object-iou,"
    "part-label,part-truth,part-activation,part-intersect,part-iou"
)


def _make_csv(iou: str, unit: str = "1", label: str = "sky") -> str:
    return f"{_HEAD}\n{unit},object,{label},{iou},{label},100,50,40,{iou},leaf,100,50,4,0.03\n"


for _name, _text, _sentence in (
    ("scores that are nan", _make_csv("nan"), "nan"),
    ("scores of 1e400", _make_csv("1e400"), "1e400|inf"),
    ("scores above 1", _make_csv("7.5"), "7.5"),
    ("scores below 0", _make_csv("-0.5"), "-0.5"),
    ("scores that are words", _make_csv("good"), "good"),
    ("units that are words", _make_csv("0.1", unit="one"), "one|impossible"),
    ("units twice", _make_csv("0.1") + _make_csv("0.1").splitlines()[1] + "\n", "1"),
    ("an empty file", "", "x.csv|empty|table"),
    ("another table's columns", "a,b\n1,2\n", "unit|column"),
    ("a line of too few fields", f"{_HEAD}\n1,object\n", "line 2|fields"),
    ("an unclosed quote", f'{_HEAD}\n1,"object' + "x" * 200_000, "line|field|x.csv"),
    ("bytes that are not text", None, "UTF-8|text|x.csv"),
):

    @add_attempt(TABLES, _name, expect_error(_sentence))
    def _(folder: AttemptFolder, text: str | None = _text) -> object:
        path = folder.write("x.csv", b"unit,\xff\xfe\n" if text is None else text)
        return ["compare", path, "--out", folder.out / "c.svg"]


for _name, _make, _sentence in (
    ("a named pipe", os.mkfifo, "pipe|regular"),
    ("a device", lambda path: path.symlink_to("/dev/zero"), "device|regular"),
    ("an empty folder", lambda path: path.mkdir(), "run|x.csv"),
):

    @add_attempt(TABLES, _name, expect_error(_sentence))
    def _(folder: AttemptFolder, make: Any = _make) -> object:
        make(folder.path / "x.csv")
        return ["compare", folder.path / "x.csv", "--out", folder.out / "c.svg"]


@add_attempt(TABLES, "a .mat that is text", expect_error("x.mat"))
def _(folder: AttemptFolder) -> object:
    return ["compare", folder.write("x.mat", "MATLAB, they say"), "--out", folder.out / "c.svg"]


@add_attempt(LOAD, "a folder without a run", expect_error("run"))
def _(folder: AttemptFolder) -> object:
    return ["report", folder.write_foreign_files()]


@add_attempt(LOAD, "a finished run is reported again", expect_success(check_printed("report")))
def _(folder: AttemptFolder) -> object:
    folder.finished_run.rename(folder.out)
    return ["report", folder.out]


@add_attempt(LOAD, "html/data is a link to somebody's folder", Expected("link|folder|html", check_printed("report")))
def _(folder: AttemptFolder) -> object:
    import shutil

    folder.write_foreign_files()
    folder.finished_run.rename(folder.out)
    shutil.rmtree(folder.out / "html/data")
    (folder.out / "html/data").symlink_to(folder.path / "theirs")
    return ["report", folder.out]


@add_attempt(LOAD, "html is a link to somebody's folder", Expected("link|folder|html", check_printed("report")))
def _(folder: AttemptFolder) -> object:
    import shutil

    folder.write_foreign_files()
    folder.finished_run.rename(folder.out)
    shutil.rmtree(folder.out / "html")
    (folder.out / "html").symlink_to(folder.path / "theirs/html")
    return ["report", folder.out]
