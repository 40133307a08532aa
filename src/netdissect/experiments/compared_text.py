"""Say the counts of a comparison in a table of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.results.found_text import align_columns

if TYPE_CHECKING:
    from netdissect.experiments.compare_runs import Comparison


def describe_comparison(comparison: Comparison) -> list[str]:
    """Return how unique detectors are counted, and a line for every entry, most of them first, with headings.

    The last column has those among as many random units as the narrowest entry has, which has no such number itself: all its units
    are no sample.
    """
    narrowest, matched = comparison.match_widths()
    rows: list[tuple[str, ...]] = [
        ("", "unique", "detectors", "beyond chance", "times chance", f"of {narrowest} units")
    ]
    for entry in sorted(comparison.entries, key=lambda entry: -entry.total):
        among = ""
        if entry.name in matched and entry.units > narrowest:
            mean, spread = matched[entry.name]
            among = f"{mean:.1f} ± {spread:.1f}"
        rows.append((entry.name, *entry.list_counts(), among))
    counted = f"Unique detectors by {comparison.definition}, of all units"
    sampled = f" and of {narrowest:,} random ones" if any(row[-1] for row in rows[1:]) else ""
    return [f"{counted}{sampled}:", *align_columns(rows)]
