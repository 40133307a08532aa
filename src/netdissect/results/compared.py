"""Count detectors and unique detectors of a layer for comparisons between networks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netdissect.results.detectors import count_detectors, format_deviation, format_times
from netdissect.results.scores import IOU
from netdissect.results.table import Column, Kind, collect_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.config import Definition
    from netdissect.results.run_result import Result
    from netdissect.results.trust_summary import TrustSummary
    from netdissect.results.units import UnitTable
    from netdissect.stats.spread import CountSpread


@dataclass(frozen=True, eq=False)
class DetectorCounts:
    """The detectors of one layer of a network.

    Attributes:
        name: the network's name, followed by the layer's if several of its layers are compared.
        network: the network's name.
        layer: the layer's name; empty if the table has none.
        units: number of units U.
        detectors: number of units that detect a concept.
        unique: number of distinct concepts detected, per category that has any.
        by_category: number of (unit, concept) pairs, per category that has any.
        definition: ``"label"`` or ``"category"``.
        table: the units; None if only counts are known (the paper's .mat).
        step: the training step of a checkpoint; None for other networks.
        basis: probe set and settings of the run (`describe_run`); empty if unknown.
        spread: how far the counts vary over resamples; None if it was not measured.
        trust: how far the layer's units can be trusted; None if it was not measured.
        is_control: whether the network's weights are random, as far as its name or source says.
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
    spread: CountSpread | None = None
    trust: TrustSummary | None = None
    is_control: bool = False

    @property
    def score_title(self) -> str:
        """What the score that labels the units is called."""
        return self.table.score_title if self.table is not None else "IoU"

    @property
    def total(self) -> int:
        """Number of unique detectors."""
        return sum(self.unique.values())

    def list_counts(self) -> tuple[str, str, str, str]:
        """Return unique detectors, detectors of all units, those beyond chance, and times chance, as text; empty if not measured."""
        unique, units = "", ""
        if self.spread is not None:
            unique, units = (f" ± {format_deviation(sd)}" for sd in (self.spread.unique_sd, self.spread.units_sd))
        beyond = "" if self.trust is None or self.trust.beyond is None else str(self.trust.beyond)
        times = "" if self.trust is None or self.trust.times is None else format_times(self.trust.times)
        return f"{self.total}{unique}", f"{self.detectors}{units} of {self.units}", beyond, times


#: Columns of counts as a table, what each holds, and whether values may be missing; the names are those of `Layers`.
COUNT_KINDS: dict[str, tuple[Kind, bool]] = {
    "name": ("text", False), "network": ("text", False), "layer": ("text", False), "step": ("number", True), "units": ("integer", False),
    "detectors": ("integer", False), "detectors_sd": ("number", True), "unique_detectors": ("integer", False), "unique_sd": ("number", True),
    "beyond_chance": ("integer", True), "times_chance": ("number", True), "definition": ("text", False), "is_control": ("flag", False),
}  # fmt: skip


def make_detector_columns(entries: Iterable[DetectorCounts]) -> dict[str, Column]:
    """Return counts as the columns of a table, a row for each entry."""
    rows = []
    for entry in entries:
        spread, trust = entry.spread, entry.trust
        rows.append({
            "name": entry.name, "network": entry.network, "layer": entry.layer, "step": entry.step, "units": entry.units,
            "detectors": entry.detectors, "detectors_sd": None if spread is None else spread.units_sd,
            "unique_detectors": entry.total, "unique_sd": None if spread is None else spread.unique_sd,
            "beyond_chance": None if trust is None else trust.beyond, "times_chance": None if trust is None else trust.times,
            "definition": entry.definition, "is_control": entry.is_control,
        })  # fmt: skip
    return collect_columns(rows, COUNT_KINDS)


def count_for_comparison(
    name: str, network: str, layer: str, table: UnitTable, threshold: float, definition: Definition
) -> DetectorCounts:
    """Count the detectors of a table of units for a comparison."""
    found = count_detectors(table, threshold=threshold, definition=definition)
    return DetectorCounts(
        name, network, layer, found.total, found.units, found.unique_by_category, found.units_by_category, definition,
        table, is_control=has_random_weights(name),
    )  # fmt: skip


def has_random_weights(*names: str) -> bool:
    """Return whether one of a network's names or its source says that its weights are random.

    >>> has_random_weights("AlexNet-random"), has_random_weights("resnet18", "torchvision:resnet18 --weights IMAGENET1K_V1")
    (True, False)
    """
    return any(re.search(r"(?<![a-z])(random|untrained)(?![a-z])", name.lower()) for name in names)


def describe_run(run: Result) -> str:
    """Return a run's probe set and settings as text, from which readers see how compared runs differ."""
    probe, settings = run.probe_set, run.settings
    split = f", split {settings.split}" if settings.split else ""
    score = f", scored by {run.score_title}" if settings.score != IOU else ""
    return (
        f"{probe.images:,} images of {probe.name} {probe.fingerprint[:8]}{split}, quantile {settings.quantile:g}{score}"
    )


def find_detections(
    table: UnitTable, threshold: float, definition: Definition
) -> tuple[NDArray[np.bool_], Sequence[str]]:
    """Return which unit detects which concept, bool, shape (U, C'), and the names of the C' concepts that are detected."""
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
