"""Trust tables of run folders that were received from others, edited or damaged."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests import made_up_runs

from benchmarks.hostile.attempts import add_attempt, expect_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.hostile.attempts import AttemptFolder

TRUST = "trust tables that were received"
NAME = "conv1-trust.npz"


def _make_call(folder: AttemptFolder, change: Callable[[Path], Any]) -> object:
    """Give the finished run trust tables and change its folder; return a function that loads it and reads its units."""
    import netdissect as nd
    from netdissect.results import files

    run, received = nd.load(folder.finished_run), folder.path / "received"
    layers = {
        name: replace(layer, trust=made_up_runs.make_trust(layer, shifts=10)) for name, layer in run.layers.items()
    }
    files.save_run(replace(run, layers=layers), received)
    change(received)

    def call() -> None:
        for layer in nd.load(str(received)).layers.values():
            layer.summarize_trust()

    return call


def _flip_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x20
    path.write_bytes(data)


for _name, _change in (
    ("are missing", lambda path: path.unlink()),
    ("are cut short", lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])),
    ("have a bit flipped", _flip_bit),
    ("are a named pipe", lambda path: (path.unlink(), os.mkfifo(path))),
    ("are /dev/zero", lambda path: (path.unlink(), path.symlink_to("/dev/zero"))),
    ("are of another layer", lambda path: path.write_bytes(path.with_name("conv2-trust.npz").read_bytes())),
):

    @add_attempt(TRUST, f"trust tables {_name}", expect_error("conv1-trust"))
    def _(folder: AttemptFolder, change: Any = _change) -> object:
        return _make_call(folder, lambda received: change(received / NAME))


for _name, _part, _value in (
    ("10**12 shifts", "chance", {"shifts": 10**12, "left_out": 0}),
    ("more shifts than it has", "chance", {"shifts": 10_000, "left_out": 0}),
    ("no folds", "spread", {"resamples": 60, "folds": 0}),
    ("scenes that are a number", "within", {"shifts": 10, "category": 7, "left_out": 0}),
    ("untrained runs that are none", "reference", {"runs": []}),
    ("chance that is a list", "chance", []),
):

    @add_attempt(TRUST, f"run.json claims {_name}", expect_error("run.json|conv1-trust"))
    def _(folder: AttemptFolder, part: str = _part, value: Any = _value) -> object:
        return _make_call(folder, lambda received: _edit(received, lambda trust: trust.update({part: value})))


def _edit(received: Path, change: Callable[[dict[str, Any]], Any], *, unsigned: bool = False) -> None:
    path = received / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    change(record["layers"][0]["trust"])
    record["checksums"] = {} if unsigned else record["checksums"]
    path.write_text(json.dumps(record), encoding="utf-8")


@add_attempt(TRUST, "trust tables that unpack to gigabytes", expect_error("conv1-trust"))
def _(folder: AttemptFolder) -> object:
    def change(received: Path) -> None:
        _edit(received, lambda _: None, unsigned=True)
        with (
            zipfile.ZipFile(received / NAME, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("chance.score.npy", "w", force_zip64=True) as file,
        ):
            for _ in range(128):
                file.write(bytes(1 << 24))

    return _make_call(folder, change)
