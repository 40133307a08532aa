"""Ablation: what the network's class outputs lose when units are removed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

from netdissect.results.table import Column, Kind, Table, collect_columns
from netdissect.short_reprs import ShortRepr

if TYPE_CHECKING:
    from collections.abc import Mapping

#: False discovery rate below which a loss counts as larger than that of matched units.
LEVEL = 0.05
#: What takes the place of a removed unit's activations: 0, or the unit's mean.
Replacement = Literal["zero", "mean"]


@dataclass(frozen=True, slots=True)
class ConceptAblation:
    """What the removal of all units of one concept changes on images of the class that has the concept most often.

    The margin of an image is the output of its class minus the largest output of another class. Changes are means over the
    images of the class; negative ones are losses.

    Attributes:
        concept: the concept.
        category: its category.
        units: the removed units, numbered from 1.
        class_name: the class.
        share: share of the images of the class that have the concept; None where the class was found by its name.
        images: number of images of the class.
        margin: change of the margin.
        low: lower end of its 95 % interval.
        high: upper end of its 95 % interval.
        matched: mean change of the margin when random units of similar mean activation are removed instead.
        p: probability of so large a loss when random matched units are removed.
        q: false discovery rate of at most this p among the layer's concepts.
        accuracy: change of the accuracy.
        matched_accuracy: the same for matched random units.
        matched_low: mean change of the margin below which 2.5 % of the matched sets lie; None if it is not known.
        matched_high: the same above which 2.5 % lie.
        matched_sets: number of different matched sets, which may be fewer than were asked for.
    """

    concept: str
    category: str
    units: tuple[int, ...]
    class_name: str
    share: float | None
    images: int
    margin: float
    low: float
    high: float
    matched: float
    p: float
    q: float
    accuracy: float
    matched_accuracy: float
    matched_low: float | None = None
    matched_high: float | None = None
    matched_sets: int = 0

    @property
    def is_beyond_matched(self) -> bool:
        """Whether so large a loss is rare when matched units are removed (q < 0.05)."""
        return self.margin < 0 and self.q < LEVEL


@dataclass(frozen=True, slots=True)
class ClassCurve:
    """How well one class is recognized among all others without its most important units (Bau et al., PNAS 2020).

    Units are ordered by the loss of balanced accuracy on one half of the images; accuracies are of the other half.

    Attributes:
        class_name: the class.
        images: number of its images in the half that is measured.
        units: the most important units, most important first, numbered from 1.
        intact: balanced accuracy of the whole network.
        removed: balanced accuracy without the n most important units, by n.
        random: mean balanced accuracy without n random units, by n.
        only: balanced accuracy when only `units` are left.
    """

    class_name: str
    images: int
    units: tuple[int, ...]
    intact: float
    removed: Mapping[int, float]
    random: Mapping[int, float]
    only: float


_NUMBER: tuple[Kind, bool] = ("number", True)
#: Columns of a layer's ablations as a table, what each holds, and whether values may be missing.
ABLATION_KINDS: dict[str, tuple[Kind, bool]] = dict.fromkeys((field.name for field in fields(ConceptAblation)), _NUMBER) | {
    "concept": ("text", False), "category": ("text", False), "units": ("integers", False), "class_name": ("text", False),
    "images": ("integer", False), "matched_sets": ("integer", False),
}  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class LayerAblation(ShortRepr, Table):
    """The ablations of one layer; as a table, a row for each concept.

    Attributes:
        replacement: what takes the place of removed activations.
        images: number of labeled images.
        classes: number of classes.
        accuracy: accuracy of the whole network.
        concepts: the removal of all units of each concept, largest loss of margin first.
        curves: the curve of every class that has images in both halves.
        matched_sets: the most matched random sets of a concept.
        left_out: why a concept's units were not removed, by concept.
        notes: what a reader should know.
    """

    replacement: Replacement
    images: int
    classes: int
    accuracy: float
    concepts: tuple[ConceptAblation, ...]
    curves: tuple[ClassCurve, ...] = ()
    matched_sets: int = 0
    left_out: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()

    def _make_columns(self) -> Mapping[str, Column]:
        rows = [{name: getattr(row, name) for name in ABLATION_KINDS} for row in self.concepts]
        return collect_columns(rows, ABLATION_KINDS)
