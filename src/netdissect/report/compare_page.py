"""Write a self-contained page that compares two runs: which units gained, lost or changed their concept.

It is meant for checkpoints of one network, whose units correspond. Layers of different widths are compared by concept only.
"""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdissect.concepts import sort_categories
from netdissect.io import atomic
from netdissect.report import strips
from netdissect.report.category_colors import assign_color_slots
from netdissect.report.count_table import CountTable, tabulate_counts
from netdissect.report.html import page
from netdissect.results.detectors import count_detectors
from netdissect.results.unit_trust import LEVEL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from netdissect.results.detectors import Detectors
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.units import UnitRow, UnitTable

#: Units of a layer that are shown with strips, images of a strip, and its height in pixels.
_UNITS_WITH_STRIPS = 60
_IMAGES_PER_STRIP = 6
_STRIP_HEIGHT = 64
_CHANGES = ("gained", "lost", "changed", "kept")


@dataclass(frozen=True, eq=False)
class ComparedRun:
    """A layer of one of the two runs.

    Attributes:
        name: name of the run.
        table: the layer's units.
        layer: the layer's result; None if only a table is known.
        input_size: height and width of the network's input.
        basis: description of the run's images and settings; empty if unknown.
        read_image_file: returns an image file by its row, or None if it is not available; None if the run has no images.
    """

    name: str
    table: UnitTable
    layer: LayerResult | None = None
    input_size: tuple[int, int] = (1, 1)
    basis: str = ""
    read_image_file: Callable[[int], bytes | None] | None = None


@dataclass(frozen=True)
class _UnitChange:
    number: int
    change: str
    before: UnitRow
    after: UnitRow
    strips: tuple[str, str]


@dataclass(frozen=True)
class _ConceptChange:
    label: str
    category: str
    before: int
    after: int


@dataclass(frozen=True)
class _LayerChange:
    name: str
    counts: CountTable
    concepts: dict[str, list[_ConceptChange]]
    changes: dict[str, int]
    units: list[_UnitChange]


def write_compare_page(pairs: Sequence[tuple[str, ComparedRun, ComparedRun]], path: Path, *, threshold: float) -> Path:
    """Write the page of two runs.

    Args:
        pairs: for each layer, its name, and the layer in the first and in the second run.
        path: the file.
        threshold: score from which a unit counts as a detector.

    Returns:
        the file.
    """
    layers = [_compare_layer(name, before, after, threshold) for name, before, after in pairs]
    kinds = sort_categories(
        concept.category for layer in layers for concepts in layer.concepts.values() for concept in concepts
    )
    _, before, after = pairs[0]
    atomic.write_text(
        path,
        page.render_standalone_page(
            "compare.html", ("compare.css",), ("compare.js",), before=before.name, after=after.name, layers=layers, threshold=threshold, score_title=before.table.score_title,
            slots=assign_color_slots(kinds), units_with_strips=_UNITS_WITH_STRIPS, changes=_CHANGES, same=all(layer.units for layer in layers), level=LEVEL, trusted=any(side.layer and side.layer.trust for _, *sides in pairs for side in sides), bases=[side.basis for side in (before, after) if side.basis],
        ),
    )  # fmt: skip
    return path


def _compare_layer(name: str, before: ComparedRun, after: ComparedRun, threshold: float) -> _LayerChange:
    counts = [count_detectors(side.table, threshold=threshold) for side in (before, after)]
    units = _compare_units(before, after, threshold) if len(before.table) == len(after.table) else []
    return _LayerChange(
        name, tabulate_counts(before, after, threshold), _compare_concepts(counts[0], counts[1]),
        {change: Counter(unit.change for unit in units)[change] for change in _CHANGES}, units,
    )  # fmt: skip


def _compare_concepts(before: Detectors, after: Detectors) -> dict[str, list[_ConceptChange]]:
    """Return the concepts by kind of change, those with most units first."""
    concepts = [
        _ConceptChange(
            label, category, before.concepts.get((category, label), 0), after.concepts.get((category, label), 0)
        )
        for category, label in {**before.concepts, **after.concepts}
    ]
    concepts.sort(key=lambda concept: (-max(concept.before, concept.after), concept.label))
    return {
        "gained": [concept for concept in concepts if not concept.before],
        "lost": [concept for concept in concepts if not concept.after],
        "kept": [concept for concept in concepts if concept.before and concept.after],
    }


def _compare_units(before: ComparedRun, after: ComparedRun, threshold: float) -> list[_UnitChange]:
    """Return the units that detect a concept in either run: units that changed first, each group by falling score."""
    rows = {row.unit: row for row in after.table}
    pairs = [(row, rows[row.unit]) for row in before.table if row.unit in rows]
    changes = [(first, second, _classify_change(first, second, threshold)) for first, second in pairs]
    changes = [entry for entry in changes if entry[2]]
    changes.sort(key=lambda entry: (entry[2] == "kept", -max(entry[0].score, entry[1].score), entry[0].unit))
    units = []
    for position, (first, second, change) in enumerate(changes):
        with_strips = change != "kept" and position < _UNITS_WITH_STRIPS
        strips = (_embed_strip(before, first), _embed_strip(after, second)) if with_strips else ("", "")
        units.append(_UnitChange(first.unit, change, first, second, strips))
    return units


def _classify_change(before: UnitRow, after: UnitRow, threshold: float) -> str:
    """Return how a unit's concept has changed; ``""`` if the unit is a detector in neither run."""
    detected, detects = (bool(row.label) and row.score >= threshold for row in (before, after))
    if detected and detects:
        return "kept" if (before.category, before.label) == (after.category, after.label) else "changed"
    if detected:
        return "lost"
    return "gained" if detects else ""


def _embed_strip(side: ComparedRun, row: UnitRow) -> str:
    """Return a unit's strip as a data URL, or ``""`` without images."""
    if side.layer is None or side.read_image_file is None or not side.layer.exemplars.images.shape[1]:
        return ""
    rows = [int(image) for image in side.layer.exemplars.images[row.channel][:_IMAGES_PER_STRIP] if image >= 0]
    files = {image: data for image in rows if (data := side.read_image_file(image)) is not None}
    if len(files) < len(rows):
        return ""
    data = strips.encode_strip(
        side.layer, row.channel, side.input_size, files.__getitem__, height=_STRIP_HEIGHT, most=_IMAGES_PER_STRIP
    )
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
