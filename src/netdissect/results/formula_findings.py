"""Say what formulas of units were found, in the words of the command line and of model cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.concepts import display_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.results.formulas import UnitFormula
    from netdissect.results.layer_result import LayerResult

#: The most concepts of a formula that is proved best.
_PROVED = 3


def describe_unit_formula(found: UnitFormula, names: Sequence[str]) -> str:
    """Return a unit's formula with its IoU, whether it is the best, and what chance gains; its best concept where chance gains as much.

    Args:
        found: the unit's formula.
        names: the name of every concept of the vocabulary.

    Example:
        >>> from netdissect.results.formulas import Formula, UnitFormula
        >>> formula = Formula((2, 0, 1), ("or", "and not"))
        >>> describe_unit_formula(UnitFormula(formula, 0.21, 0.17, True, 0.3, 0.01), ["sheep", "grass", "cow"])
        '(cow OR sheep) AND NOT grass 0.21 (0.17 with one concept, by chance +0.01), proved best of 3'
        >>> describe_unit_formula(UnitFormula(formula, 0.21, 0.17, True, 0.3, 0.05), ["sheep", "grass", "cow"])
        'no formula gains more than chance: +0.04, by chance +0.05'
    """
    if found.formula is None:
        return "no concept"
    chance = "" if found.chance is None else f", by chance +{found.chance:.2f}"
    words = f"{found.formula.describe([display_name(name) for name in names])} {found.iou:.2f}"
    if len(found.formula) == 1:
        return f"{words}, better than any formula"
    if not found.is_beyond_chance:
        return f"no formula gains more than chance: {found.gain:+.2f}{chance}"
    proof = f"proved best of {_PROVED}" if found.is_proved else "not proved best"
    return f"{words} ({found.baseline:.2f} with one concept{chance}), {proof}"


def describe_formulas(layer: LayerResult, examples: int = 0) -> list[str]:
    """Return how many units of a layer have a formula beyond chance, and those that gain most; nothing without formulas.

    Args:
        layer: the layer.
        examples: the most units that are named.
    """
    if layer.formulas is None:
        return []
    found = {channel: entry for channel, entry in enumerate(layer.formulas.units) if entry is not None}
    beyond = {channel: entry for channel, entry in found.items() if entry.is_beyond_chance}
    measured = any(entry.chance is not None for entry in found.values())
    how = f"gain more than by chance ({layer.formulas.shifts} shifts)" if measured else "gain; chance was not measured"
    lines = [
        f"{layer.name}: formulas of up to {layer.formulas.length} concepts: {len(beyond)} of {len(found)} units {how}"
    ]
    best = sorted(beyond, key=lambda channel: (-beyond[channel].gain, channel))[:examples]
    return lines + [
        f"  unit {channel + 1}: {describe_unit_formula(beyond[channel], layer.vocabulary.names)}" for channel in best
    ]
