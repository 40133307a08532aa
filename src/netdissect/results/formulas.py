"""Formulas: what a unit detects besides its label, as concepts joined by AND, OR and AND NOT.

Mu and Andreas: "Compositional Explanations of Neurons", NeurIPS 2020.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Self

from netdissect.short_reprs import ShortRepr

if TYPE_CHECKING:
    from collections.abc import Sequence

#: How a concept is joined to the formula before it.
Operator = Literal["or", "and", "and not"]


@dataclass(frozen=True, slots=True)
class Formula:
    """Concepts joined by AND, OR and AND NOT, read from left to right: ``(cow OR sheep) AND NOT grass``.

    Attributes:
        columns: columns of the concepts in the vocabulary, each once.
        operators: how the second concept is joined to the first, the third to both, and so on; one fewer than `columns`.
    """

    columns: tuple[int, ...]
    operators: tuple[Operator, ...] = ()

    def __len__(self) -> int:
        """Return the number of concepts."""
        return len(self.columns)

    def describe(self, names: Sequence[str]) -> str:
        """Return the formula in words.

        Args:
            names: the name of every concept of the vocabulary.

        Example:
            >>> Formula((2, 0, 1), ("or", "and not")).describe(["sheep", "grass", "cow"])
            '(cow OR sheep) AND NOT grass'
        """
        text, previous = names[self.columns[0]], ""
        for column, operator in zip(self.columns[1:], self.operators, strict=True):
            if previous and (previous == "or") != (operator == "or"):
                text = f"({text})"
            text, previous = f"{text} {operator.upper()} {names[column]}", operator
        return text


@dataclass(frozen=True, slots=True)
class UnitFormula:
    """The best formula of one unit.

    Attributes:
        formula: the best formula found; None for a unit without a label.
        iou: its IoU, over the images that have every category that it names.
        single: IoU of the best single concept.
        is_proved: whether no formula of as many concepts as were asked for, at most three, has a higher IoU; False where longer ones
            were searched by beam.
        ceiling: IoU of the best formula of any length over the labels.
        chance: the largest gain that the same search finds with the labels of other images; None if it was
            not measured.
        same_images: IoU of the best single concept over the images of the formula, those that have every category that it names.
    """

    formula: Formula | None
    iou: float
    single: float
    is_proved: bool
    ceiling: float
    chance: float | None = None
    same_images: float = 0.0

    @property
    def baseline(self) -> float:
        """IoU of the best single concept, over the images that have its category or over the formula's: the higher one.

        A formula that names a category which few images have is compared with single concepts on these images too; else naming it
        would be a gain in itself.
        """
        return max(self.single, self.same_images)

    @property
    def gain(self) -> float:
        """By how much the formula's IoU exceeds `baseline`; negative if a single concept does better on its images."""
        return self.iou - self.baseline

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the formula has several concepts and gains more than chance gave."""
        several = self.formula is not None and len(self.formula) > 1
        return several and self.gain > (self.chance or 0.0)


@dataclass(frozen=True, slots=True)
class FormulaFigures:
    """What tables say of a unit's best formula; None for a unit that was not asked for.

    Attributes:
        formula: the best formula in words; empty for a unit without any.
        formula_iou: its IoU.
        length: number of its concepts.
        proved: whether no formula of as many concepts as were asked for has a higher IoU.
        ceiling: IoU of the best formula of any length over the labels.
        same_images_iou: IoU of the best single concept over the formula's images.
        gain: by how much its IoU exceeds that of the best single concept, over its own images and over the formula's.
        formula_chance: the largest gain with the labels of other images; None if it was not measured.
        beyond_chance: whether it has several concepts and gains more than that.
    """

    formula: str | None = None
    formula_iou: float | None = None
    length: int | None = None
    proved: bool | None = None
    ceiling: float | None = None
    same_images_iou: float | None = None
    gain: float | None = None
    formula_chance: float | None = None
    beyond_chance: bool | None = None

    @classmethod
    def make(cls, found: UnitFormula | None, names: Sequence[str]) -> Self:
        """Return the figures of a unit.

        Args:
            found: the unit's best formula; None if it was not asked for.
            names: the name of every concept of the vocabulary.
        """
        if found is None:
            return cls()
        words, length = ("", 0) if found.formula is None else (found.formula.describe(names), len(found.formula))
        return cls(
            words,
            found.iou,
            length,
            found.is_proved,
            found.ceiling,
            found.same_images,
            found.gain,
            found.chance,
            found.is_beyond_chance,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FormulaTable(ShortRepr):
    """The best formulas of a layer.

    Attributes:
        units: the best formula of every unit, by channel; None for units that were not asked for.
        length: the most concepts of a formula.
        shifts: number of pairings with the labels of other images, from which `UnitFormula.chance` is measured.
    """

    units: tuple[UnitFormula | None, ...]
    length: int
    shifts: int
