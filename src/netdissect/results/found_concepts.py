"""Concepts and the units that see them, as a table."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from netdissect.concepts import display_name
from netdissect.errors import SettingsError
from netdissect.io import atomic
from netdissect.io.text import make_writable
from netdissect.results.found_text import describe_concepts
from netdissect.results.table import Column, Kind, Table, collect_columns
from netdissect.wording import count_noun

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netdissect.results.ablation import ConceptAblation
    from netdissect.results.trust import UnitTrust

#: Why a unit is listed for a concept, in the order of the lists: the concept is its label; its score with the concept reaches the
#: threshold and exceeds `ConceptUnit.cut`; its formula names the concept; no unit sees the concept better.
RELATIONS = ("label", "high", "formula", "near")

#: Fields of `ConceptAblation` that a concept has in JSON.
ABLATION_FIGURES = (
    "class_name", "images", "margin", "low", "high", "matched", "p", "q", "accuracy", "matched_accuracy",
)  # fmt: skip


_NUMBER: tuple[Kind, bool] = ("number", True)
#: Columns of the table, what each holds, and whether values may be missing: all of a unit's are, for a concept without units.
FOUND_KINDS: dict[str, tuple[Kind, bool]] = {
    "concept": ("text", False), "category": ("text", False), "pixels": ("integer", False), "images": ("integer", True),
    "detectors": ("integer", False), "best_score": ("number", False), "attainable": ("number", True), "reason": ("text", True), "why": ("text", True),
    "layer": ("text", True), "unit": ("integer", True), "channel": ("integer", True), "relation": ("text", True), "detects": ("flag", True),
    **dict.fromkeys(("score", "low", "high", "q", "keep", "cut", "precision", "recall"), _NUMBER),
    "label": ("text", True), "label_score": ("number", True), "formula": ("text", True), "image_rows": ("integers", True),
    "image_names": ("texts", True),
}  # fmt: skip
#: Columns that a notebook shows.
_SHOWN = (
    "concept", "category", "detectors", "layer", "unit", "channel", "score", "low", "high", "q", "detects", "label", "why",
)  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False)
class ConceptUnit:
    """A unit and how well it sees a concept.

    Attributes:
        layer: name of the unit's layer.
        unit: its number, counted from 1.
        score: its score with the concept.
        precision: I / A, the share of the unit's mask that has the concept.
        recall: I / G, the share of the concept's pixels that are in the mask.
        label: the unit's label, as in ``label.csv``.
        label_score: score of its label.
        relation: why it is listed, one of `RELATIONS`.
        detects: whether the concept is its label, its score reaches the threshold and, where chance was measured, q < 0.05.
        cut: score that the unit exceeds with the labels of other images in 5 % of shifts; None if chance was not measured.
        trust: how far the label can be trusted; None if it is another concept or was not measured.
        images: rows in ``index.csv`` of the images that activate the unit most, the strongest first.
        image_names: their names.
        formula: the unit's formula with its IoU, if the run has one for it that gains more than chance.
    """

    layer: str
    unit: int
    score: float
    precision: float
    recall: float
    label: str
    label_score: float
    relation: str
    detects: bool
    cut: float | None = None
    trust: UnitTrust | None = None
    images: tuple[int, ...] = ()
    image_names: tuple[str, ...] = ()
    formula: str | None = None

    @property
    def channel(self) -> int:
        """The unit's position in the layer, counted from 0: its channel in torch, its row in arrays."""
        return self.unit - 1

    def __repr__(self) -> str:
        word = "detects it" if self.detects else "does not detect it"
        label = (
            ""
            if self.relation == "label"
            else f", label {display_name(self.label) or 'no concept'} {self.label_score:.4f}"
        )
        return f"unit {self.unit} (channel {self.channel}) of {self.layer}: score {self.score:.4f}, {word}{label}; .as_dict() has every field"

    def as_dict(self) -> dict[str, Any]:
        """Return the unit's figures by name; None where they were not measured or are those of another concept."""
        trust = self.trust
        figures = ("low", "high", "q", "keep")
        return {
            "layer": self.layer, "unit": self.unit, "channel": self.channel, "relation": self.relation, "detects": self.detects, "score": self.score,
            **{name: None if trust is None else getattr(trust, name) for name in figures},
            "cut": self.cut, "precision": self.precision, "recall": self.recall, "label": self.label, "label_score": self.label_score, "formula": self.formula,
            "image_rows": list(self.images), "image_names": list(self.image_names),
        }  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False)
