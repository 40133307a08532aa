"""Check a prepared file: every checksum, every image and every label (``netdissect data check FILE``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdissect.bounds import MAX_WORKERS, require_integer
from netdissect.errors import DataError
from netdissect.probe_sets.prepared.prepared_file import PreparedFile
from netdissect.probe_sets.prepared.prepared_set import PreparedSet
from netdissect.protocols import NullProgress
from netdissect.runtime.port import PlainContext
from netdissect.runtime.worker_processes import start_local_workers

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.protocols import Progress

#: Number of images per task of a worker.
_BATCH = 64


@dataclass(frozen=True)
class PreparedReport:
    """The result of a check.

    Attributes:
        images: number of images.
        concepts: number of concepts listed.
        problems: every problem, as a sentence.
    """

    images: int
    concepts: int
    problems: tuple[str, ...]


@dataclass(frozen=True)
class _PreparedCheck(PlainContext):
    """What every worker needs: the probe set in the file."""

    probe_set: PreparedSet


def check_prepared_file(file: str | Path, *, workers: int = 1, progress: Progress | None = None) -> PreparedReport:
    """Read every image and label of a prepared file, and compare their checksums.

    Args:
        file: the file, a path or an fsspec URL.
        workers: number of processes.
        progress: reports the progress.

    Raises:
        DataError: a subclass, if its tables are damaged.
        SettingsError: if `workers` is out of its range.
    """
    require_integer("workers", workers, 1, MAX_WORKERS)
    progress = progress or NullProgress()
    probe_set = PreparedSet(PreparedFile(file))
    parts = [range(start, min(start + _BATCH, len(probe_set))) for start in range(0, len(probe_set), _BATCH)]
    problems: list[str] = []
    progress.start("check", len(probe_set))
    with start_local_workers(_PreparedCheck(probe_set), min(workers, len(parts))) as runtime:
        for part, found in zip(parts, runtime.map(_check_images, parts), strict=True):
            problems += found
            progress.advance(len(part))
    return PreparedReport(len(probe_set), len(probe_set.vocabulary), tuple(problems))


def _check_images(context: _PreparedCheck, images: range) -> list[str]:
    """Return the problems of some images."""
    problems = []
    for image in images:
        try:
            context.probe_set.read_image(image, context.probe_set.file.facts.size)
            context.probe_set.read_labels(image)
        except DataError as error:
            problems.append(str(error))
    return problems
