"""Look up the names of the sources' labels, and write which label number each of them got."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.probe_sets.broden.tables import write_table
from netdissect.probe_sets.compile.color_names import get_color_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netdissect.probe_sets.compile.build_options import BuildOptions
    from netdissect.probe_sets.compile.statistics import Statistics
    from netdissect.probe_sets.compile.unify import Assignment, NameTable, SourceLabel
    from netdissect.probe_sets.source import Source

_COLUMNS = (
    "dataset", "category", "raw_label", "raw_name", "frequency", "coverage", "broden_label", "broden_name",
)  # fmt: skip


class LabelNames:
    """The names of every label of some sources."""

    def __init__(self, sources: Sequence[Source], options: BuildOptions) -> None:
        self._sources = {source.name: source for source in sources}
        self._options = options
        self._synonyms = options.load_synonym_table()

    def list_raw_names(self, label: SourceLabel) -> list[str]:
        """Return a label's names as its source spells them; ``-`` counts as none."""
        if label.category == "color" and self._options.colors:
            return [get_color_name(label.number)]
        words = self._sources[label.source].list_names(label.category, label.number)
        return [word.strip() for word in words if word.strip() not in ("", "-")]

    def list_names(self, label: SourceLabel) -> list[str]:
        """Return a label's names after the synonym table, the preferred one first."""
        words = self.list_raw_names(label)
        return self._synonyms.choose_names([word.lower() for word in words] if self._options.lower_case else words)


def write_assignments(
    path: Path, words: LabelNames, statistics: Statistics, naming: NameTable, assignment: Assignment
) -> None:
    """Write ``label_assignment.csv``: every label of every source, its frequency and coverage, its number and name."""
    lines = []
    for label in sorted(statistics.frequency):
        number = assignment.numbers.get(naming.name[label], 0)
        frequency, coverage = statistics.frequency[label], f"{statistics.coverage[label]:.6g}"
        name = naming.name[label] if number else "-"
        lines.append([*label, ";".join(words.list_raw_names(label)), frequency, coverage, number, name])
    write_table(path, _COLUMNS, lines)
