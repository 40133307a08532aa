"""What else a unit detects besides its label: the best formula of concepts for every unit of a finished run."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from netdissect.analyses.finished_run import open_asked_run
from netdissect.analyses.run_network import open_run_network
from netdissect.analyses.run_probe_set import open_run_probe_set
from netdissect.analyses.unit_formulas import explain_units
from netdissect.arguments import choose_run_layers
from netdissect.bounds import require_integer
from netdissect.errors import SettingsError
from netdissect.progress import require_progress, show_progress
from netdissect.results.formulas import FormulaTable
from netdissect.results.run_layers import Layers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from netdissect.analyses.finished_run import AskedRun
    from netdissect.analyses.run_network import NetworkLike
    from netdissect.networks.network import Network
    from netdissect.protocols import ConceptSource, Progress
    from netdissect.results.formulas import UnitFormula
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result
    from netdissect.run.finished_scans import FinishedScans

#: The most concepts of a formula, the most shifts, and the most workers.
MAX_LENGTH, MAX_SHIFTS, MAX_WORKERS = 5, 200, 4096
#: The most categories of a vocabulary: the bits that say which of them an image has.
MAX_CATEGORIES = 62


class ExplainOptions(TypedDict, total=False):
    """The keyword arguments of `explain`."""

    layers: Sequence[str] | str | None
    units: Sequence[int] | None
    length: int
    shifts: int
    workers: int | None
    arch: str | None
    weights: str | Path | None
    trust: bool
    progress: Progress | bool


@dataclass(frozen=True)
class _Question:
    """What is asked of a run, checked.

    Attributes:
        channels: channels of the units that are asked for, rising, by layer name.
        length: the most concepts of a formula.
        shifts: number of shifts.
    """

    channels: Mapping[str, NDArray[np.int64]]
    length: int
    shifts: int


def explain(
    run: Result | str | Path,
    network: NetworkLike | None = None,
    data: str | Path | ConceptSource | None = None,
    *,
    layers: Sequence[str] | str | None = None,
    units: Sequence[int] | None = None,
    length: int = 3,
    shifts: int = 5,
    workers: int | None = None,
    arch: str | None = None,
    weights: str | Path | None = None,
    trust: bool = False,
    progress: Progress | bool = True,
) -> Result:
    """Find every unit's best formula of concepts, such as ``(cow OR sheep) AND NOT grass`` (docs/formulas.md).

    Formulas of up to three concepts are searched exactly; longer ones by a beam that starts from the best of three. A run that
    was made with ``keep`` has stored the masks; other runs go through their network again, with their own thresholds.

    Args:
        run: a result, or the folder of a run, into which the answer is saved.
        network: the run's network, if it is scanned again; None if it is the bundled one.
        data: the run's probe set; None takes the one that the run names.
        layers: layers of the run, also by patterns such as ``layer4.*`` or ``last``; None for all.
        units: numbers of units, from 1, in each of these layers; None for all.
        length: the most concepts of a formula, from 1 to 5.
        shifts: how often formulas are also searched with the labels of other images, to measure what they gain by chance; 0 for never.
        workers: processes that scan and count; None takes the run's.
        arch: as for `netdissect.dissect`, of a network that is given as MODEL.
        weights: as for `netdissect.dissect`.
        trust: as for `netdissect.dissect`.
        progress: shows how far the work is: bars on a terminal and in a notebook, else a log line every ten
            seconds; False shows nothing. An object with the methods ``start(task, total)`` and ``advance(steps)``
            gets the calls instead.

    Returns:
        the run with ``result[layer].formulas``; earlier formulas of other layers stay, and those of other units if length and
        shifts are the same.

    Raises:
        SettingsError: if an argument is out of range, or the network or probe set is not the run's.
        UnknownLayerError: if the run has no such layer.
        RunError: if counting again does not give the counts of the run.
        NetdissectError: one of its other subclasses, if the run, the network or the probe set cannot be opened.

    Example::

        import netdissect as nd

        nd.dissect(model, ["layer4"], "dataset/broden1_224", out="trained")
        result = nd.explain("trained", model, layers="layer4")
        result["layer4"].unit(8).row["formula"]  # such as '(cow OR sheep) AND NOT grass'
    """
    require_progress(progress)
    with open_asked_run(run) as asked, show_progress(progress) as shown:
        question = _check_question(asked.result, layers, units, length, shifts)
        concepts = open_run_probe_set(asked.result, data)
        with contextlib.ExitStack() as stack:
            load = partial(open_run_network, asked.result, network, arch=arch, weights=weights, trust=trust)
            scans = _open_scans(asked, load, concepts, question, workers, shown, stack)
            found = explain_units(asked.result, scans, concepts, question.channels, length, shifts, shown)
        return asked.save(_add_formulas(asked.result, question, found), shown)


def _check_question(
    run: Result, layers: Sequence[str] | str | None, units: Sequence[int] | None, length: int, shifts: int
) -> _Question:
    """Check what is asked of a run before anything is computed."""
    length = require_integer("length", length, 1, MAX_LENGTH)
    shifts = require_integer("shifts", shifts, 0, MAX_SHIFTS)
    if len(run.probe_set.vocabulary.categories) > MAX_CATEGORIES:
        raise SettingsError(
            f"formulas take a probe set of at most {MAX_CATEGORIES} categories, and {run.probe_set.name} has "
            f"{len(run.probe_set.vocabulary.categories)}"
        )
    names = choose_run_layers(run, layers)
    return _Question({name: _list_channels(run[name], units) for name in names}, length, shifts)


def _list_channels(layer: LayerResult, units: Sequence[int] | None) -> NDArray[np.int64]:
    """Return the channels of units, rising, each once; of all for None."""
    if units is None:
        return np.arange(layer.layer.units)
    if not len(units):
        raise SettingsError("no unit was named: name at least one, or leave units= out for all")
    return np.unique(np.array([layer.unit(number).channel for number in units], np.int64))


def _open_scans(
    asked: AskedRun,
    load: Callable[[], Network],
    concepts: ConceptSource,
    question: _Question,
    workers: int | None,
    progress: Progress,
    stack: contextlib.ExitStack,
) -> FinishedScans:
    """Open the scans that a run has kept; without any, scan the layers that are asked for again."""
    from netdissect import run as runs
    from netdissect.run.finished_scans import open_kept_scans, scan_again

    run = asked.result
    kept = stack.enter_context(open_kept_scans(run, asked.folder, concepts, progress))
    if kept is not None:
        return kept
    opened = load()
    settings = replace(
        run.settings, runtime="local", address=None, artifacts=None,
        workers=require_integer("workers", run.settings.workers if workers is None else workers, 1, MAX_WORKERS),
    )  # fmt: skip
    prepared = stack.enter_context(runs.prepare_run(opened, list(question.channels), concepts, settings))
    thresholds = {name: run.layers[name].thresholds for name in question.channels}
    folder = asked.folder if asked.is_saved else None
    return stack.enter_context(scan_again(prepared, thresholds, folder, progress))


def _add_formulas(run: Result, question: _Question, found: Mapping[str, Mapping[int, UnitFormula]]) -> Result:
    """Return a run with the formulas of units, by layer name and channel."""
    layers = dict(run.layers)
    for name, formulas in found.items():
        layer = layers[name]
        earlier = layer.formulas
        if earlier is None or (earlier.length, earlier.shifts) != (question.length, question.shifts):
            earlier = FormulaTable((None,) * layer.layer.units, question.length, question.shifts)
        units = tuple(formulas.get(channel, before) for channel, before in enumerate(earlier.units))
        layers[name] = replace(layer, formulas=replace(earlier, units=units))
    return replace(run, layers=Layers(layers))
