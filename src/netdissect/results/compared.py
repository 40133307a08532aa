"""One side of a comparison: how many units of a layer detect something, and how many concepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netdissect.results.detectors import count_detectors
from netdissect.results.scores import IOU

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.config import Definition
    from netdissect.results.run_result import Result
    from netdissect.results.units import UnitTable


@dataclass(frozen=True, eq=False)
class DetectorCounts:
    """A layer of a network as figures across networks show it.

    Attributes:
        name: the network's name, with the layer's where several layers of it are compared.
        network: the network's name.
        layer: the layer's name; empty where a table does not tell.
        units: number of units U.
        detectors: units that detect something.
        unique: distinct concepts detected, per category that has any.
        by_category: (unit, concept) pairs, per category that has any.
        definition: ``"label"`` or ``"category"``.
        table: the units; None where only counts are known (the paper's .mat).
        step: the training step of a checkpoint; None for what is none.
        basis: what a run was made over and how, in words (`basis`); empty where nothing tells.
    """

    name: str
    network: str
    layer: str
    units: int
    detectors: int
    unique: Mapping[str, int]
    by_category: Mapping[str, int]
    definition: Definition
    table: UnitTable | None = None
    step: float | None = None
    basis: str = ""

    @property
    def score_title(self) -> str:
        """What the score that labels the units is called."""
        return self.table.score_title if self.table is not None else "IoU"

    @property
    def total(self) -> int:
        """Number of unique detectors."""
        return sum(self.unique.values())


def count_for_comparison(
    name: str, network: str, layer: str, table: UnitTable, threshold: float, definition: Definition
) -> DetectorCounts:
    """Count a table of units for a comparison."""
    found = count_detectors(table, threshold=threshold, definition=definition)
    return DetectorCounts(
        name, network, layer, found.total, found.units, found.unique_by_category, found.units_by_category, definition,
        table,
    )  # fmt: skip


def describe_run(run: Result) -> str:
    """Say what a run was made over and how: runs that differ in it are not alike, and a reader must know."""
    probe, settings = run.probe_set, run.settings
    split = f", split {settings.split}" if settings.split else ""
    score = f", scored by {run.score_title}" if settings.score != IOU else ""
    return (
        f"{probe.images:,} images of {probe.name} {probe.fingerprint[:8]}{split}, quantile {settings.quantile:g}{score}"
    )


def find_detections(
    table: UnitTable, threshold: float, definition: Definition
) -> tuple[NDArray[np.bool_], Sequence[str]]:
    """Return which unit detects which concept, shape (U, C'), of the C' concepts detected, and their names."""
    columns: dict[tuple[str, str], int] = {}
    seen: list[tuple[int, int]] = []
    for position, row in enumerate(table):
        if definition == "label":
            found = [(row.category, row.label)] if row.label and row.score >= threshold else []
        else:
            found = [(best.category, best.label) for best in row.profile if best.label and best.score > threshold]
        seen += [(position, columns.setdefault(concept, len(columns))) for concept in found]
    matrix = np.zeros((len(table), len(columns)), np.bool_)
    for position, column in seen:
        matrix[position, column] = True
    return matrix, [label for _, label in columns]
