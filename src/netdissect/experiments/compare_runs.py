"""Compare runs: unique detectors across networks, layers and checkpoints (paper, § 3.3 to 3.5)."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from netdissect import api
from netdissect.bounds import require_between, require_choice, require_number
from netdissect.errors import SettingsError
from netdissect.experiments import compare_figures, published
from netdissect.experiments.compare_pages import find_page_folder, write_compared_pages
from netdissect.results import classic, files
from netdissect.results.compared import (
    DetectorCounts,
    count_for_comparison,
    describe_run,
    has_random_weights,
    make_detector_columns,
)
from netdissect.results.run_paths import expand_sources
from netdissect.results.run_result import Result
from netdissect.results.table import Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netdissect.config import Definition
    from netdissect.report.figures.style import FigureWidth


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Table):
    """Detector counts of several networks or layers, counted the same way; as a table, a row for each entry.

    Attributes:
        entries: one for each layer of each source, in the order of the sources.
        definition: definition of unique detectors, ``"label"`` or ``"category"``.
        threshold: score from which a unit counts as a detector.
        remarks: sentences that a reader should know, such as how the runs differ.
        sources: name (or ``""``) and path of everything that was read.
        layers: layers the comparison is restricted to; empty for all.
        runs: the run of each source, None for a table, kept for the pages; empty unless there are exactly two sources.
        steps: the training step of each source, None for other networks.
    """

    entries: Sequence[DetectorCounts]
    definition: Definition
    threshold: float
    remarks: tuple[str, ...] = ()
    sources: tuple[tuple[str, Path], ...] = ()
    layers: tuple[str, ...] = ()
    runs: tuple[Result | None, ...] = ()
    steps: tuple[float | None, ...] = ()

    def __repr__(self) -> str:
        lines = [
            f"{entry.name}: {entry.total} unique concepts, {entry.detectors} of {entry.units} units"
            for entry in self.entries
        ]
        return "\n".join([*lines, ".entries, .to_pandas(), .write_figures(FILE), .write_page(FOLDER)"])

    def _make_columns(self) -> Mapping[str, Column]:
        return make_detector_columns(self.entries)

    def match_widths(self) -> tuple[int, dict[str, tuple[float, float]]]:
        """Return the expected number of unique detectors among equally many random units of each entry.

        Returns:
            the width of the narrowest entry; by name, exact mean and standard deviation over all choices of as many units.
        """
        return compare_figures.match_widths(self)

    def write_figures(self, out: str | Path, *, figures: Sequence[str] = (), width: FigureWidth = "text") -> list[Path]:
        """Write every figure that applies as SVG, PDF and PNG, and its numbers as CSV.

        Args:
            out: path of the main figure; the others add ``-width``, ``-concepts``, ``-iou`` or ``-curve`` to its name.
            figures: figures to write, of ``networks``, ``width``, ``concepts``, ``iou`` and ``curve``; empty for all.
            width: where the figures are set: in a ``"column"`` of a paper, over a ``"text"``'s width, or on a ``"slide"``.

        Returns:
            the SVG files.

        Raises:
            SettingsError: if there is no such figure or width, or a file would replace one that is compared.
        """
        return compare_figures.write_figures(self, Path(out), figures=figures, width=width)

    def write_page(self, out: str | Path) -> Path | None:
        """Write the report of two or more runs: the pages of each, and one that compares them unit by unit.

        Args:
            out: folder of the pages, or path of the main figure, whose name without its ending is the folder's.

        Returns:
            the first page, or None if fewer than two of the sources are runs.

        Raises:
            FolderTakenError: if the folder holds anything but a comparison.
        """
        return write_compared_pages(
            self.sources, find_page_folder(Path(out)), threshold=self.threshold, layers=self.layers, steps=self.steps, runs=self.runs
        )  # fmt: skip


def compare(
    sources: str | Path | Result | Iterable[str | Path | Result],
    *,
    definition: Definition | None = None,
    threshold: float = 0.04,
    layers: Sequence[str] = (),
    steps: Sequence[float] = (),
) -> Comparison:
    """Count the detectors of several runs for a comparison.

    Args:
        sources: run folders, folders of runs, results that lie in run folders, result tables (``*-result.csv``) and the paper's .mat, in
            any mix; a path may be written ``NAME=PATH``.
        definition: definition of unique detectors. By label, each unit counts once, under its best concept (the paper's
            text); by category, once in each category whose best score passes (the paper's figures). None means by label,
            or by category if one of the sources is a .mat, because a .mat has no counts by label.
        threshold: score from which a unit counts as a detector.
        layers: only these layers of runs; empty for all.
        steps: training step of each source, for the training curve; by default taken from names such as ``epoch_20``.

    Returns:
        the counts, which can be drawn as figures (`Comparison.write_figures`) and as pages
        (`Comparison.write_page`).

    Raises:
        SettingsError: if nothing is left to compare, or a .mat cannot be counted as requested.
        RunError: one of its subclasses, if a source cannot be read.

    Example::

        import netdissect as nd

        comparison = nd.compare(["runs/trained", "random=runs/random"])
        [(entry.name, entry.total) for entry in comparison.entries]
        comparison.write_figures("comparison.svg")
    """
    require_between("threshold", threshold, "lie between 0 and 1, an IoU", 0, 1)
    steps = [require_number("steps", step, "be numbers, a training step for each source") for step in steps]
    if definition is not None:
        require_choice("definition", definition, ("label", "category"))
    pairs, remarks = expand_sources([sources] if isinstance(sources, (str, Path, Result)) else sources)
    if not pairs:
        raise SettingsError("nothing to compare: name run folders, result tables (*-result.csv) or the paper's .mat")
    definition = _choose_definition(pairs, definition, threshold)
    if steps and len(steps) != len(pairs):
        raise SettingsError(
            f"--steps must give one training step for each of the {len(pairs)} sources, not {len(steps)}"
        )
    entries: list[DetectorCounts] = []
    runs: list[Result | None] = []
    taken: list[float | None] = []
    for position, (name, path) in enumerate(pairs):
        step = steps[position] if steps else find_step(name or path.name)
        run = None if path.suffix in (".mat", ".csv") else api.load(path)
        found = (
            _read_table(name, path, threshold, definition)
            if run is None
            else count_layers(name, run, threshold, definition, layers)
        )
        entries += [replace(entry, step=step) for entry in found]
        runs += [run] if len(pairs) == 2 else []  # more could fill the memory
        taken.append(step)
    if not entries:
        raise SettingsError(f"none of the runs has a layer named {' or '.join(layers)}")
    remarks += _collect_remarks(entries)
    return Comparison(
        _make_names_unique(entries), definition, threshold, tuple(remarks), tuple(pairs), tuple(layers), tuple(runs),
        tuple(taken),
    )  # fmt: skip


def _choose_definition(
    pairs: Sequence[tuple[str, Path]], definition: Definition | None, threshold: float
) -> Definition:
    """Return the requested definition; by default, the one for which all sources have counts."""
    if not any(path.suffix == ".mat" for _, path in pairs):
        return definition or "label"
    if definition == "label" or threshold != 0.04:
        raise SettingsError(
            "a .mat holds counts by category at IoU 0.04 only, not single units: compare it with --definition category "
            "and without --threshold"
        )
    return "category"


def _collect_remarks(entries: Sequence[DetectorCounts]) -> list[str]:
    remarks = ["Counts by category need a score > the threshold, counts by label a score ≥ the threshold."]
    bases = list(dict.fromkeys(entry.basis for entry in entries if entry.basis))
    if len(bases) > 1:
        remarks.append(f"These runs differ: {'; '.join(bases)}. This explains part of any difference.")
    if any(entry.table is None for entry in entries):
        remarks.append("A .mat has counts only: its networks are left out of figures that need single units.")
    return remarks


def _read_table(name: str, path: Path, threshold: float, definition: Definition) -> list[DetectorCounts]:
    """Count the detectors of a result table or of the paper's .mat."""
    if path.suffix == ".mat":
        return published.read_published_table(path)
    stem = path.name.removesuffix("-result.csv").removesuffix(".csv")
    table = classic.read_result_csv(path)
    files.require_unchanged(path)
    return [count_for_comparison(name or stem, name or stem, "", table, threshold, definition)]


def count_layers(
    name: str, run: Result, threshold: float, definition: Definition, layers: Sequence[str]
) -> list[DetectorCounts]:
    """Count the detectors of a run's layers."""
    title = name or run.network.name
    return [
        replace(
            count_for_comparison(title, title, layer.name, layer.units, threshold, definition),
            basis=describe_run(run),
            spread=layer.count_spread(threshold, definition),
            trust=layer.summarize_trust(threshold),
            is_control=has_random_weights(title, run.network.source),
        )
        for layer in run.layers.values()
        if not layers or layer.name in layers
    ]


def find_step(name: str) -> float | None:
    """Return the training step in a checkpoint's name.

    >>> find_step("resnet_epoch_20"), find_step("step5000.pt"), find_step("epoch=3-step=400"), find_step("resnet18")
    (20.0, 5000.0, 3.0, None)
    """
    found = re.search(r"(?:epoch|iter|iteration|step|checkpoint|ckpt)s?[-_. =]?(\d+)", name, re.IGNORECASE)
    return float(found.group(1)) if found else None


def _make_names_unique(entries: Sequence[DetectorCounts]) -> list[DetectorCounts]:
    """Return the entries with unique names: add the layer where a network has several entries, then a number."""
    networks = Counter(entry.network for entry in entries)
    entries = [
        replace(entry, name=f"{entry.name} {entry.layer}") if networks[entry.network] > 1 and entry.layer else entry
        for entry in entries
    ]
    total = Counter(entry.name for entry in entries)
    seen: Counter[str] = Counter()
    result = []
    for entry in entries:
        seen[entry.name] += 1
        result.append(replace(entry, name=f"{entry.name} ({seen[entry.name]})") if total[entry.name] > 1 else entry)
    return result
