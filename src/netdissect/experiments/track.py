"""Follow the units of one network over its checkpoints: a curve of detectors, and the units whose label changes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from netdissect import api
from netdissect.bounds import require_between, require_choice, require_number
from netdissect.errors import SettingsError
from netdissect.experiments.compare_runs import count_layers, find_step
from netdissect.experiments.track_figures import describe_track, write_track
from netdissect.io.names import make_natural_key
from netdissect.results.compared import describe_run, make_detector_columns
from netdissect.results.label_changes import LabelChanges, LayerLabels, find_label_changes, record_labels
from netdissect.results.run_paths import expand_sources
from netdissect.results.run_result import Result
from netdissect.results.table import Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netdissect.config import Definition
    from netdissect.report.figures.style import FigureWidth
    from netdissect.results.compared import DetectorCounts


@dataclass(frozen=True, eq=False)
class TrackedCheckpoint:
    """What is kept of a run.

    Attributes:
        name: its name.
        step: its training step.
        basis: its probe set and settings.
        counts: the detectors of every layer.
        labels: the labels of every layer.
        source: its folder; None if it was given as a result.
    """

    name: str
    step: float
    basis: str
    counts: Mapping[str, DetectorCounts]
    labels: Mapping[str, LayerLabels]
    source: Path | None = None


@dataclass(eq=False, repr=False)
class TrackedRuns(Table):
    """Checkpoints of one network over one probe set; only counts and labels of each are kept.

    As a table, it has a row for each layer and checkpoint.

    Attributes:
        threshold: score from which a unit counts as a detector.
        definition: how unique detectors are counted.
        layers: names of the layers that are followed; empty for all, which every run must have then.
        axis: title of the curve's horizontal axis.
        remarks: sentences that a reader should know.
        checkpoints: the checkpoints, in the order in which they were appended.
    """

    threshold: float = 0.04
    definition: Definition = "label"
    layers: tuple[str, ...] = ()
    axis: str = "training step"
    remarks: list[str] = field(default_factory=list)
    checkpoints: list[TrackedCheckpoint] = field(default_factory=list)

    def append(self, run: Result | str | Path, *, name: str | None = None, step: float | None = None) -> None:
        """Add the next checkpoint.

        Args:
            run: a result, or the folder of a run.
            name: its name; None takes the folder's, or ``checkpoint N``.
            step: its training step; None takes the number in its name, or N - 1.

        Raises:
            SettingsError: if it has other layers, units, concepts or settings than the first, or a step before the last.
            RunNotFoundError: if the folder holds no finished run.
        """
        result = run if isinstance(run, Result) else api.load(run)
        source = None if isinstance(run, Result) else Path(run)
        name = name or (f"checkpoint {len(self.checkpoints) + 1}" if source is None else source.name)
        found = find_step(name) if step is None else require_number("step", step, "be a number")
        step = float(len(self.checkpoints)) if found is None else found
        if self.checkpoints and step <= self.checkpoints[-1].step:
            last = self.checkpoints[-1]
            raise SettingsError(
                f"{name} has the step {step:g}, after {last.name} with {last.step:g}: append checkpoints in order"
            )
        if any(point.name == name for point in self.checkpoints):
            raise SettingsError(f"two runs have the name {name}: give each its own, as NAME=PATH")
        layers = self.layers or tuple(result.layers)
        checkpoint = TrackedCheckpoint(
            name, step, f"{describe_run(result)} ({result.probe_set.fingerprint})",
            {entry.layer: replace(entry, name=name, network=name, step=step, table=None)
             for entry in count_layers(name, result, self.threshold, self.definition, layers)},
            {layer.name: record_labels(name, layer) for layer in result.layers.values() if layer.name in layers},
            source,
        )  # fmt: skip
        self._require_fit(checkpoint, tuple(result.layers))
        self.checkpoints.append(checkpoint)
        self.__dict__.pop("_columns", None)  # the table has a row more

    def _require_fit(self, checkpoint: TrackedCheckpoint, layers: Sequence[str]) -> None:
        """Raise SettingsError if a checkpoint has other layers, units or concepts than the first."""
        wanted = self.layers or (tuple(self.checkpoints[0].counts) if self.checkpoints else layers)
        differing = [layer for layer in wanted if layer not in layers]
        differing += [layer for layer in layers if layer not in wanted and not self.layers]
        if differing:
            raise SettingsError(
                f"{checkpoint.name} has the layers {', '.join(layers)}, and {', '.join(wanted)} are followed: track follows the same "
                "layers through all runs; --layers names those that all have"
            )
        if not self.checkpoints:
            return
        first = self.checkpoints[0]
        if checkpoint.basis != first.basis:
            raise SettingsError(
                f"{checkpoint.name} is a dissection over {checkpoint.basis} and {first.name} one over {first.basis}: track "
                "takes runs over one probe set with the same settings"
            )
        for layer in wanted:
            units = [len(run.labels[layer].column) for run in (first, checkpoint)]
            if units[0] != units[1]:
                raise SettingsError(
                    f"layer {layer} has {units[0]} units in {first.name} and {units[1]} in {checkpoint.name}: track takes "
                    "checkpoints of one network"
                )

    def _list_layers(self) -> Sequence[str]:
        return self.layers or tuple(self.checkpoints[0].counts if self.checkpoints else ())

    def __repr__(self) -> str:
        more = ".append(run, step=N), .entries, .find_changes(), .to_pandas(), .write_figures(FILE)"
        return "\n".join([*(describe_track(self) if self.checkpoints else ["no checkpoint yet"]), more])

    def _make_columns(self) -> Mapping[str, Column]:
        return make_detector_columns(self.entries)

    @property
    def entries(self) -> list[DetectorCounts]:
        """The detectors of every layer and checkpoint, layer by layer."""
        return [checkpoint.counts[layer] for layer in self._list_layers() for checkpoint in self.checkpoints]

    def find_changes(self) -> list[LabelChanges]:
        """Return the label changes from every checkpoint to the next, layer by layer."""
        return [
            find_label_changes(before.labels[layer], after.labels[layer])
            for layer in self._list_layers()
            for before, after in pairwise(self.checkpoints)
        ]

    def write_figures(self, out: str | Path, *, width: FigureWidth = "text") -> list[Path]:
        """Write the curve of unique detectors and the label changes as SVG, PDF and PNG, and their numbers as CSV.

        Args:
            out: path of the curve; label changes add ``-changes`` to its name, and the table of single units ``-units``.
            width: where the figures are set: in a ``"column"`` of a paper, over a ``"text"``'s width, or on a ``"slide"``.

        Returns:
            the SVG files and the table of single units.

        Raises:
            SettingsError: if there are fewer than two checkpoints or no such width, or a file would replace one of a run.
        """
        if len(self.checkpoints) < 2:
            raise SettingsError(
                f"track takes at least two runs, checkpoints of one network, not {len(self.checkpoints)}"
            )
        return write_track(self, Path(out), width=width)


def track(
    sources: str | Path | Iterable[str | Path] = (),
    *,
    threshold: float = 0.04,
    definition: Definition = "label",
    layers: Sequence[str] = (),
    steps: Sequence[float] = (),
) -> TrackedRuns:
    """Follow the units of one network over its checkpoints.

    Args:
        sources: run folders and folders of runs, such as that of `netdissect.dissect_series`; each may be written ``NAME=PATH``.
            Without any, an empty track is returned, which a training loop fills with `TrackedRuns.append`.
        threshold: score from which a unit counts as a detector.
        definition: definition of unique detectors, ``"label"`` or ``"category"``.
        layers: only these layers; empty for all, which every run must have then.
        steps: training step of each run; by default taken from names such as ``epoch_20``, or from names that differ in a number.

    Returns:
        the checkpoints in the order of their steps; if their names have none, in the order given, numbered from 0.

    Raises:
        SettingsError: if a source is no run, or the runs differ in layers, units, probe set or settings.
        RunNotFoundError: if a folder holds no finished run.

    Example::

        import netdissect as nd

        tracked = nd.track()
        for epoch in range(2):
            tracked.append(nd.dissect(model, ["layer4"], "dataset/broden1_224"), step=epoch)
        tracked.write_figures("training.svg")
    """
    require_between("threshold", threshold, "lie between 0 and 1, an IoU", 0, 1)
    require_choice("definition", definition, ("label", "category"))
    pairs, remarks = expand_sources([sources] if isinstance(sources, (str, Path)) else sources)
    table = next((path for _, path in pairs if path.suffix in (".csv", ".mat")), None)
    if table is not None:
        raise SettingsError(f"track takes run folders, not {table}: netdissect compare takes tables too")
    names = [name or path.resolve().name for name, path in pairs]
    repeated = {name for name, number in Counter(names).items() if number > 1}
    names = [str(path) if name in repeated else name for name, (_, path) in zip(names, pairs, strict=True)]
    ordered, axis = _order_steps(names, steps)
    tracked = TrackedRuns(threshold, definition, tuple(layers), axis, remarks)
    for position, step in ordered:
        tracked.append(pairs[position][1], name=names[position], step=step)
    return tracked


def _order_steps(names: Sequence[str], steps: Sequence[float]) -> tuple[list[tuple[int, float]], str]:
    """Return the position of every run and its step, by rising step, and what the steps are.

    >>> _order_steps(["epoch_10", "epoch_9"], [])[0], _order_steps(["net-12-b", "net-3-b"], [])[0], _order_steps(["b", "a"], [])
    ([(1, 9.0), (0, 10.0)], [(1, 3.0), (0, 12.0)], ([(0, 0.0), (1, 1.0)], 'run'))
    """
    if steps and len(steps) != len(names):
        raise SettingsError(f"--steps must give one training step for each of the {len(names)} runs, not {len(steps)}")
    if steps:
        chosen = [require_number("steps", step, "be numbers, a training step for each run") for step in steps]
        if len(set(chosen)) < len(chosen):
            raise SettingsError("--steps must be distinct, a training step for each run")
        return sorted(enumerate(chosen), key=lambda pair: pair[1]), "training step"
    for found in ([find_step(name) for name in names], _find_only_number(names)):
        known = [step for step in found if step is not None]
        if len(known) == len(names) == len(set(known)):
            return sorted(enumerate(known), key=lambda pair: pair[1]), "training step"
    is_numbered = len({re.sub(r"\d+", "#", name) for name in names}) == 1
    order = sorted(range(len(names)), key=lambda at: make_natural_key(names[at])) if is_numbered else range(len(names))
    return [(at, float(place)) for place, at in enumerate(order)], "run"


def _find_only_number(names: Sequence[str]) -> list[float | None]:
    """Return the number in which names differ that are alike otherwise; None for each if there is no such number."""
    parts = [re.split(r"(\d+)", name) for name in names]
    differ = {at for part in parts for at in range(len(part)) if len(part) != len(parts[0]) or part[at] != parts[0][at]}
    if len(differ) != 1 or any(len(part) != len(parts[0]) for part in parts):
        return [None] * len(names)
    (at,) = differ
    return [float(part[at]) if part[at].isdecimal() else None for part in parts]
