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
from netdissect.report.figures import rotation_graph
from netdissect.results import folder as place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import nn

    from netdissect.config import Definition
    from netdissect.models.network import Network
    from netdissect.protocols import ConceptSource
    from netdissect.results.detectors import Detectors

#: Arguments of `netdissect.dissect` that are no settings.
_OTHERS = frozenset({"preprocess", "projection", "out", "fresh", "progress", "settings"})
#: The paper's steps from the network's own axes to a random basis.
ALPHAS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, eq=False)
class Turned:
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
            if folders.whose(path.parent, place.RUN) == "ours":
                stack.enter_context(place.held(path.parent))
            rotation_graph(self.detectors(), path)


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
) -> Turned:
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
    from netdissect.models.rotation import name_of, require_powers

    require_powers(alphas, rotation_seed)
    single = {name: options.pop(name) for name in list(options) if name not in _OTHERS}
    single |= {} if resolution is None else {"resolution": resolution}
    settings = arguments.settings_of(options.pop("settings", None), single)
    concepts, settings, _ = api.ready(data, settings, options.get("out"))
    network = api.network_of(model, arguments.require_preprocess(options.pop("preprocess", None)))
    names = arguments.layers_wanted(layers, network)
    turned_network, probed = turned(
        network, names, alphas, rotation_seed, near_axes=near_axes, resolution=settings.resolution
    )
    result = api.dissect(turned_network, probed, concepts, settings=settings, **options)
    return Turned(result, {layer: {alpha: name_of(layer, alpha) for alpha in alphas} for layer in names})


def turned(
    network: Network,
    layers: Sequence[str],
    alphas: Sequence[float],
    rotation_seed: int,
    *,
    near_axes: bool = False,
    resolution: int | None = None,
) -> tuple[Network, list[str]]:
    """Return a network that has layers turned by Q^α, and what they are called; `rotate` tells the arguments."""
    from netdissect.models.rotation import rotated

    known = api.layers_of(network, resolution)
    return rotated(network, layers, known, seed=rotation_seed, alphas=alphas, near_axes=near_axes)
