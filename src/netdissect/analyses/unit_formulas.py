"""Count masks by label signature, and search every unit's best formula on all cores."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from netdissect.analyses.signature_counts import SearchTables, require_run_counts
from netdissect.engine.comparison_plan import plan_lent_labels
from netdissect.engine.signature_tally import SignatureTally, SignatureTask
from netdissect.engine.tally_tasks import TallyTask
from netdissect.results.formulas import Formula, UnitFormula
from netdissect.run.memory_budget import find_memory_budget
from netdissect.stats.formula_search import find_best_formula
from netdissect.stats.partitions import compute_ceiling

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.analyses.signature_counts import SignatureImages
    from netdissect.engine.comparisons import Comparisons
    from netdissect.engine.signature_tally import SparseCounts
    from netdissect.protocols import ConceptSource, Progress
    from netdissect.results.run_result import Result
    from netdissect.run.finished_scans import FinishedScans

#: Bytes of a unit's counts with one label map, about: 4,096 signatures, four numbers each.
_UNIT_BYTES = 2**17
#: Units for every thread between two steps of the progress bar.
_UNITS_AT_ONCE = 4


def explain_units(
    run: Result,
    scans: FinishedScans,
    concepts: ConceptSource,
    channels: Mapping[str, NDArray[np.int64]],
    length: int,
    shifts: int,
    progress: Progress,
) -> dict[str, dict[int, UnitFormula]]:
    """Return the best formulas of units, by layer name and channel.

    Args:
        run: the run.
        scans: its scans.
        concepts: its probe set.
        channels: the units, rising, by layer name.
        length: the most concepts of a formula.
        shifts: number of shifts.
        progress: shows how many images are counted, and how many units are searched.

    Raises:
        RunError: if the masks or labels are not those of the run.
    """
    comparisons = plan_lent_labels(concepts, scans.plan, scans.receipts, run.settings, shifts)
    found: dict[str, dict[int, UnitFormula]] = {name: {} for name in channels}
    room = max(1, find_memory_budget(run.settings) // 4 // (_UNIT_BYTES * comparisons.count))
    for block in _divide_units(channels, room):
        progress.start("signatures", sum(shard.images.size for shard in scans.plan.shards))
        tally = _count(run, scans, concepts, comparisons, block)
        require_run_counts(tally, run.layers, block)
        lent = comparisons.chance
        row = 0 if lent is None or lent.label_row is None else lent.label_row
        tables = SearchTables.make(tally, concepts.vocabulary, row)
        progress.start("formulas", sum(units.size for units in block.values()))
        for name, units in block.items():
            lender_tables = () if lent is None else range(lent.shifts.start, lent.shifts.stop)
            search = _UnitSearch(tables, tally.masks[name], lender_tables, length)
            answers = _map_units(search, units.size, run.settings.threads or os.cpu_count() or 1, progress)
            found[name] |= dict(zip(units.tolist(), answers, strict=True))
    return found


@dataclass(frozen=True, eq=False)
class _UnitSearch:
    """Searches the best formula of a unit by its row of the tally.

    Attributes:
        tables: what the searches of all units share.
        counts: the counts of the layer.
        lent: tables with labels of other images.
        length: the most concepts of a formula.
    """

    tables: SearchTables
    counts: SparseCounts
    lent: Sequence[int]
    length: int

    def __call__(self, row: int) -> UnitFormula:
        own = self.tables.select(self.counts, 0, row)
        found = self._search(self.tables.own, *own, compute_ceiling(self.tables.partitions, *own))
        lent = (self.tables.select(self.counts, table, row) for table in self.lent)
        gains = [self._search(self.tables.lent, *counts, 1.0).gain for counts in lent]
        return replace(found, chance=max(0.0, *gains) if gains else None)

    def _search(
        self, images: SignatureImages, signature: NDArray[np.int64], count: NDArray[np.int64], ceiling: float
    ) -> UnitFormula:
        best = find_best_formula(images.prepared, signature, count, self.length)
        formula = Formula(best.columns, best.operators) if best.columns else None
        there = images.find_best_single(best.columns, signature, count)
        return UnitFormula(formula, best.iou, best.single, best.is_proved, ceiling, None, there)


def _map_units(search: _UnitSearch, units: int, threads: int, progress: Progress) -> Iterator[UnitFormula]:
    """Yield the answers of all rows in their order, searched by several threads."""
    step = threads * _UNITS_AT_ONCE
    with ThreadPoolExecutor(threads, thread_name_prefix="formulas") as pool:
        for first in range(0, units, step):
            rows = range(first, min(units, first + step))
            yield from pool.map(search, rows)
            progress.advance(len(rows))


def _count(
    run: Result,
    scans: FinishedScans,
    concepts: ConceptSource,
    comparisons: Comparisons,
    block: Mapping[str, NDArray[np.int64]],
) -> SignatureTally:
    """Count the masks of units by signature, on all workers."""
    thresholds = {name: run.layers[name].thresholds for name in block}
    rows = {name: _number_rows(run.layers[name].layer.units, channels) for name, channels in block.items()}
    pixels = sum(int(np.prod(concepts.label_size(image))) for image in range(len(concepts)))
    rescanned = {name: units for name, units in scans.rescanned.items() if name in block}
    masks = TallyTask(thresholds, rescanned, comparisons, rows, pixels, keep_labels=False)
    task = SignatureTask(masks, find_memory_budget(run.settings) // 4)
    shards = scans.plan.shards
    pieces = [shards[part :: scans.parts] for part in range(min(scans.parts, len(shards)))]
    total: SignatureTally = reduce(SignatureTally.merge, scans.runtime.map(task, pieces))
    return total


def _number_rows(units: int, channels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the row of every unit in the tally, -1 for units that are not counted, shape (U,)."""
    rows = np.full(units, -1, np.int64)
    rows[channels] = np.arange(channels.size)
    return rows


def _divide_units(channels: Mapping[str, NDArray[np.int64]], room: int) -> Iterator[dict[str, NDArray[np.int64]]]:
    """Yield blocks of at most `room` units, by layer name."""
    block: dict[str, NDArray[np.int64]] = {}
    left = room
    for name, units in channels.items():
        rest = units
        while rest.size:
            block[name], rest = rest[:left], rest[left:]
            left -= block[name].size
            if not left:
                yield block
                block, left = {}, room
    if block:
        yield block
