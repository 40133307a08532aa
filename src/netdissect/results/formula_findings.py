"""Say what formulas of units were found, in the words of the command line and of model cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.concepts import display_name

if TYPE_CHECKING:
    from netdissect.concepts import Vocabulary
    from netdissect.results.formulas import Formula, UnitFormula
    from netdissect.results.layer_result import LayerResult


def describe_unit_formula(layer: LayerResult, channel: int) -> str:
    """Return the formula of a unit, by channel, in words; nothing if none was searched."""
    found = None if layer.formulas is None else layer.formulas.units[channel]
    if layer.formulas is None or found is None:
        return ""
    return _describe_found(found, layer.vocabulary, layer.formulas.length)


def _describe_found(found: UnitFormula, vocabulary: Vocabulary, length: int) -> str:
    """Return a unit's formula with its IoU, whether it is the best, and what chance gains; its best concept where chance gains as much.

    Args:
        found: the unit's formula.
        vocabulary: the concepts.
        length: the most concepts of a formula that was searched.

    Example:
        >>> from netdissect.concepts import Concept, Vocabulary
        >>> from netdissect.results.formulas import Formula, UnitFormula
        >>> concepts = (Concept(1, "sheep", "object"), Concept(2, "field", "scene"), Concept(3, "cow", "object"))
        >>> vocabulary, formula = Vocabulary(("object", "scene"), concepts), Formula((2, 0), ("or",))
        >>> _describe_found(UnitFormula(formula, 0.21, 0.17, True, 0.3, 0.01), vocabulary, 3)
        'cow OR sheep 0.21 (0.17 with one concept, by chance +0.01), proved best of 3'
        >>> formula = Formula((2, 0, 1), ("or", "and not"))
        >>> _describe_found(UnitFormula(formula, 0.21, 0.17, True, 0.3, 0.01), vocabulary, 3)
        '(cow OR sheep) AND NOT field 0.21 on images with object and scene labels (0.17 with one concept, by chance +0.01), proved best of 3'
        >>> _describe_found(UnitFormula(formula, 0.21, 0.17, True, 0.3, 0.05), vocabulary, 3)
        'no formula gains more than chance: +0.04, by chance +0.05'
    """
    if found.formula is None:
        return "no concept"
    chance = "" if found.chance is None else f", by chance +{found.chance:.2f}"
    words = f"{found.formula.describe([display_name(name) for name in vocabulary.names])} {found.iou:.2f}"
    if len(found.formula) == 1:
        return f"{words}, better than any formula"
    if not found.is_beyond_chance:
        return f"no formula gains more than chance: {found.gain:+.2f}{chance}"
    proof = f"proved best of {length}" if found.is_proved else "not proved best"
    return (
        f"{words}{_describe_images(found.formula, vocabulary)} ({found.baseline:.2f} with one concept{chance}), {proof}"
    )


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
    return lines + [f"  unit {channel + 1}: {describe_unit_formula(layer, channel)}" for channel in best]


def _describe_images(formula: Formula, vocabulary: Vocabulary) -> str:
    """Return over which images a formula of several categories is measured; nothing for one of a single category."""
    named = {vocabulary.concepts[column].category for column in formula.columns}
    kinds = [category for category in vocabulary.categories if category in named]
    return "" if len(kinds) == 1 else f" on images with {', '.join(kinds[:-1])} and {kinds[-1]} labels"
