"""Say what a layer's units detect and how far that can be trusted, in the words of the command line, reports and cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.results.detectors import format_deviation, format_times
from netdissect.results.unit_trust import LEVEL

if TYPE_CHECKING:
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.trust_summary import TrustSummary

#: A probe set is small for a layer whose number of unique detectors varies by more than this share of it, or whose detectors
#: are beyond chance in less than this share.
_MOST_SPREAD, _FEWEST_BEYOND = 0.1, 0.5


def describe_findings(layer: LayerResult, threshold: float = 0.04) -> str:
    """Return what a layer's units detect, with the error of the counts, and how much of it is beyond chance."""
    summary = layer.summarize_trust(threshold)
    found, counts = layer.detectors(threshold), layer.count_spread(threshold)
    said = [found.describe(counts)]
    if summary is not None and summary.beyond is not None:
        said.append(f"{summary.beyond} beyond chance (q < {LEVEL:g}, {summary.shifts} shifts)")
        said += [f"{format_times(summary.times)} times chance"] if summary.times is not None else []
    if summary is not None and summary.beyond_reference is not None:
        said.append(f"{summary.beyond_reference} beyond untrained networks ({len(summary.reference_runs)} seeds)")
    return "; ".join(said)


def describe_unconvincing(layer: LayerResult, threshold: float = 0.04) -> str | None:
    """Return how many units have no concept that beats chance; None if there is none, or chance was not measured."""
    summary = layer.summarize_trust(threshold)
    if summary is None or not summary.unconvincing:
        return None
    said = f"{summary.unconvincing} of {layer.layer.units} units: no concept beats chance"
    share = summary.null_share
    return said if share is None else f"{said} (Storey's estimate of the share of such units: {share:.2f})"


def warn_of_small_set(layer: LayerResult, images: int, threshold: float = 0.04) -> str | None:
    """Return a warning that a probe set is small for what a layer's counts claim; None if it is not.

    Args:
        layer: the layer.
        images: number of images of the probe set.
        threshold: score from which a unit counts as a detector.
    """
    summary = layer.summarize_trust(threshold)
    if summary is None or not summary.detectors:
        return None
    reasons = [*_find_spread_reason(layer, summary, threshold), *_find_chance_reason(summary)]
    if not reasons:
        return None
    return f"{layer.name}: {images:,} images are few for these counts: {', and '.join(reasons)}; more images would narrow this"


def _find_spread_reason(layer: LayerResult, summary: TrustSummary, threshold: float) -> list[str]:
    unique, counts = layer.detectors(threshold).unique, summary.counts
    if counts is None or counts.unique_sd <= _MOST_SPREAD * unique:
        return []
    return [f"{unique} unique concepts are uncertain by ± {format_deviation(counts.unique_sd)}"]


def _find_chance_reason(summary: TrustSummary) -> list[str]:
    if summary.beyond is None or summary.beyond >= _FEWEST_BEYOND * summary.detectors:
        return []
    return [f"only {summary.beyond} of {summary.detectors} detectors are beyond chance (q < {LEVEL:g})"]
