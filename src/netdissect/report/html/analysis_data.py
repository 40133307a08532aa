"""Collect what the page shows of formulas and ablations: for the search of all units, for a unit's page and for a layer's.

Numbers that do not exist are NaN in arrays; JSON has null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.concepts import display_name
from netdissect.report.html.script_data import pack_arrays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.results.ablation import ClassCurve, LayerAblation
    from netdissect.results.formulas import Operator, UnitFormula
    from netdissect.results.layer_result import LayerResult

#: Codes of operators in the page.
_OPERATORS: tuple[Operator, ...] = ("or", "and", "and not")


def describe_formula_table(layer: LayerResult) -> dict[str, int] | None:
    """Return what the page says of all formulas of a layer; None if none were searched."""
    table = layer.formulas
    if table is None:
        return None
    asked = [unit for unit in table.units if unit is not None]
    return {
        "length": table.length,
        "shifts": table.shifts,
        "asked": len(asked),
        "beyond": sum(unit.is_beyond_chance for unit in asked),
    }


def collect_formula_arrays(layer: LayerResult) -> dict[str, NDArray[Any]]:
    """Return the formulas that are beyond chance, which the page searches and cards show; empty if none were searched.

    Args:
        layer: a layer with U units.

    Returns:
        `formulaColumns`, int32, shape (U, L), -1 where a formula has fewer than L concepts; `formulaOperators`, uint8,
        shape (U, L - 1), positions in OR, AND, AND NOT.
    """
    if layer.formulas is None:
        return {}
    units = layer.formulas.units
    shown = [unit.formula if unit is not None and unit.is_beyond_chance else None for unit in units]
    length = max((len(formula) for formula in shown if formula is not None), default=1)
    columns = np.full((len(units), length), -1, np.int32)
    operators = np.zeros((len(units), length - 1), np.uint8)
    for channel, formula in enumerate(shown):
        if formula is not None:
            columns[channel, : len(formula)] = formula.columns
            operators[channel, : len(formula) - 1] = [_OPERATORS.index(name) for name in formula.operators]
    return {"formulaColumns": columns, "formulaOperators": operators}


def pack_unit_formulas(key: str, units: Sequence[UnitFormula | None]) -> str:
    """Return the file of what the pages of a layer's units show of their formulas: arrays of shape (U,).

    `single` is the IoU of the best single concept, and `baseline` that with which the formula is compared; `concepts` is the
    number of concepts of the best formula, 0 for a unit without a label. The other arrays are NaN for units that were not
    asked for.
    """
    arrays: dict[str, NDArray[Any]] = {
        name: np.array([np.nan if unit is None else _read_figure(unit, name) for unit in units], np.float32)
        for name in ("iou", "single", "baseline", "ceiling", "chance")
    }
    lengths = [0 if unit is None or unit.formula is None else len(unit.formula) for unit in units]
    arrays["concepts"] = np.array(lengths, np.uint8)
    arrays["proved"] = np.array([unit is not None and unit.is_proved for unit in units], np.uint8)
    return pack_arrays(key, None, arrays)


def pack_ablation(key: str, layer: LayerResult, ablation: LayerAblation) -> str:
    """Return the file of a layer's ablations: facts of every concept, and arrays of the curves of K classes.

    The arrays are `units`, shape (K, n), the most important units, numbered from 1, 0 where there are fewer; `removed` and
    `random`, shape (K, s), balanced accuracies without as many units as `steps` says, NaN where they were not measured;
    `intact` and `only`, shape (K,).
    """
    column_of = {concept.name: column for column, concept in enumerate(layer.vocabulary.concepts)}
    left_out = (ablation.left_out or {}).items()
    steps = sorted({step for curve in ablation.curves for step in (*curve.removed, *curve.random)})
    facts = {
        "replacement": ablation.replacement,
        "images": ablation.images,
        "classes": ablation.classes,
        "accuracy": ablation.accuracy,
        "matchedSets": ablation.matched_sets,
        "notes": list(ablation.notes),
        "leftOut": [[column_of[name], why] for name, why in left_out if name in column_of],
        "concepts": [
            {
                "concept": column_of[found.concept], "units": list(found.units), "className": display_name(found.class_name),
                "share": found.share, "images": found.images, "margin": found.margin, "low": found.low, "high": found.high,
                "matched": found.matched, "p": found.p, "q": found.q, "accuracy": found.accuracy,
                "matchedAccuracy": found.matched_accuracy, "matchedLow": found.matched_low, "matchedHigh": found.matched_high,
            }
            for found in ablation.concepts
            if found.concept in column_of
        ],
        "curves": [[display_name(curve.class_name), curve.images] for curve in ablation.curves],
        "steps": steps,
    }  # fmt: skip
    return pack_arrays(key, facts, _collect_curves(ablation.curves, steps))


def _collect_curves(curves: Sequence[ClassCurve], steps: Sequence[int]) -> dict[str, NDArray[Any]]:
    most = max((len(curve.units) for curve in curves), default=0)
    units = np.zeros((len(curves), most), np.uint32)
    for place, curve in enumerate(curves):
        units[place, : len(curve.units)] = curve.units
    shape = (len(curves), len(steps))
    of_steps = {
        name: np.array([[getattr(curve, name).get(step, np.nan) for step in steps] for curve in curves], np.float32)
        for name in ("removed", "random")
    }
    return {
        "units": units,
        **{name: array.reshape(shape) for name, array in of_steps.items()},
        **{name: np.array([getattr(curve, name) for curve in curves], np.float32) for name in ("intact", "only")},
    }


def _read_figure(unit: UnitFormula, name: str) -> float:
    """Return a figure of a unit's formula; NaN for None."""
    value: float | None = getattr(unit, name)
    return np.nan if value is None else value
