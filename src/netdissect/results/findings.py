"""Say what a layer's units detect and how far that can be trusted, in the words of the command line, reports and cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.concepts import display_name
from netdissect.results.detectors import format_count, format_deviation, format_times
from netdissect.results.unit_trust import LEVEL
from netdissect.wording import count_noun

if TYPE_CHECKING:
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result
    from netdissect.results.trust import UnitTrust
    from netdissect.results.trust_summary import TrustSummary

#: A probe set is small for a layer whose number of unique detectors varies by more than this share of it, or whose detectors
#: are beyond chance in less than this share.
_MOST_SPREAD, _FEWEST_BEYOND = 0.1, 0.5


def warn_of_small_sets(result: Result) -> list[str]:
    """Return a warning for each layer for whose counts the run's probe set is small, at the run's threshold."""
    images, threshold = result.probe_set.images, result.settings.threshold
    warnings = [warn_of_small_set(layer, images, threshold) for layer in result.layers.values()]
    return [f"warning: {warning}" for warning in warnings if warning is not None]


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


def list_counts(layer: LayerResult, threshold: float = 0.04) -> tuple[str, str, str]:
    """Return the numbers of detectors, of unique ones by label and of unique ones by category, each with its error."""
    by_label, by_category = layer.detectors(threshold), layer.detectors(threshold, "category")
    spread, other = layer.count_spread(threshold), layer.count_spread(threshold, "category")
    if spread is None or other is None:
        return format_count(by_label.units), format_count(by_label.unique), format_count(by_category.unique)
    return (
        format_count(by_label.units, spread.units_sd),
        format_count(by_label.unique, spread.unique_sd),
        format_count(by_category.unique, other.unique_sd),
    )


def list_chance(layer: LayerResult, threshold: float = 0.04) -> tuple[str, str]:
    """Return the number of detectors beyond chance, and times chance; empty where chance was not measured."""
    summary = layer.summarize_trust(threshold)
    if summary is None or summary.beyond is None:
        return "", ""
    return str(summary.beyond), "" if summary.times is None else format_times(summary.times)


def describe_unit_trust(unit: UnitTrust | None) -> str:
    """Return how far a unit's label can be trusted, as text; empty where nothing was measured."""
    if unit is None:
        return ""
    said = []
    if unit.low is not None and unit.high is not None:
        said.append(f"95 % interval {unit.low:.3f} to {unit.high:.3f}")
    if unit.chance is not None:
        said.append(f"chance {unit.chance:.3f}")
    if unit.q is not None:
        said.append(f"q {format_probability(unit.q)}" + ("" if unit.q < LEVEL else ", no better than chance"))
    if unit.keep is not None:
        said.append(f"{unit.keep:.0%} of resamples keep the label ({', '.join(map(display_name, unit.labels))})")
    return "; ".join(said)


def format_probability(value: float | None) -> str:
    """Return a p or q as text; empty for None.

    >>> [format_probability(value) for value in (0.00002, 0.0031, 0.46, 1.0, None)]
    ['< 0.001', '0.003', '0.46', '1', '']
    """
    if value is None:
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.0995 else f"{value:.2g}"


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
    concepts = count_noun(unique, "unique concept is", "unique concepts are")
    return [f"{concepts} uncertain by ± {format_deviation(counts.unique_sd)}"]


def _find_chance_reason(summary: TrustSummary) -> list[str]:
    if summary.beyond is None or summary.beyond >= _FEWEST_BEYOND * summary.detectors:
        return []
    few = (
        f"only {summary.beyond} of {summary.detectors} detectors {'is' if summary.beyond == 1 else 'are'}"
        if summary.beyond
        else "no detector is"
    )
    return [f"{few} beyond chance (q < {LEVEL:g})"]
