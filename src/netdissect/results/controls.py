"""Controls of a run: what the same layers detect in untrained networks, or in networks trained on shuffled labels.

A run records a control's counts, so that they are shown beside its own wherever the run's folder is copied.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from netdissect.results.record_values import check_number, check_string, check_whole_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result

#: Kind of a control whose weights were drawn at random.
UNTRAINED = "untrained"
#: Fields of `ControlLayer` that count something.
_COUNTS = ("units", "total", "unique")
#: Fields that have a value for every unit.
_TABLES = ("scores", "labels")


@dataclass(frozen=True, slots=True)
class ControlLayer:
    """The detectors of one layer of a control; None where the control's run measured no spread or chance.

    Attributes:
        units: number of detectors by label, at the control's threshold.
        total: number of the layer's units.
        unique: number of unique detectors.
        units_sd: standard deviation of `units` over resamples.
        unique_sd: standard deviation of `unique` over resamples.
        times: times chance (docs/trust.md).
        times_low: lower end of its 95 % interval.
        times_high: upper end of its 95 % interval.
        scores: score of every unit's label, from 0 on; None in a run of an earlier version.
        labels: label of every unit, as in ``label.csv``, empty for none; None in a run of an earlier version.
    """

    units: int
    total: int
    unique: int
    units_sd: float | None = None
    unique_sd: float | None = None
    times: float | None = None
    times_low: float | None = None
    times_high: float | None = None
    scores: tuple[float, ...] | None = None
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ControlRun:
    """A control of a run.

    Attributes:
        name: of the control, such as ``"seed-1"``.
        kind: what was taken from the network, such as ``"untrained"`` or ``"shuffled labels"``.
        fingerprint: of the control's network.
        threshold: score from which a unit counts as a detector.
        layers: its layers by name, as far as the run has them too.
    """

    name: str
    kind: str
    fingerprint: str
    threshold: float
    layers: Mapping[str, ControlLayer]


def record_control(name: str, kind: str, control: Result, layers: Iterable[str], threshold: float) -> ControlRun:
    """Return what a run records about a control.

    Args:
        name: of the control.
        kind: what was taken from its network.
        control: its dissection.
        layers: names of the run's layers; those that the control lacks are left out.
        threshold: score from which a unit counts as a detector.
    """
    found = {layer: _record_layer(control[layer], threshold) for layer in layers if layer in control}
    return ControlRun(name, kind, control.network.fingerprint, threshold, found)


def _record_layer(layer: LayerResult, threshold: float) -> ControlLayer:
    found, spread, trust = layer.detectors(threshold), layer.count_spread(threshold), layer.summarize_trust(threshold)
    return ControlLayer(
        found.units,
        found.total,
        found.unique,
        None if spread is None else spread.units_sd,
        None if spread is None else spread.unique_sd,
        *((None,) * 3 if trust is None else (trust.times, trust.times_low, trust.times_high)),
        tuple(layer.label_scores.tolist()),
        tuple(layer.vocabulary.names[column] if column >= 0 else "" for column in layer.labels.tolist()),
    )


def write_controls(controls: tuple[ControlRun, ...]) -> list[dict[str, Any]]:
    """Return controls as plain values, for ``run.json``."""
    return [asdict(control) for control in controls]


def parse_controls(record: Any, layers: Mapping[str, int]) -> tuple[ControlRun, ...]:
    """Return the controls that a ``run.json`` records.

    Args:
        record: plain values, as `write_controls` returned them.
        layers: number of units of every layer of the run, by name.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: if the values are impossible.
    """
    return tuple(_parse_control(entry, layers) for entry in record)


def _parse_control(entry: Mapping[str, Any], layers: Mapping[str, int]) -> ControlRun:
    threshold = check_number(entry["threshold"], 0, 1)
    found = {name: _parse_control_layer(values) for name, values in entry["layers"].items()}
    unknown = [name for name, layer in found.items() if layers.get(name) != layer.total]
    if unknown or not found:
        raise ValueError(
            f"a control has the layer {unknown[0]!r}, and the run does not" if unknown else "a control has no layer"
        )
    words = {name: check_string(entry[name]) for name in ("name", "kind", "fingerprint")}
    return ControlRun(**words, threshold=threshold, layers=found)


def _parse_control_layer(values: Mapping[str, Any]) -> ControlLayer:
    found: dict[str, Any] = {name: check_whole_number(values[name], 0) for name in _COUNTS}
    if not found["unique"] <= found["units"] <= found["total"]:
        raise ValueError("a control has more unique detectors than detectors, or more detectors than units")
    for name in (field.name for field in fields(ControlLayer) if field.name not in (*_COUNTS, *_TABLES)):
        number = values.get(name)
        found[name] = None if number is None else check_number(number, 0)
    if values.get("scores") is not None:
        found["scores"] = tuple(check_number(score, 0) for score in values["scores"])
        found["labels"] = tuple(check_string(label) for label in values["labels"])
        if not len(found["scores"]) == len(found["labels"]) == found["total"]:
            raise ValueError("a control does not have one score and one label for every unit")
    return ControlLayer(**found)
