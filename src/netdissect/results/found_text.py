"""Say in lines of text which units see a concept, and which concepts no unit sees."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from netdissect.concepts import display_name
from netdissect.results.ablation_findings import describe_concept_ablation
from netdissect.results.findings import format_probability
from netdissect.results.unit_trust import LEVEL
from netdissect.results.unseen import REASONS
from netdissect.wording import count_noun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.results.found_concepts import ConceptUnit, FoundConcept, FoundConcepts

#: Images of a unit that a line shows, at most.
_MOST_IMAGES = 3


def describe_concepts(found: FoundConcepts, most: int | None) -> list[str]:
    """Return which units see each concept, as lines; of all concepts of a probe set, one line for each.

    Args:
        found: the concepts.
        most: the most lines of one list; None for all.
    """
    lines = list(found.remarks)
    if found.is_everything:
        return lines + _summarize(found, most)
    for concept in found:
        lines += _describe_units(concept, found, most)
    return lines


def _describe_units(concept: FoundConcept, found: FoundConcepts, most: int | None) -> list[str]:
    """Return a concept's heading, its units in a table, and why no unit detects it."""
    lines = [
        f"{display_name(concept.name)} ({concept.category}; {concept.pixels:,} labeled pixels{_count_images(concept)}): "
        + count_noun(concept.detectors, "unit detects it", "units detect it")
    ]
    lines += [f"  why: {concept.why}"] if concept.why is not None else []
    lines += [f"  {layer}: {describe_concept_ablation(item)}" for layer, item in concept.ablations.items()]
    cut = ", and more than the unit reaches by chance in 5 % of shifts" if _is_tested(found) else ""
    for relation, heading in (
        ("label", "units with this label:"),
        ("high", f"units with another label and {found.score_title} ≥ {found.threshold:g}{cut}:"),
        ("formula", "units with another label whose formula names it:"),
        ("near", "the nearest units:"),
    ):
        units = [unit for unit in concept.units if unit.relation == relation]
        lines += [f"  {heading}", *_list_units(units, found.score_title, most)] if units else []
    return lines


def _count_images(concept: FoundConcept) -> str:
    return "" if concept.images is None else f", {count_noun(concept.images, 'image')}"


def _is_tested(found: FoundConcepts) -> bool:
    """Return whether chance was measured, as far as the units that were found show."""
    return any(unit.cut is not None for concept in found for unit in concept.units)


def _list_units(units: Sequence[ConceptUnit], title: str, most: int | None) -> list[str]:
    if not units:
        return []
    heads = (
        "layer",
        "unit",
        "channel",
        title,
        "95 % interval",
        "q",
        "keep",
        "precision",
        "recall",
        "label",
        "formula",
        "best images (row, name)",
    )
    shown = [heads, *map(_list_cells, units[:most])]
    return [f"    {line}" for line in align_columns(shown)] + _describe_rest(len(units), most, "units")


def _list_cells(unit: ConceptUnit) -> tuple[str, ...]:
    trust = unit.trust
    low, high, keep = (None, None, None) if trust is None else (trust.low, trust.high, trust.keep)
    images = list(zip(unit.images, unit.image_names, strict=True))[:_MOST_IMAGES]
    return (
        unit.layer, str(unit.unit), str(unit.channel), f"{unit.score:.3f}",
        "" if low is None or high is None else f"{low:.3f} to {high:.3f}",
        "" if trust is None else format_probability(trust.q), "" if keep is None else f"{keep:.0%}",
        f"{unit.precision:.3f}", f"{unit.recall:.3f}",
        "" if unit.relation == "label" else f"{display_name(unit.label)} {unit.label_score:.3f}",
        unit.formula or "",
        ", ".join(f"{row} {name}" for row, name in images),
    )  # fmt: skip


def _summarize(found: FoundConcepts, most: int | None) -> list[str]:
    """Return how many concepts are detected, one line for each, and the others by why no unit detects them."""
    seen = [concept for concept in found if concept.reason is None]
    units = sum(concept.detectors for concept in seen)
    tested = f", q < {LEVEL:g}" if _is_tested(found) else ""
    lines = [
        f"{len(seen)} of {len(found)} concepts {'is' if len(seen) == 1 else 'are'} detected, by {count_noun(units, 'unit')} ({found.score_title} ≥ {found.threshold:g}{tested})"
    ]
    heads = ("concept", "category", "units", "of layers", "best unit", found.score_title, "95 % interval", "q")
    if seen:
        lines += [
            f"  {line}"
            for line in align_columns([heads, *(_list_summary(concept, found.layers) for concept in seen[:most])])
        ]
        lines += _describe_rest(len(seen), most, "concepts")
    for reason, group in groupby((concept for concept in found if concept.reason is not None), lambda c: c.reason):
        members = list(group)
        lines.append(f"{len(members)} not detected: {REASONS[reason or '']}")
        lines += [
            f"  {display_name(item.name)} ({item.category}{_count_images(item)}): {item.why}" for item in members[:most]
        ]
        lines += _describe_rest(len(members), most, "concepts")
    return lines


def _list_summary(concept: FoundConcept, layers: Sequence[str]) -> tuple[str, ...]:
    detecting = [unit for unit in concept.units if unit.detects]
    counts, best = Counter(unit.layer for unit in detecting), detecting[0]
    cells = _list_cells(best)
    where = ", ".join(f"{layer} {counts[layer]}" for layer in layers if counts[layer])
    return (
        display_name(concept.name), concept.category, str(len(detecting)), where, f"{best.layer} {best.unit}", *cells[3:6]
    )  # fmt: skip


def _describe_rest(number: int, most: int | None, what: str) -> list[str]:
    return [] if most is None or number <= most else [f"  … {number - most:,} more {what} (--all)"]


def align_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines with aligned columns, numbers to the right; columns without any cell are left out.

    Args:
        rows: the rows, the first of which has the headings.

    >>> align_columns([("unit", "q", "label"), ("7", "", "sky"), ("12", "", "tree")])
    ['unit  label', '   7  sky', '  12  tree']
    """
    kept = [at for at in range(len(rows[0])) if any(row[at] for row in rows[1:])]
    widths = {at: max(len(row[at]) for row in rows) for at in kept}
    numeric = {at for at in kept if all(row[at][:1].isdigit() or row[at][:1] in ("", "<") for row in rows[1:])}
    last = kept[-1] if kept else -1
    return [
        "  ".join(
            row[at].rjust(widths[at]) if at in numeric and at != last else row[at].ljust(widths[at]) for at in kept
        ).rstrip()
        for row in rows
    ]
