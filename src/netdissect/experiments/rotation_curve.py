"""Rotate a layer's units to see whether the network's own basis is special (paper, § 4.2).

A random rotation keeps all information of a layer, and no axis of the rotated space is better than another. If fewer
concepts are detected the further the units are rotated, the network's own axes are aligned with concepts.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from netdissect import api, arguments, model_loading
from netdissect.io import folders
from netdissect.report.figures import draw_rotation_graph
from netdissect.results.run_folder import RUN_FOLDER, lock_run_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

    from netdissect.config import Definition, Settings, SettingsDict
    from netdissect.networks.network import Network
    from netdissect.networks.transforms import PreprocessLike
    from netdissect.protocols import ConceptSource, Progress
    from netdissect.report.figures.style import FigureWidth
    from netdissect.results.detectors import Detectors
    from netdissect.results.run_result import Result

#: The paper's steps from the network's own axes to a random basis.
ALPHAS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, eq=False)
class RotationResult:
    """The dissection of layers whose units are rotated step by step.

    Attributes:
        result: the dissection; every step is one of its layers.
        names: for each layer and α, the name of the rotated layer in the result.
    """

    result: Result
    names: Mapping[str, Mapping[float, str]]

    def detectors(
        self, threshold: float | None = None, definition: Definition = "label"
    ) -> dict[str, list[tuple[float, Detectors]]]:
        """Return the detectors of each layer at each α, in the order in which the α were requested.

        Args:
            threshold: score from which a unit counts as a detector; None means the run's.
            definition: definition of unique detectors.
        """
        found = self.result.detectors(self.result.settings.threshold if threshold is None else threshold, definition)
        return {
            layer: [(alpha, found[name]) for alpha, name in by_alpha.items()] for layer, by_alpha in self.names.items()
        }

    def write_figure(self, path: str | Path, *, width: FigureWidth = "text") -> None:
        """Draw unique detectors over α, with their errors, as SVG, PDF and PNG, and write the numbers as CSV.

        Args:
            path: the figure.
            width: where it is set: in a ``"column"`` of a paper, over a ``"text"``'s width, or on a ``"slide"``.

        Raises:
            SettingsError: if there is no such width.
        """
        path, threshold = Path(path), self.result.settings.threshold
        deviations = {}
        for layer, by_alpha in self.names.items():
            spreads = [self.result[name].count_spread(threshold) for name in by_alpha.values()]
            deviations[layer] = [None if spread is None else spread.unique_sd for spread in spreads]
        with contextlib.ExitStack() as stack:
            if folders.find_owner(path.parent, RUN_FOLDER) == "ours":
                stack.enter_context(lock_run_folder(path.parent))
            draw_rotation_graph(self.detectors(), path, deviations, width)


def rotate(
    model: nn.Module | str | Network,
    layers: str | nn.Module | Sequence[str | nn.Module] | None,
    data: str | Path | ConceptSource,
    *,
    alphas: Sequence[float] = ALPHAS,
    rotation_seed: int = 1,
    near_axes: bool = False,
    preprocess: PreprocessLike | None = None,
    arch: str | None = None,
    weights: str | Path | None = None,
    trust: bool = False,
    out: str | Path | None = None,
    fresh: bool = False,
    progress: Progress | bool = True,
    settings: Settings | None = None,
    **options: Unpack[SettingsDict],
) -> RotationResult:
    """Dissect layers whose units are rotated by powers Q^α of a random rotation Q, all in one forward pass.

    Args:
        model: as for `netdissect.dissect`.
        layers: the layers to rotate, as for `netdissect.dissect`.
        data: the probe set, as for `netdissect.dissect`.
        alphas: the powers α: 0 leaves the units unchanged, 1 rotates by Q.
        rotation_seed: seed that Q is drawn from.
        near_axes: order the rows of Q by the axes nearest to them, so that the units rotate as little as possible.
        preprocess: as for `netdissect.dissect`.
        arch: as for `netdissect.dissect`.
        weights: as for `netdissect.dissect`.
        trust: as for `netdissect.dissect`.
        out: folder to write the run into; None writes nothing.
        fresh: replace a run in the folder.
        progress: shows how far the run is: bars on a terminal and in a notebook, else a log line every ten
            seconds; False shows nothing. An object with the methods ``start(task, total)`` and ``advance(steps)``
            gets the calls instead.
        settings: all settings; None means the paper's.
        options: single settings by name, such as ``quantile=0.01``.

    Returns:
        the dissection, and the names of its layers by α.

    Raises:
        SettingsError: if the powers or the seed are invalid.
        NetdissectError: as `netdissect.dissect` does.

    Example::

        import netdissect as nd

        rotation = nd.rotate(model, "layer4", "dataset/broden1_224", limit=6)
        [(alpha, found.unique) for alpha, found in rotation.detectors()["layer4"]]
    """
    from netdissect import run
    from netdissect.networks.units.rotation import check_powers, name_rotated_layer

    check_powers(alphas, rotation_seed)
    concepts, settings, _ = api.check_inputs(data, arguments.merge_settings(settings, options), out)
    network = model_loading.as_network(
        model, arguments.require_preprocess(preprocess), arch=arch, weights=weights, trust=trust
    )
    names = arguments.resolve_layer_names(
        layers, network, lambda: run.choose_input_size(network, concepts.image_size, settings.resolution)
    )
    rotated, probed = rotate_layers(
        network, names, alphas, rotation_seed, near_axes=near_axes, resolution=settings.resolution
    )
    result = api.dissect(rotated, probed, concepts, out=out, fresh=fresh, progress=progress, settings=settings)
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
    """Return a network with layers rotated by Q^α, and the rotated layers' names; `rotate` documents the arguments."""
    from netdissect.networks.units.rotation import rotate_units

    known = model_loading.list_layers(network, resolution)
    return rotate_units(network, layers, known, seed=rotation_seed, alphas=alphas, near_axes=near_axes)
