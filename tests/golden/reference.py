"""How a result is compared with reference results of the released code."""

from __future__ import annotations

import csv

from netdissect.results import classic


def worst_iou(reference, table, *, near=1e-6):
    """Compare labels, scores and truths of every unit; return the largest difference of an IoU.

    Args:
        reference: folder of the layer's reference results.
        table: the layer's ``-result.csv``.
        near: a unit's label may differ where its score is this near to the reference's.
    """
    with (reference / "result_exact.csv").open(newline="") as file:
        expected = {int(record["unit"]): record for record in csv.DictReader(file)}
    found = classic.read_result_csv(table)
    assert len(found) == len(expected)
    worst = 0.0
    for unit in found:
        record = expected[unit.unit]
        if unit.label != record["label"]:
            assert abs(unit.score - float(record["score"])) < near, f"unit {unit.unit} is no near-tie"
        for best in unit.profile:
            worst = max(worst, abs(best.iou - float(record[f"{best.category}-iou"])))
            if best.label and best.label == record[f"{best.category}-label"]:
                assert best.truth == int(record[f"{best.category}-truth"])
    return worst
