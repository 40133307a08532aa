"""Say what class outputs lose without units, in the words of the command line and of model cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.concepts import display_name
from netdissect.results.ablation import LEVEL
from netdissect.results.findings import format_probability
from netdissect.wording import count_noun

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netdissect.results.ablation import ClassCurve, ConceptAblation
    from netdissect.results.layer_result import LayerResult


def describe_concept_ablation(found: ConceptAblation) -> str:
    """Return what the removal of one concept's units changes.

    Example:
        >>> from netdissect.results.ablation import ConceptAblation
        >>> numbers = (-1.9, -2.4, -1.5, -0.2, 0.005, 0.01, -0.1, 0.0)
        >>> describe_concept_ablation(ConceptAblation("car", "object", (1, 2, 3, 4, 5, 6), "car", 1.0, 40, *numbers))
        'remove the 6 units of car: margin of class car −1.9 [−2.4, −1.5]; matched random −0.2 (q 0.010)'
    """
    count = len(found.units)
    units = "the unit" if count == 1 else f"the {count} units"
    margin, low, high, matched = (
        format_change(value, found.margin) for value in (found.margin, found.low, found.high, found.matched)
    )
    return (
        f"remove {units} of {display_name(found.concept)}: margin of class {display_name(found.class_name)} {margin} "
        f"[{low}, {high}]; matched random {matched} (q {format_probability(found.q)})"
    )


def format_change(value: float, scale: float) -> str:
    """Return a change with its sign, with two decimals if what it is shown beside is below 1, else with one.

    >>> format_change(-1.94, -1.94), format_change(0.034, -0.25), format_change(-0.004, 0.3)
    ('−1.9', '+0.03', '0.00')
    """
    decimals = 1 if abs(scale) >= 1 else 2
    text = f"{value:+.{decimals}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def describe_ablation(layer: LayerResult, examples: int = 3) -> list[str]:
    """Return what a layer's class outputs lose without units; nothing if that was not measured.

    Args:
        layer: the layer.
        examples: the most concepts that are named, largest loss first.
    """
    found = layer.ablation
    if found is None:
        return []
    beyond = [row for row in found.concepts if row.is_beyond_matched]
    measured = f"{found.images:,} images, accuracy {found.accuracy:.3f}"
    lines = [f"{layer.name}: no concept has units to remove and a class to measure ({measured})"]
    if found.concepts:
        how = (
            f"loses more margin than without matched ones (q < {LEVEL:g}, up to {found.matched_sets} sets; {measured})"
        )
        lines = [f"{layer.name}: {len(beyond)} of {len(found.concepts)} concepts: without their units the class {how}"]
    lines += [f"{layer.name}: {describe_concept_ablation(row)}" for row in beyond[:examples]]
    lines += [f"{layer.name}: {describe_curves(found.curves)}"] if found.curves else []
    left_out = found.left_out or {}
    lines += [f"{layer.name}: {_describe_left_out(left_out)}"] if left_out else []
    return lines + [f"{layer.name}: {note}" for note in found.notes]


def describe_curves(curves: tuple[ClassCurve, ...]) -> str:
    """Return the mean of the curves of classes.

    Example:
        >>> from netdissect.results.ablation import ClassCurve
        >>> describe_curves((ClassCurve("car", 20, (3, 1), 0.98, {1: 0.9}, {1: 0.97}, 0.6),))
        'balanced accuracy of one class among all 0.980; without its most important unit 0.900 (a random one 0.970); with the 2 most important alone 0.600 (mean of 1 class)'
    """
    shown = [f"balanced accuracy of one class among all {_take_mean([curve.intact for curve in curves]):.3f}"]
    for size in curves[0].removed:
        mean, random = (_take_mean([getattr(curve, name)[size] for curve in curves]) for name in ("removed", "random"))
        units, others = (
            ("most important unit", "a random one") if size == 1 else (f"{size} most important units", "random ones")
        )
        shown.append(f"without its {units} {mean:.3f} ({others} {random:.3f})")
    only, count = _take_mean([curve.only for curve in curves]), len(curves[0].units)
    classes = count_noun(len(curves), "class", "classes")
    return "; ".join([*shown, f"with the {count} most important alone {only:.3f} (mean of {classes})"])


def _take_mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _describe_left_out(left_out: Mapping[str, str]) -> str:
    name, why = next(iter(left_out.items()))
    shown = f"{display_name(name)}: {why}"
    return (
        f"1 concept is left out, {shown}"
        if len(left_out) == 1
        else f"{len(left_out)} concepts are left out, such as {shown}"
    )
