"""Runs of seconds: a small network, a small probe set, five shards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests import nets

import netdissect as nd

if TYPE_CHECKING:
    from pathlib import Path

LAYERS = ["conv1", "conv2"]
OPTIONS = {"quantile": 0.05, "batch_size": 4, "images_per_unit": 3, "pictures": False, "shard_size": 8}


def dissect_small(data: str | Path, folder: Path | None, *, network=None, layers=LAYERS, **options):
    return nd.dissect(network or nets.make_small_net(), layers, data, out=folder, **{**OPTIONS, **options})


def read_tables(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every table of a run, by file name."""
    paths = sorted([*folder.glob("*.csv"), *folder.glob("*.parquet")])
    return {path.name: path.read_bytes() for path in paths}


def interrupt_run(data: Path, folder: Path | None, after: int, **options) -> str:
    """Run until `after` shards are finished, then stop as Ctrl-C does; return the message."""
    from netdissect.engine import tasks

    keep = tasks.store_scan

    def stop(store, shard, found, kind="scan"):
        if shard.number == after:
            raise KeyboardInterrupt
        return keep(store, shard, found, kind)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "store_scan", stop)
        with pytest.raises(KeyboardInterrupt) as stopped:
            dissect_small(data, folder, **options)
    return str(stopped.value)
