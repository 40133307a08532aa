"""Rotation: tells whether a network's own basis is special (paper, § 4.2; METHOD, § 6).

A random rotation of a layer's units keeps all they tell together, and no axis of it is better than another. Where
fewer concepts are detected the further it turns, the network's own axes are aligned with concepts.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netdissect import api, arguments
from netdissect.io import folders
from netdissect.report.figures import draw_rotation_graph
from netdissect.results import run_folder as place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import nn

    from netdissect.config import Definition
    from netdissect.networks.network import Network
    from netdissect.protocols import ConceptSource
    from netdissect.results.detectors import Detectors

#: Arguments of `netdissect.dissect` that are no settings.
_NOT_SETTINGS = frozenset({"preprocess", "projection", "out", "fresh", "progress", "settings"})
#: The paper's steps from the network's own axes to a random basis.
ALPHAS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, eq=False)
class RotationResult:
    """A layer's units turned step by step.

    Attributes:
        result: the dissection; every step is a layer of it.
        names: by layer, what each α's layer is called there.
    """

    result: api.Result
    names: Mapping[str, Mapping[float, str]]

    def detectors(
        self, threshold: float | None = None, definition: Definition = "label"
    ) -> dict[str, list[tuple[float, Detectors]]]:
        """Return, by layer, what is detected at each α.

        Args:
            threshold: IoU from which a unit counts as a detector; None takes the run's.
            definition: of unique detectors.
        """
        cut = self.result.settings.threshold if threshold is None else threshold
        found = self.result.detectors(cut, definition)
        return {
            layer: [(alpha, found[name]) for alpha, name in by_alpha.items()] for layer, by_alpha in self.names.items()
        }

    def write(self, path: Path) -> None:
        """Draw unique detectors over α as SVG and PNG, with the numbers beside it as CSV."""
        with contextlib.ExitStack() as stack:
            if folders.find_owner(path.parent, place.RUN_FOLDER) == "ours":
                stack.enter_context(place.lock_run_folder(path.parent))
            draw_rotation_graph(self.detectors(), path)


def rotate(
    model: nn.Module | str | Network,
    layers: str | nn.Module | Sequence[str | nn.Module],
    data: str | Path | ConceptSource,
    *,
    alphas: Sequence[float] = ALPHAS,
    rotation_seed: int = 1,
    near_axes: bool = False,
    resolution: int | None = None,
    **options: Any,
) -> RotationResult:
    """Dissect layers whose units are turned by powers Q^α of a random rotation, all in one forward pass.

    Args:
        model: as for `netdissect.dissect`.
        layers: names of the layers.
        data: the probe set.
        alphas: the powers; 0 leaves the units as they are, 1 gives Q.
        rotation_seed: of Q.
        near_axes: put Q's rows in the order in which they lie nearest to the axes: units then turn as little as can be.
        resolution: side of the network's input in pixels.
        options: as for `netdissect.dissect`, such as ``out=`` or ``progress=``.

    Raises:
        NetdissectError: as `netdissect.dissect` does.

    Example:
        >>> turned = rotate("torchvision:alexnet", "features.11", "dataset/broden1_227")       # doctest: +SKIP
        >>> [(alpha, found.unique) for alpha, found in turned.detectors()["features.11"]]      # doctest: +SKIP
    """
    from netdissect.networks.units.rotation import check_powers, name_rotated_layer

    check_powers(alphas, rotation_seed)
    single = {name: options.pop(name) for name in list(options) if name not in _NOT_SETTINGS}
    single |= {} if resolution is None else {"resolution": resolution}
    settings = arguments.merge_settings(options.pop("settings", None), single)
    concepts, settings, _ = api.check_inputs(data, settings, options.get("out"))
    network = api.as_network(model, arguments.require_preprocess(options.pop("preprocess", None)))
    names = arguments.resolve_layer_names(layers, network)
    turned_network, probed = rotate_layers(
        network, names, alphas, rotation_seed, near_axes=near_axes, resolution=settings.resolution
    )
    result = api.dissect(turned_network, probed, concepts, settings=settings, **options)
    return RotationResult(
        result, {layer: {alpha: name_rotated_layer(layer, alpha) for alpha in alphas} for layer in names}
    )


def rotate_layers(
    network: Network,
    layers: Sequence[str],
    alphas: Sequence[float],
    rotation_seed: int,
    *,
    near_axes: bool = False,
    resolution: int | None = None,
) -> tuple[Network, list[str]]:
    """Return a network that has layers turned by Q^α, and what they are called; `rotate` tells the arguments."""
    from netdissect.networks.units.rotation import rotate_units

    known = api.list_layers(network, resolution)
    return rotate_units(network, layers, known, seed=rotation_seed, alphas=alphas, near_axes=near_axes)
