"""Two runs side by side, in one self-contained page: which units gained, lost or changed their concept.

Made for checkpoints of one network, whose units correspond. Where they do not (another width), only concepts are
compared.
"""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdissect.concepts import display_name, sort_categories
from netdissect.io import atomic
from netdissect.report import strips
from netdissect.report.category_colors import assign_color_slots
from netdissect.report.html import page
from netdissect.results.detectors import count_detectors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from netdissect.results.detectors import Detectors
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.units import UnitRow, UnitTable

#: Units of a layer shown with images, images of each, and their height.
_UNITS_WITH_STRIPS = 60
_IMAGES_PER_STRIP = 6
_STRIP_HEIGHT = 64
_CHANGES = ("gained", "lost", "changed", "kept")


@dataclass(frozen=True, eq=False)
class ComparedRun:
    """One side of the page.

    Attributes:
        name: of the run.
        table: its units.
        layer: the layer's whole result; None where only a table is known.
        input_size: of its network.
        basis: what it was made over and how, in words; empty where nothing tells.
        picture_file: gives an image's file by its row, or None where it is gone; None without images.
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
    fate: str
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
    before: tuple[Detectors, Detectors]
    after: tuple[Detectors, Detectors]
    concepts: dict[str, list[_ConceptChange]]
    fates: dict[str, int]
    units: list[_UnitChange]


def write_compare_page(pairs: Sequence[tuple[str, ComparedRun, ComparedRun]], path: Path, *, threshold: float) -> Path:
    """Write the page; return it.

    Args:
        pairs: by layer, the side before and the side after.
        path: the file.
        threshold: score from which a unit counts as a detector.
    """
    layers = [_compare_layer(name, before, after, threshold) for name, before, after in pairs]
    kinds = sort_categories(
        list({concept.category for layer in layers for fate in layer.concepts.values() for concept in fate})
    )
    _, before, after = pairs[0]
    atomic.write_text(
        path,
        page.render_standalone_page(
            "versus.html", ("versus.css",), ("versus.js",), before=before.name, after=after.name, layers=layers, threshold=threshold, score_title=before.table.score_title,
            slots=assign_color_slots(kinds), pictured=_UNITS_WITH_STRIPS, fates=_CHANGES, same=all(layer.units for layer in layers), bases=[side.basis for side in (before, after) if side.basis],
        ),
    )  # fmt: skip
    return path


def _compare_layer(name: str, before: ComparedRun, after: ComparedRun, threshold: float) -> _LayerChange:
    counts = [
        [count_detectors(side.table, threshold=threshold, definition=kind) for kind in ("label", "category")]
        for side in (before, after)
    ]
    units = _compare_units(before, after, threshold) if len(before.table) == len(after.table) else []
    return _LayerChange(
        name, (counts[0][0], counts[0][1]), (counts[1][0], counts[1][1]), _compare_concepts(counts[0][0], counts[1][0]),
        {fate: Counter(unit.fate for unit in units)[fate] for fate in _CHANGES}, units,
    )  # fmt: skip


def _compare_concepts(before: Detectors, after: Detectors) -> dict[str, list[_ConceptChange]]:
    """Return the concepts by what became of them, those with most units first."""
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
    """Return the units, those that changed first, the strongest of them first."""
    rows = {row.unit: row for row in after.table}
    pairs = [(row, rows[row.unit]) for row in before.table if row.unit in rows]
    fates = [(first, second, _classify_change(first, second, threshold)) for first, second in pairs]
    fates = [entry for entry in fates if entry[2]]
    fates.sort(key=lambda entry: (entry[2] == "kept", -max(entry[0].score, entry[1].score), entry[0].unit))
    units = []
    for place, (first, second, fate) in enumerate(fates):
        pictured = fate != "kept" and place < _UNITS_WITH_STRIPS
        strips = (_embed_strip(before, first) if pictured else "", _embed_strip(after, second) if pictured else "")
        units.append(_UnitChange(first.unit, fate, first, second, strips))
    return units


def _classify_change(before: UnitRow, after: UnitRow, threshold: float) -> str:
    was, is_ = (bool(row.label) and row.score >= threshold for row in (before, after))
    if was and is_:
        return "kept" if (before.category, before.label) == (after.category, after.label) else "changed"
    return "lost" if was else "gained" if is_ else ""


def _embed_strip(side: ComparedRun, row: UnitRow) -> str:
    """Return a unit's images as a data address; nothing where there are none."""
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


def shown(row: UnitRow) -> str:
    """Return a unit's label as people read it."""
    return display_name(row.label) if row.label else "no concept"
