"""Agreement of the exact search with compositional_explanations, which searches over all pixels and without categories."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks import machine
from netdissect.stats.formula_search import find_best_formula
from netdissect.stats.signatures import Signatures, prepare_signatures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from benchmarks.mask_pixels import LabelPixels, UnitPixels

_PACKAGE = "compositional_explanations"
_IMAGES, _CONCEPTS, _UNITS, _BEAM = 100, 20, 24, 5


def compare_with_package(labels: LabelPixels, units: Sequence[UnitPixels]) -> None:
    """Print in how many of 24 units both searches find the same IoU, on the first images and the most frequent concepts."""
    if importlib.util.find_spec(_PACKAGE) is None or importlib.util.find_spec("scipy") is None:
        print(f"{_PACKAGE} is not installed: not compared\n", flush=True)
        return
    case = _Case(labels)
    chosen = [unit for unit in units if np.count_nonzero(unit.image < _IMAGES) > 500]
    chosen = chosen[:: max(1, len(chosen) // _UNITS)][:_UNITS]
    rows, seconds = [], np.zeros(2)
    for number, unit in enumerate(chosen, 1):
        start = time.process_time()
        ours = find_best_formula(case.prepared, *case.count(unit))
        middle = time.process_time()
        exact, beam, again = case.search(unit, ours)
        seconds += middle - start, time.process_time() - middle
        rows.append([number, ours.iou, *(found for _, found in (again, exact, beam)), again[0], exact[0]])
        print(f"… {rows[-1]}", flush=True)
    head = ["unit", "exact", "the same by its measure", "its optimal search", f"its beam of {_BEAM}", "exact formula", "its formula"]  # fmt: skip
    machine.print_table(head, [[f"{cell:.6f}" if isinstance(cell, float) else cell for cell in row] for row in rows])
    measured, same, higher = (sum(test(row) for row in rows) for test in (_is_measured_alike, _is_equal, _is_higher))
    missed = sum(row[4] < row[1] for row in rows)
    print(
        f"the exact formula has the same IoU by its measure in {measured} of {len(rows)}; its optimal search finds the same in "
        f"{same}, a lower one in {higher}; its beam misses the best in {missed}; {seconds[0]:.1f} and {seconds[1]:.0f} s\n"
    )
    machine.record_figure(f"formulas as good as those of {_PACKAGE}", f"{same + higher} of {len(rows)}", f"{len(rows)}")


def _is_measured_alike(row: Sequence[Any]) -> bool:
    return bool(row[1] == row[2])


def _is_equal(row: Sequence[Any]) -> bool:
    return bool(row[1] == row[3])


def _is_higher(row: Sequence[Any]) -> bool:
    return bool(row[1] > row[3])


def _translate(best: Any) -> Any:
    """Return a formula as the package's own."""
    from compositional_explanations import formula

    result = formula.Leaf(best.columns[0])
    for column, operator in zip(best.columns[1:], best.operators, strict=True):
        leaf = formula.Leaf(column)
        other = formula.Not(leaf) if operator == "and not" else leaf
        result = formula.Or(result, other) if operator == "or" else formula.And(result, other)
    return result


class _Case:
    """The labels of the first images, with the concepts that have most pixels.

    Attributes:
        concepts: their columns.
        prepared: their signatures, all of one category that all images have.
    """

    def __init__(self, labels: LabelPixels) -> None:
        own = labels.signatures
        rows = np.repeat(np.arange(own.pixels.size), np.diff(own.start))
        pixels = np.bincount(labels.of_pixel[:_IMAGES].reshape(-1), minlength=own.pixels.size)
        area = np.bincount(own.columns, pixels[rows], minlength=own.primary.size)
        self.concepts = np.sort(np.argsort(-area, kind="stable")[:_CONCEPTS])
        has = np.zeros((own.pixels.size, own.primary.size), bool)
        has[rows, own.columns] = True
        self._of_pixel = labels.of_pixel[:_IMAGES]
        self._masks = [torch.from_numpy(has[:, column][self._of_pixel]) for column in self.concepts]
        kept = has[:, self.concepts]
        both = (kept * pixels[:, None]).T @ kept
        self._disjoint = torch.from_numpy((both == 0) | np.eye(_CONCEPTS, dtype=bool))
        size = kept.sum(axis=1)
        signatures = Signatures(
            np.concatenate([[0], np.cumsum(size)]), np.nonzero(kept)[1], np.ones(own.pixels.size, np.int64), pixels,
            np.zeros(_CONCEPTS, np.int64),
        )  # fmt: skip
        self.prepared = prepare_signatures(signatures)

    def count(self, unit: UnitPixels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the signatures that the unit's masks meet, and how often."""
        inside = unit.image < _IMAGES
        count = np.bincount(self._of_pixel[unit.image[inside], unit.pixel[inside]])
        return np.flatnonzero(count), count[count > 0]

    def search(self, unit: UnitPixels, ours: Any) -> list[tuple[str, float]]:
        """Return the formulas of the package's exact search and of its beam, and another, with their IoU by its measure."""
        from compositional_explanations import beam, metrics, optimal

        inside = unit.image < _IMAGES
        bitmap = torch.zeros(self._of_pixel.shape, dtype=torch.bool)
        bitmap[unit.image[inside], unit.pixel[inside]] = True
        shared: dict[str, Any] = {
            "bitmaps": bitmap, "masks": self._masks, "disjoint_info": self._disjoint, "length": 3,
            "device": torch.device("cpu"), "cache_dir": None,
        }  # fmt: skip
        with contextlib.redirect_stdout(io.StringIO()):  # it prints every step
            formulas = [
                optimal.compute_optimal_explanations(**shared), beam.compute_beam_explanations(**shared, beam_size=_BEAM),
                _translate(ours),
            ]  # fmt: skip
            return [
                (str(formula), metrics.compute_iou_from_masks(formula=formula, masks=self._masks, bitmaps=bitmap))
                for formula in formulas
            ]
