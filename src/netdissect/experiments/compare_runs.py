"""Comparing runs: unique detectors across networks, layers and checkpoints (paper, § 3.3 to 3.5; METHOD, § 5 and 6).

Runs, the released code's tables and the paper's .mat may be mixed. Every figure says which definition of unique
detectors it shows, and its numbers lie beside it as CSV.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netdissect import api
from netdissect.bounds import require_between, require_number
from netdissect.concepts import sort_categories
from netdissect.errors import SettingsError
from netdissect.experiments import published
from netdissect.experiments.run_paths import expand_sources
from netdissect.io.names import find_name_problem
from netdissect.io.text import escape_line
from netdissect.report import figures
from netdissect.report.figures.style import write_numbers
from netdissect.results import classic, files
from netdissect.results.compared import DetectorCounts, count_for_comparison, describe_run, find_detections
from netdissect.stats.equal_width import count_unique_at_width

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from netdissect.config import Definition

#: Points of a curve over widths.
_POINTS = 40
#: What a figure is written as.
_ENDINGS = (".svg", ".png", ".csv")


@dataclass(frozen=True, eq=False)
class Comparison:
    """What is compared, and how it was counted.

    Attributes:
        entries: the networks' layers, in the order given.
        definition: of unique detectors, the same for all.
        threshold: IoU that was asked for.
        remarks: what a reader must know, as sentences.
        sources: the files and folders it was read from.
    """

    entries: Sequence[DetectorCounts]
    definition: Definition
    threshold: float
    remarks: tuple[str, ...] = ()
    sources: tuple[Path, ...] = ()

    @property
    def entries_with_units(self) -> list[DetectorCounts]:
        """Those whose units are known, not only their counts."""
        return [entry for entry in self.entries if entry.table is not None and entry.units]


def compare(
    sources: Iterable[str | Path],
    *,
    definition: Definition | None = None,
    threshold: float = 0.04,
    layers: Sequence[str] = (),
    steps: Sequence[float] = (),
) -> Comparison:
    """Read everything that is to be compared.

    Args:
        sources: run folders, folders of runs, ``*-result.csv`` tables, the paper's .mat; each may be written
            ``NAME=PATH``.
        definition: of unique detectors; None takes the only one a .mat has where one is given, else ``"label"``.
        threshold: IoU from which a unit counts as a detector.
        layers: only these layers of runs; none takes all.
        steps: training step of every source, for the training curve; none looks for them in the names.

    Raises:
        SettingsError: if nothing is left to compare, or a .mat cannot be counted as asked.
        RunError: one of its leaves, if a source cannot be read.
    """
    require_between("threshold", threshold, "lie between 0 and 1, an IoU", 0, 1)
    steps = [require_number("steps", step, "be numbers, a training step for each source") for step in steps]
    pairs, left_out = expand_sources(sources)
    if not pairs:
        raise SettingsError("nothing to compare: name run folders, result tables (*-result.csv) or the paper's .mat")
    tables = any(path.suffix == ".mat" for _, path in pairs)
    chosen: Definition = definition or ("category" if tables else "label")
    if tables and (chosen != "category" or threshold != 0.04):
        raise SettingsError(
            "a .mat holds counts by category at IoU 0.04 only, not single units: compare it with --definition category "
            "and without --threshold"
        )
    if steps and len(steps) != len(pairs):
        raise SettingsError(
            f"--steps must give one training step for each of the {len(pairs)} sources, not {len(steps)}"
        )
    entries: list[DetectorCounts] = []
    for position, (name, path) in enumerate(pairs):
        step = steps[position] if steps else _find_step(name or path.name)
        found = _read_source(name, path, threshold, chosen, layers)
        entries += [replace(entry, step=step) for entry in found]
    if not entries:
        raise SettingsError(f"none of the runs has a layer named {' or '.join(layers)}")
    remarks = [*left_out, "Counts by category need IoU > the cut, counts by label IoU ≥ the cut."]
    bases = list(dict.fromkeys(entry.basis for entry in entries if entry.basis))
    if len(bases) > 1:
        remarks.append(f"These runs are not alike: {'; '.join(bases)}. Part of any difference comes from that.")
    if any(entry.table is None for entry in entries):
        remarks.append("Of the .mat only counts are known: its networks are left out where single units are needed.")
    return Comparison(_make_names_unique(entries), chosen, threshold, tuple(remarks), tuple(path for _, path in pairs))


def match_widths(comparison: Comparison) -> tuple[int, dict[str, tuple[float, float]]]:
    """Return the smallest width, and every network's expected unique detectors among so many random units.

    Returns:
        the width; by name, mean and standard deviation over all ways to draw that many units, exact.
    """
    entries = comparison.entries_with_units
    width = min((entry.units for entry in entries), default=0)
    return width, {entry.name: _sample_widths(entry, comparison, [width])[0][1:] for entry in entries}


def write_comparison(comparison: Comparison, out: Path, *, only: Sequence[str] = ()) -> list[Path]:
    """Write every figure that applies: SVG, PNG, and CSV of the numbers.

    Args:
        comparison: what to show.
        out: name of the main figure; the others add a word to it.
        only: kinds of figures to write: networks, width, concepts, iou, curve; none writes all that apply.

    Returns:
        the figures, as SVG.
    """
    kinds = {
        "networks": _write_network_bars,
        "width": _write_width_curve,
        "concepts": _write_concept_histogram,
        "iou": _write_iou_distribution,
        "curve": _write_training_curve,
    }
    unknown = next((kind for kind in only if kind not in kinds), None)
    if unknown is not None:
        raise SettingsError(f"--figures must be of {', '.join(kinds)}, not {unknown!r}")
    paths = {kind: name_output_file(out, ".svg", "" if kind == "networks" else f"-{kind}") for kind in only or kinds}
    _require_no_overwrite(comparison.sources, [path.with_suffix(end) for path in paths.values() for end in _ENDINGS])
    written = []
    for kind, path in paths.items():
        if kinds[kind](comparison, path):
            written.append(path)
    return written


def name_output_file(out: Path, ending: str, word: str = "") -> Path:
    """Return the path of a file that is named after the main figure.

    Raises:
        SettingsError: if that has no name that a file can have.
    """
    name = out.name.removesuffix(next((end for end in (*_ENDINGS, ".html") if out.name.endswith(end)), ""))
    problem = find_name_problem(name)
    if problem is not None or out.is_dir():
        why = f"{problem or 'a folder lies there'}"
        raise SettingsError(
            f"--out names the main figure, such as comparison.svg, not {escape_line(str(out))!r}: {why}"
        )
    return out.with_name(f"{name}{word}{ending}")


def _require_no_overwrite(sources: Iterable[Path], outputs: Iterable[Path]) -> None:
    """Refuse to write over what is compared."""
    there = [path for path in outputs if path.exists()]
    taken = next((path for path in there for source in sources if source.exists() and path.samefile(source)), None)
    if taken is not None:
        raise SettingsError(f"--out would replace {taken}, which is compared: choose another name")


def _read_source(
    name: str, path: Path, threshold: float, definition: Definition, layers: Sequence[str]
) -> list[DetectorCounts]:
    if path.suffix == ".mat":
        return published.read_published_table(path)
    if path.suffix == ".csv":
        stem = path.name.removesuffix("-result.csv").removesuffix(".csv")
        table = classic.read_result_csv(path)
        files.require_unchanged(path)
        return [count_for_comparison(name or stem, name or stem, "", table, threshold, definition)]
    run = api.load(path)
    title = name or run.network.name
    return [
        replace(
            count_for_comparison(title, title, layer.name, layer.units, threshold, definition), basis=describe_run(run)
        )
        for layer in run.layers.values()
        if not layers or layer.name in layers
    ]


def _find_step(name: str) -> float | None:
    """Return the training step a checkpoint's name tells, such as 20 of ``epoch_20`` or 50000 of ``iter-50000``.

    >>> _step_in("resnet_epoch_20"), _step_in("step5000.pt"), _step_in("resnet18")
    (20.0, 5000.0, None)
    """
    found = re.search(r"(?:epoch|iter|iteration|step|checkpoint|ckpt)s?[-_. ]?(\d+)", name, re.IGNORECASE)
    return float(found.group(1)) if found else None


def _make_names_unique(entries: Sequence[DetectorCounts]) -> list[DetectorCounts]:
    """Give entries names of their own: the layer is added where a network stands twice, then a number."""
    networks = Counter(entry.network for entry in entries)
    named = [
        replace(entry, name=f"{entry.name} {entry.layer}") if networks[entry.network] > 1 and entry.layer else entry
        for entry in entries
    ]
    again = Counter(entry.name for entry in named)
    seen: Counter[str] = Counter()
    result = []
    for entry in named:
        seen[entry.name] += 1
        result.append(replace(entry, name=f"{entry.name} ({seen[entry.name]})") if again[entry.name] > 1 else entry)
    return result


def _write_network_bars(comparison: Comparison, path: Path) -> bool:
    entries = comparison.entries
    figures.draw_network_bars(entries, path, threshold=comparison.threshold)
    kinds = sort_categories(
        list(dict.fromkeys(kind for entry in entries for kind in (*entry.unique, *entry.by_category)))
    )
    head = ["name", "network", "layer", "units", "definition", "threshold", "detectors", "unique"]
    head += [f"unique-{kind}" for kind in kinds] + [f"detectors-{kind}" for kind in kinds]
    write_numbers(path, head, [
        [entry.name, entry.network, entry.layer, entry.units, entry.definition, comparison.threshold, entry.detectors, entry.total,
         *(entry.unique.get(kind, 0) for kind in kinds), *(entry.by_category.get(kind, 0) for kind in kinds)]
        for entry in sorted(entries, key=lambda entry: -entry.total)
    ])  # fmt: skip
    return True


def _write_width_curve(comparison: Comparison, path: Path) -> bool:
    entries = comparison.entries_with_units
    if not entries:
        return False
    common, at_common = match_widths(comparison)
    curves = {
        entry.name: _sample_widths(
            entry, comparison, sorted({round(entry.units * i / _POINTS) for i in range(_POINTS + 1)} | {common})
        )
        for entry in entries
    }
    figures.draw_width_curve(curves, common, path, definition=comparison.definition)
    write_numbers(
        path,
        ["name", "units", "definition", "threshold", "drawn", "unique-mean", "unique-sd"],
        [
            [
                entry.name,
                entry.units,
                entry.definition,
                comparison.threshold,
                common,
                *map(_format_mean, at_common[entry.name]),
            ]
            for entry in entries
        ],
    )
    return True


def _sample_widths(
    entry: DetectorCounts, comparison: Comparison, widths: Sequence[int]
) -> list[tuple[int, float, float]]:
    assert entry.table is not None
    sees, _ = find_detections(entry.table, comparison.threshold, comparison.definition)
    return [(width, *count_unique_at_width(sees, width)) for width in widths]


def _write_concept_histogram(comparison: Comparison, path: Path) -> bool:
    entries = comparison.entries_with_units
    if not entries:
        return False
    rows, counts = [], {}
    for entry in entries:
        assert entry.table is not None
        sees, names = find_detections(entry.table, comparison.threshold, comparison.definition)
        each = sees.sum(axis=0).tolist()
        counts[entry.name] = each
        rows += sorted(
            ([entry.name, label, units] for label, units in zip(names, each, strict=True)), key=lambda row: -row[2]
        )
    figures.draw_concept_histogram(counts, path, definition=comparison.definition)
    write_numbers(path, ["name", "concept", "detectors"], rows)
    return True


def _write_iou_distribution(comparison: Comparison, path: Path) -> bool:
    entries = comparison.entries_with_units
    if not entries:
        return False
    scores = {entry.name: [row.score for row in entry.table or ()] for entry in entries}
    figures.draw_iou_distribution(scores, path, threshold=comparison.threshold)
    write_numbers(
        path,
        ["name", "unit", "category", "label", "score"],
        [
            [entry.name, row.unit, row.category, row.label, repr(row.score)]
            for entry in entries
            for row in entry.table or ()
        ],
    )
    return True


def _write_training_curve(comparison: Comparison, path: Path) -> bool:
    entries = [entry for entry in comparison.entries if entry.step is not None]
    if len({entry.step for entry in entries}) < 2:
        return False
    figures.draw_training_curve(entries, path)
    kinds = sort_categories(list(dict.fromkeys(kind for entry in entries for kind in entry.unique)))
    write_numbers(
        path,
        ["step", "name", "layer", "units", "definition", "threshold", "detectors", "unique", *(f"unique-{kind}" for kind in kinds)],
        [
            [entry.step, entry.name, entry.layer, entry.units, entry.definition, comparison.threshold, entry.detectors, entry.total,
             *(entry.unique.get(kind, 0) for kind in kinds)]
            for entry in sorted(entries, key=lambda entry: (entry.layer, entry.step or 0.0))
        ],
    )  # fmt: skip
    return True


def _format_mean(value: float) -> str:
    return f"{value:.4f}"
