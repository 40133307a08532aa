"""Examines one network in a process of its own: lists, suggests, dissects, measures."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import signal
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

import torch

import netdissect as nd
from benchmarks.geometry import choice, measure
from benchmarks.geometry.limits import SkippedNetworkError, count_parameters
from benchmarks.geometry.networks import Candidate, build_network
from netdissect.networks.load import wrap_module
from netdissect.networks.suggest import suggest_layers

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.layers import Layer

#: Bytes of address space of a process, its seconds of CPU time, and seconds until it is ended.
ADDRESS_SPACE, CPU_SECONDS, SECONDS = 9 << 30, 200, 600
#: Images of the probe set.
IMAGES = 3


def run_in_child(candidate: Candidate, probe_set: Path, answer: Path, listing: Path | None) -> int:
    """Fork a child that writes its record into a file; return its process id."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
        torch.set_num_threads(1)
        record: dict[str, Any] = {"family": candidate.family, "name": candidate.name, "seconds": {}}
        try:
            examine(candidate, probe_set, record, answer, listing)
        except BaseException as error:  # noqa: BLE001 - becomes part of the record
            record.setdefault("errors", {})["examine"] = _describe(error)
        answer.write_text(json.dumps(record), encoding="utf-8")
    finally:
        os._exit(0)


def examine(candidate: Candidate, probe_set: Path, record: dict[str, Any], answer: Path, listing: Path | None) -> None:
    """Build, list, dissect and measure one network; the record is written after every phase."""
    errors: dict[str, str] = record.setdefault("errors", {})

    def attempt(phase: str, call: Any) -> Any:
        start = time.monotonic()
        try:
            return call()
        except SkippedNetworkError as reason:
            record["skipped"] = str(reason)
        except Exception as error:  # noqa: BLE001 - that is what is counted
            errors[phase] = _describe(error)
        finally:
            record["seconds"][phase] = round(time.monotonic() - start, 2)
            answer.write_text(json.dumps(record), encoding="utf-8")
        return None

    built = attempt("build", lambda: build_network(candidate))
    if built is None:
        return
    module, size = built
    record |= {"parameters": count_parameters(module), "input_size": size}
    network = wrap_module(module, name=candidate.name.replace("/", "-"))
    layers: list[Layer] | None = attempt("list", lambda: network.layers(size))
    if layers is None:
        return
    _describe_listing(layers, size, record)
    suggested: list[str] = attempt("suggest", lambda: suggest_layers(layers)) or []
    record["suggested"] = suggested
    if listing is not None:
        _write_listing(listing, layers, suggested, record)
    if suggested:
        attempt(
            "dissect",
            lambda: nd.dissect(
                network,
                suggested,
                str(probe_set),
                pictures=False,
                resolution=size[0] if size[0] == size[1] else None,
                batch_size=2,
                quantile=0.02,
            ),
        )
    chosen = choice.choose_layers(layers, suggested)
    found = attempt("measure", lambda: measure.measure_layers(network, chosen, size)) or []  # type: ignore[arg-type]
    record["measured"] = [dataclasses.asdict(one) | {"is_wrong": one.is_wrong} for one in found]


def _describe_listing(layers: list[Layer], size: tuple[int, int], record: dict[str, Any]) -> None:
    standings = [choice.find_standing(layer) for layer in layers]
    record["layers"] = {one: standings.count(one) for one in ("traced", "position", "even", "single")}
    record["against_law"] = [
        layer.name for layer, standing in zip(layers, standings, strict=True)
        if standing == "traced" and choice.breaks_law(layer, size)
    ]  # fmt: skip


def _write_listing(folder: Path, layers: list[Layer], suggested: list[str], record: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{record['family']}-{record['name'].replace('/', '-')}.json"
    head = json.dumps({"input_size": record["input_size"], "suggested": suggested})
    rows = ",\n".join(
        json.dumps({
            "name": one.name, "kind": one.kind, "units": one.units, "grid": one.grid, "geometry": one.geometry,
            "offset": one.field.offset, "size": one.field.size, "step": one.field.step, "shape": one.shape, "note": one.note,
        }) for one in layers
    )  # fmt: skip
    path.write_text(f'{head[:-1]}, "layers": [\n{rows}\n]}}\n', encoding="utf-8")


def _describe(error: BaseException) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]} ({place.filename.rpartition('/')[2]}:{place.lineno})"
