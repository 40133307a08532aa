"""Test a run's units against untrained networks, and record these as its controls (docs/trust.md)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from netdissect.bounds import describe_type
from netdissect.errors import SettingsError
from netdissect.results import files
from netdissect.results.controls import UNTRAINED, record_control
from netdissect.results.run_layers import Layers
from netdissect.results.run_paths import expand_sources
from netdissect.results.run_result import Result
from netdissect.results.trust import Reference, Trust
from netdissect.stats.reference import compare_with_references

if TYPE_CHECKING:
    from netdissect.config import Settings
    from netdissect.results.layer_result import LayerResult

#: Runs of untrained networks: run folders, folders of runs, or results, with or without names.
ReferenceRuns: TypeAlias = "str | Path | Iterable[str | Path | Result] | Mapping[str, Result]"

#: Fewest untrained networks: one is compared with the others.
MIN_REFERENCES = 2
#: Settings that must be the same, because they decide the scores.
_SAME = ("score", "quantile", "geometry", "resolution")


@dataclass(frozen=True, eq=False)
class ReferenceSet:
    """Runs of untrained networks over one probe set.

    Attributes:
        runs: the runs by name, at least two.
    """

    runs: Mapping[str, Result]

    def require_basis(self, fingerprint: str | None, settings: Settings) -> None:
        """Require that the runs are of a probe set, with the settings that decide scores.

        Args:
            fingerprint: of the probe set; None before it is read.
            settings: the settings.

        Raises:
            SettingsError: if one is not.
        """
        for name, run in self.runs.items():
            if fingerprint is not None and run.probe_set.fingerprint != fingerprint:
                raise SettingsError(
                    f"--reference {name} is over another probe set, {run.probe_set.name}: run netdissect control over the same "
                    f"--data, --split and --limit"
                )
            for setting in _SAME:
                expected, found = getattr(settings, setting), getattr(run.settings, setting)
                if found != expected:
                    raise SettingsError(
                        f"--reference {name} has --{setting} {found}, and this run {expected}: they must be equal"
                    )

    def test_units(self, run: Result) -> Result:
        """Return a run whose layers have the table of this reference, and whose controls are its runs.

        Layers that no run has stay as they are.

        Raises:
            SettingsError: if the runs do not fit, or a layer is in one of them only.
        """
        self.require_basis(run.probe_set.fingerprint, run.settings)
        for name, reference in self.runs.items():
            if reference.network.fingerprint == run.network.fingerprint:
                raise SettingsError(f"--reference {name} is a run of the network itself, not of an untrained one")
        tested = {name: self._test_layer(layer) for name, layer in run.layers.items()}
        if not any(layer is not run.layers[name] for name, layer in tested.items()):
            raise SettingsError(
                f"no --reference run has one of this run's layers ({', '.join(run.layers)}): run netdissect control with these "
                f"--layers"
            )
        controls = [
            record_control(name, UNTRAINED, reference, run.layers, run.settings.threshold)
            for name, reference in self.runs.items()
        ]
        kept = [control for control in run.controls if control.kind != UNTRAINED]
        return replace(
            run, layers=Layers(tested), controls=(*kept, *(control for control in controls if control.layers))
        )

    def _test_layer(self, layer: LayerResult) -> LayerResult:
        found = {name: run[layer.name] for name, run in self.runs.items() if layer.name in run}
        if not found:
            return layer
        if len(found) < MIN_REFERENCES:
            raise SettingsError(
                f"only one --reference run has the layer {layer.name}, and it takes at least {MIN_REFERENCES}: run "
                f"netdissect control with --seeds 3 and these --layers"
            )
        for name, other in found.items():
            if other.layer.units != layer.layer.units:
                raise SettingsError(
                    f"--reference {name} has {other.layer.units} units in {layer.name}, and this run {layer.layer.units}: they "
                    f"must be of one architecture"
                )
        excess, p = compare_with_references(layer.scores, [other.scores for other in found.values()])
        reference = Reference(excess.astype(np.float32), p, tuple(found))
        return replace(layer, trust=replace(layer.trust or Trust(), reference=reference))


def open_references(reference: ReferenceRuns) -> ReferenceSet:
    """Return runs of untrained networks.

    Args:
        reference: folders of runs, such as that of ``netdissect control``, run folders, or results; a mapping gives names.

    Raises:
        SettingsError: if they are none of these, fewer than two, or two are of one network.
        RunNotFoundError: if a folder holds no finished run.
        RunFileError: if a file is damaged.
    """
    named = _name_runs(reference)
    if len(named) < MIN_REFERENCES:
        raise SettingsError(
            f"--reference takes at least {MIN_REFERENCES} runs of untrained networks, not {len(named)}: netdissect control --seeds 3 "
            f"makes three"
        )
    by_network: dict[str, str] = {}
    for name, run in named:
        other = by_network.get(run.network.fingerprint)
        if other is not None:
            raise SettingsError(
                f"--reference {other} and {name} are runs of one network: give networks of different seeds"
            )
        by_network[run.network.fingerprint] = name
    return ReferenceSet(dict(named))


def _name_runs(reference: Any) -> list[tuple[str, Result]]:
    """Return runs and their names, each name once."""
    if isinstance(reference, Mapping):
        entries = [(str(name), run) for name, run in reference.items()]
    else:
        several = [reference] if isinstance(reference, (str, os.PathLike, Result)) else reference
        if not isinstance(several, Iterable):
            raise SettingsError(f"reference= takes runs of untrained networks, not {describe_type(reference)}")
        entries = [("", run) for run in several]
    found: list[tuple[str, Result]] = []
    for name, run in entries:
        found += [(name or run.network.source, run)] if isinstance(run, Result) else _load_runs(run)
    times = Counter(name for name, _ in found)
    return [(name if times[name] == 1 else f"{name} {run.network.fingerprint[:8]}", run) for name, run in found]


def _load_runs(source: Any) -> list[tuple[str, Result]]:
    if not isinstance(source, (str, os.PathLike)):
        raise SettingsError(f"reference= takes folders of runs or results, not {describe_type(source)}")
    pairs, _ = expand_sources([Path(source) if isinstance(source, os.PathLike) else source])
    return [(name or path.name, files.load_run(path)) for name, path in pairs]
