"""What ``run.json`` records about the trust tables of a layer: their sizes, and what follows from them (run.schema.json)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netdissect.bounds import MAX_IMAGES
from netdissect.results.record_values import check_string, check_whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netdissect.results.layer_result import LayerResult
    from netdissect.results.trust_summary import TrustSummary

#: The most shifts or resamples that a run may have.
_MAX_TABLES = 10_000


@dataclass(frozen=True, slots=True)
class TrustFacts:
    """Sizes of the trust tables of a layer, and what they were made of; a part without tables has size 0.

    Attributes:
        shifts: number of shifts S.
        left_out: number of images that no other image can lend labels to.
        within_shifts: number of shifts within scenes.
        category: the category of the scenes.
        within_left_out: number of images that take no part within scenes.
        resamples: number of resamples B.
        folds: number of folds F.
        runs: names of the untrained runs.
    """

    shifts: int = 0
    left_out: int = 0
    within_shifts: int = 0
    category: str = ""
    within_left_out: int = 0
    resamples: int = 0
    folds: int = 0
    runs: tuple[str, ...] = ()


def trust_to_json(layer: LayerResult, threshold: float) -> dict[str, Any]:
    """Return what ``run.json`` records about a layer's trust tables, as plain values; None for what does not exist."""
    trust, summary = layer.trust, layer.summarize_trust(threshold)
    if trust is None or summary is None:
        return {}
    record: dict[str, Any] = {}
    if trust.chance is not None:
        names = ("beyond", "unconvincing", "times", "times_low", "times_high", "cut", "null_share")
        record["chance"] = {"shifts": summary.shifts, "left_out": trust.chance.left_out} | {
            name: getattr(summary, name) for name in names
        }
    if trust.within is not None:
        within = trust.within
        record["within"] = {"shifts": len(within.score), "category": within.category, "left_out": within.left_out}
    if trust.spread is not None:
        record["spread"] = {"resamples": summary.resamples, "folds": summary.folds} | _list_counts(summary)
    if trust.reference is not None:
        record["reference"] = {"runs": list(trust.reference.runs), "beyond": summary.beyond_reference}
    return record


def parse_trust(record: Mapping[str, Any]) -> TrustFacts:
    """Return the sizes that a ``run.json`` records; what follows from the tables is computed again.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: if the values are impossible.
    """
    found: dict[str, Any] = {}
    if "chance" in record:
        chance = record["chance"]
        found |= {
            "shifts": check_whole_number(chance["shifts"], 1, _MAX_TABLES),
            "left_out": check_whole_number(chance["left_out"], 0, MAX_IMAGES),
        }
    if "within" in record:
        within = record["within"]
        found |= {
            "within_shifts": check_whole_number(within["shifts"], 1, _MAX_TABLES),
            "category": check_string(within["category"]),
            "within_left_out": check_whole_number(within["left_out"], 0, MAX_IMAGES),
        }
    if "spread" in record:
        spread = record["spread"]
        found |= {
            "resamples": check_whole_number(spread["resamples"], 2, _MAX_TABLES),
            "folds": check_whole_number(spread["folds"], 2, _MAX_TABLES),
        }
    if "reference" in record:
        found["runs"] = tuple(map(check_string, record["reference"]["runs"]))
        check_whole_number(len(found["runs"]), 1, _MAX_TABLES)
    return TrustFacts(**found)


def _list_counts(summary: TrustSummary) -> dict[str, Any]:
    counts = summary.counts
    names = ("units_sd", "units_low", "units_high", "unique_sd", "unique_low", "unique_high")
    return {} if counts is None else {name: getattr(counts, name) for name in names}