class FoundConcept:
    """A concept and the units that see it.

    Attributes:
        name: as in ``label.csv``.
        category: its category.
        pixels: G, its labeled pixels.
        images: number of images that have it; None if it is unknown.
        best_score: best score of any unit with it.
        attainable: largest IoU that a mask of the size of any unit's can reach (`ScorePanel.attainable`); None if the score takes
            no masks.
        units: units whose label it is, best score first; then those with another label; if there are none, the nearest ones.
        why: why no unit detects it, in words; None if one does.
        reason: the same in a word: ``absent``, ``size``, ``chance``, ``other label`` or ``below``.
        ablations: by layer, what class outputs lose without its units of the concept, where that was measured.
    """

    name: str
    category: str
    pixels: int
    images: int | None
    best_score: float
    attainable: float | None
    units: tuple[ConceptUnit, ...]
    why: str | None = None
    reason: str | None = None
    ablations: Mapping[str, ConceptAblation] = field(default_factory=dict)

    @property
    def detectors(self) -> int:
        """Number of units that detect it."""
        return sum(unit.detects for unit in self.units)

    def __repr__(self) -> str:
        seen = count_noun(self.detectors, "unit detects it", "units detect it")
        return f"{display_name(self.name)} ({self.category}): {seen}, best score {self.best_score:.4f}; .units, .why, .as_dict()"

    def as_dict(self) -> dict[str, Any]:
        """Return the concept's figures by name, with those of its units."""
        return {
            "concept": self.name, "category": self.category, "pixels": self.pixels, "images": self.images,
            "detectors": self.detectors, "best_score": self.best_score, "attainable": self.attainable, "reason": self.reason, "why": self.why,
            "units": [unit.as_dict() for unit in self.units],
            "ablations": [
                {"layer": layer} | {name: getattr(found, name) for name in ABLATION_FIGURES} | {"units": list(found.units)}
                for layer, found in self.ablations.items()
            ],
        }  # fmt: skip


class FoundConcepts(Table, Sequence[FoundConcept]):
    """Concepts with the units that see them, from `Result.find`; as a table, a row for each concept and unit.

    Attributes:
        layers: names of the run's layers.
        threshold: score from which a unit counts as a detector.
        score_title: what the score is called, such as ``"IoU"``.
        remarks: how words were understood.
        is_everything: whether these are all concepts of the probe set.
    """

    def __init__(
        self, found: Sequence[FoundConcept], layers: Sequence[str], threshold: float, score_title: str,
        remarks: Sequence[str] = (), *, is_everything: bool = False,
    ) -> None:  # fmt: skip
        self._found = tuple(found)
        self.layers, self.threshold, self.score_title = tuple(layers), threshold, score_title
        self.remarks, self.is_everything = tuple(remarks), is_everything

    @overload
    def __getitem__(self, index: int) -> FoundConcept: ...
    @overload
    def __getitem__(self, index: slice) -> FoundConcepts: ...
    def __getitem__(self, index: int | slice) -> FoundConcept | FoundConcepts:
        """Return the concept at a position, or a table of several."""
        if not isinstance(index, slice):
            return self._found[index]
        return FoundConcepts(self._found[index], self.layers, self.threshold, self.score_title, self.remarks)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return "\n".join(self.describe())

    def _repr_html_(self) -> str:
        from netdissect.results.table_html import render_table

        said = "".join(f"<p>{html.escape(line)}</p>" for line in self.remarks)
        return said + render_table(self, columns=_SHOWN)

    def describe(self, most: int | None = 20) -> list[str]:
        """Return the table as lines of text.

        Args:
            most: the most lines of units of one concept; None for all.
        """
        return describe_concepts(self, most)

    def list_rows(self) -> list[dict[str, Any]]:
        """Return one row for each concept and unit; one without a unit for a concept that no unit has as its label."""
        rows: list[dict[str, Any]] = []
        empty = dict.fromkeys(ConceptUnit("", 0, 0, 0, 0, "", 0, "", detects=False).as_dict())
        for concept in self:
            fields = concept.as_dict()
            units, _ = fields.pop("units"), fields.pop("ablations")
            rows += [fields | unit for unit in units] or [fields | empty]
        return rows

    def write(self, path: Path, kind: str | None = None) -> None:
        """Write the table into a file.

        Args:
            path: the file.
            kind: ``"csv"``, ``"json"`` or ``"txt"``; None takes the ending of the file.

        Raises:
            SettingsError: if there is no such kind, or the file would replace one of a run.
        """
        kind = (path.suffix.removeprefix(".") if kind is None else kind).lower()
        if kind not in ("csv", "json", "txt"):
            raise SettingsError(f"--out takes a file that ends in .csv, .json or .txt, or --csv or --json, not {path}")
        if path.exists() and (path.parent / "run.json").exists():
            raise SettingsError(f"--out would replace {path}, a file in a run's folder: choose another name")
        text = self.to_csv() if kind == "csv" else self._format_json() if kind == "json" else self._format_text()
        atomic.write_text(path, make_writable(text))

    def _format_json(self) -> str:
        return f"{json.dumps(self.to_json(), indent=1, allow_nan=False)}\n"

    def _format_text(self) -> str:
        return "".join(f"{line}\n" for line in self.describe(most=None))

    def to_json(self) -> dict[str, Any]:
        """Return the table as a value for JSON: a list of concepts, each with its units."""
        return {
            "threshold": self.threshold, "score": self.score_title, "remarks": list(self.remarks),
            "concepts": [concept.as_dict() for concept in self],
        }  # fmt: skip

    def _make_columns(self) -> Mapping[str, Column]:
        return collect_columns(self.list_rows(), FOUND_KINDS)
