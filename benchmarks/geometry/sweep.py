"""Runs the sweep, and prints its closing table."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import machine
from benchmarks.forked_processes import poll_process
from benchmarks.geometry import table
from benchmarks.geometry.networks import FAMILIES, Candidate, list_candidates

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class _Child:
    candidate: Candidate
    pid: int
    answer: Path
    until: float

    def poll(self) -> str | None:
        """Return how the process ended, empty if well; None while it runs."""
        ended = poll_process(self.pid, self.until)
        if ended is None or isinstance(ended, str):
            return ended
        return f"its process ended with {ended}" if ended else ""

    def read_record(self, end: str) -> dict[str, Any]:
        """Return what the process wrote."""
        record: dict[str, Any] = {
            "family": self.candidate.family,
            "name": self.candidate.name,
            "seconds": {},
            "errors": {},
        }
        with contextlib.suppress(OSError, ValueError):
            record = json.loads(self.answer.read_text(encoding="utf-8"))
        if end:
            record["errors"]["process"] = end
        return record


def main(words: Sequence[str] | None = None) -> None:
    """Examine all networks and print the closing table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks geometry --", description=__doc__)
    parser.add_argument("--family", action="append", choices=FAMILIES, help="only this one; may be repeated")
    parser.add_argument("--only", default="", help="only networks in whose FAMILY:NAME this pattern is found")
    parser.add_argument(
        "--network", action="append", metavar="FAMILY:NAME", help="only this one, of the sweep or not; may be repeated"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--out", type=Path, help="file to which one line of JSON per network is added")
    parser.add_argument("--resume", action="store_true", help="skip the networks that the file holds")
    parser.add_argument("--listings", type=Path, help="folder for the layers of every network")
    parser.add_argument("--table", action="store_true", help="print the table of the file, and examine nothing")
    options = parser.parse_args(words)
    records = read_records(options.out) if options.out and (options.resume or options.table) else []
    if not options.table:
        _prepare_process()
        done = {f"{record['family']}:{record['name']}" for record in records}
        named = [Candidate(*name.split(":", 1)) for name in options.network or []]
        candidates = [
            one for one in named or list_candidates(options.family or FAMILIES)
            if re.search(options.only, one.full_name) and one.full_name not in done
        ]  # fmt: skip
        records += examine_all(candidates, options)
    table.print_closing_table(records)


def read_records(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _prepare_process() -> None:
    """Import the libraries once, so that the children need not."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    machine.shim_torchvision()
    logging.disable(logging.CRITICAL)
    import timm
    import torch
    import torchvision
    import transformers

    import netdissect.engine.dissect
    import netdissect.run.execute

    _add_box_operators(torchvision)
    assert all((timm, torchvision, transformers, netdissect.engine.dissect, netdissect.run.execute))
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()


def _add_box_operators(torchvision: Any) -> None:
    """Let detectors run where torchvision's compiled operators are missing."""
    import torch

    if torchvision.extension._has_ops():  # noqa: SLF001
        return

    def suppress_boxes(boxes: torch.Tensor, scores: torch.Tensor, threshold: float) -> torch.Tensor:
        left, kept = scores.argsort(descending=True), []
        while len(left):
            kept.append(left[0])
            overlap = torchvision.ops.box_iou(boxes[left[:1]], boxes[left])[0]
            left = left[(overlap <= threshold) & (torch.arange(len(left)) > 0)]
        return torch.stack(kept) if kept else left

    torchvision.ops.boxes._assert_has_ops = lambda: None  # noqa: SLF001
    torch.library.impl("torchvision::nms", "CPU", suppress_boxes)


def examine_all(candidates: Sequence[Candidate], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Examine networks in processes of their own, some at a time; return their records."""
    from tests import small_probe_set

    from benchmarks.geometry import worker

    records: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        probe_set = small_probe_set.write_probe_set(
            folder / "set", images=worker.IMAGES, size=(64, 64), labels=(32, 32)
        )
        waiting = list(enumerate(candidates))
        running: list[_Child] = []
        while waiting or running:
            while waiting and len(running) < options.jobs:
                number, candidate = waiting.pop(0)
                answer = folder / f"{number}.json"
                pid = worker.run_in_child(candidate, probe_set, answer, options.listings)
                running.append(_Child(candidate, pid, answer, time.monotonic() + worker.SECONDS))
            for child in list(running):
                end = child.poll()
                if end is not None:
                    running.remove(child)
                    records.append(child.read_record(end))
                    _report(records[-1], f"{len(records)}/{len(candidates)}", options.out)
            time.sleep(0.02)
    return records


def _report(record: dict[str, Any], progress: str, out: Path | None) -> None:
    print(progress, table.describe_record(record), flush=True)
    if out is not None:
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
