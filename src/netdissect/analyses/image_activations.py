"""Run a network on images, and find the labeled units of a run that fire in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from netdissect.engine.scan import raise_non_finite
from netdissect.errors import ActivationError
from netdissect.networks.execution import Execution
from netdissect.report.browser_images import shrink_image
from netdissect.report.image_look import ImageLook, select_firing
from netdissect.run.prepared_run import resolve_device

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.networks.network import Network
    from netdissect.protocols import ActivationSource, ConceptSource, Progress
    from netdissect.report.image_look import LayerLook
    from netdissect.results.run_result import Result

#: Images per forward pass where the run records no number.
_BATCH = 8


def read_with_network(
    run: Result,
    network: Network,
    concepts: ConceptSource,
    positions: Sequence[int],
    labeled: Mapping[str, NDArray[np.int64]],
    device: str,
    progress: Progress,
    *,
    has_rows: bool = False,
) -> list[ImageLook]:
    """Return the units that fire in images.

    Args:
        run: the run, whose layers, input size, geometry and precision are used.
        network: the network that it dissected.
        concepts: the images.
        positions: positions of the images in it.
        labeled: the labeled units of every layer, counted from 0, by layer name.
        device: where the network runs.
        progress: advanced by one for each image.
        has_rows: whether the images are the run's probe set, so that their rows are recorded.

    Raises:
        ActivationError: if a layer does not run on an image, gives NaN, or is not as the run found it.
        DataError: or a subclass, if an image cannot be read.
    """
    settings, found = run.settings, []
    size = settings.batch_size or _BATCH  # with another number, the last bits of activations may differ from the run's
    source = network.probe(
        list(run.layers), run.network.input_size, geometry=settings.geometry, device=resolve_device(device),
        execution=Execution(settings.precision, False, settings.linear),
    )  # fmt: skip
    _require_same_layers(run, source)
    progress.start("look", len(positions))
    with source:
        for start in range(0, len(positions), size):
            batch = positions[start : start + size]
            outputs = source.activations(np.stack([source.model_input(concepts, image) for image in batch]))
            for place, image in enumerate(batch):
                layers = {
                    name: _find_firing(run, name, labeled[name], outputs[name][place], image, concepts)
                    for name in run.layers
                }
                row = concepts.row(image) if has_rows else None
                found.append(
                    ImageLook(concepts.image_name(image), shrink_image(concepts.read_image(image)), layers, row)
                )
            progress.advance(len(batch))
    return found


def _find_firing(
    run: Result, name: str, labeled: NDArray[np.int64], activations: torch.Tensor, image: int, concepts: ConceptSource
) -> LayerLook:
    """Return the labeled units of a layer that fire in an image, from its activations, shape (h, w, U)."""
    layer = run.layers[name]
    finite = torch.isfinite(activations).all(dim=0).all(dim=0).cpu().numpy()
    if not finite.all():
        raise_non_finite(layer.layer, ~finite[None], np.array([image]), concepts.image_name)
    grids = activations[..., torch.from_numpy(labeled).to(activations.device)].permute(2, 0, 1)
    return select_firing(
        layer, run.network.input_size, labeled, labeled, np.ascontiguousarray(grids.cpu().numpy(), np.float32)
    )


def _require_same_layers(run: Result, source: ActivationSource) -> None:
    """Refuse a network whose layers are not as the run found them."""
    for layer in source.layers:
        then = run.layers[layer.name].layer
        if (layer.units, layer.grid) != (then.units, then.grid):
            raise ActivationError(
                f"layer {layer.name} has {layer.units} units on {layer.grid[0]} x {layer.grid[1]} cells, and had {then.units} on "
                f"{then.grid[0]} x {then.grid[1]} in the run: run it again with this version"
            )
