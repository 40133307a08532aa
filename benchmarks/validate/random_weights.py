"""Networks with random weights beside the trained one: q does not tell them apart, and what does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import netdissect as nd
from benchmarks.marked_page import format_table
from benchmarks.validate.bounds import Bound, Part, Scale
from netdissect.demo import network
from netdissect.stats.chance import adjust_p
from netdissect.stats.reference import compare_with_references

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netdissect.probe_sets.broden.reader import Broden
    from netdissect.results.layer_result import LayerResult

#: The layer that is compared.
_LAYER = network.LAYERS[-1]
_HEADER = ["weights", "units with q < .05", "detectors", "unique concepts", "times chance", "q_reference < .05"]
#: Random networks; every one is compared with the others.
_SEEDS = 4
_TEXT = """\
{layer} of the demo's network, trained and with random weights ({seeds} seeds), over {images:,} images; ± is the standard
deviation over resamples. *q_reference*: units beyond the networks with random weights, or beyond the others of them.

**Networks with random weights are no null of chance, and neither are shuffled labels: their units answer to images, and
most have q < .05.** Never read a false discovery rate off them. What tells them apart is the number of unique concepts,
times chance, and the comparison with untrained networks."""


def measure(images: Broden, scale: Scale) -> Part:
    """Dissect the demo's network, trained and with random weights."""
    options = {"pictures": False, "images_per_unit": 0, "limit": scale.images}
    networks = {"trained": network.load_trained_network()}
    networks |= {f"random, seed {seed}": network.load_control_network(seed) for seed in range(_SEEDS)}
    layers = {name: nd.dissect(net, _LAYER, images.path, **options)[_LAYER] for name, net in networks.items()}
    text = _TEXT.format(layer=_LAYER, seeds=_SEEDS, images=scale.images)
    beyond = {name: count_beyond(layer, layers.values()) for name, layer in layers.items()}
    table = format_table(_HEADER, [_format_row(name, layer, beyond[name]) for name, layer in layers.items()])
    return Part(f"{text}\n\n{table}", list_bounds(layers, list(beyond.values())))


def count_beyond(layer: LayerResult, layers: Iterable[LayerResult]) -> int:
    """Return the number of units with q_reference < .05 against random networks, all but the first and itself."""
    _, *untrained = layers
    _, p = compare_with_references(layer.scores, [other.scores for other in untrained if other is not layer])
    return int((adjust_p(p, layer.labels >= 0) < 0.05).sum())


def count_convincing(layer: LayerResult) -> int:
    """Return the number of units with q < .05."""
    return sum(unit.q is not None and unit.q < 0.05 for unit in layer.unit_trust)


def _format_row(name: str, layer: LayerResult, beyond: int) -> list[str]:
    summary, found, spread = layer.summarize_trust(), layer.detectors(), layer.count_spread()
    return [
        name, f"{count_convincing(layer)} of {layer.layer.units}", f"{found.units} ± {spread.units_sd:.1f}",
        f"{found.unique} ± {spread.unique_sd:.1f}",
        f"{summary.times:.2f} ({summary.times_low:.2f} to {summary.times_high:.2f})", str(beyond),
    ]  # fmt: skip


def list_bounds(layers: dict[str, LayerResult], beyond: list[int]) -> list[Bound]:
    """Return what must hold of the trained network and those with random weights."""
    trained, *untrained = layers.values()
    share = sum(map(count_convincing, untrained)) / sum(layer.layer.units for layer in untrained)
    most = max(layer.summarize_trust().times or 0 for layer in untrained)
    left_out = sum(beyond[1:]) / len(untrained)
    return [
        Bound("random weights: share of units with q < .05 (no null)", share, least=0.5),
        Bound("trained ÷ random weights: times chance", (trained.summarize_trust().times or 0) / most, least=1.2),
        Bound("random weights left out: units with q_reference < .05, mean", left_out, most=0.5),
        Bound("trained: share of units with q_reference < .05", beyond[0] / trained.layer.units, least=0.5),
    ]
