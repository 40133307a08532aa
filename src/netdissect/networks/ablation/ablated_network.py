"""A network prepared to give its class outputs with units of one layer removed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from netdissect.errors import ActivationError, ModelError, NetdissectError, root_message
from netdissect.networks.ablation.class_outputs import (
    are_probabilities,
    describe_outputs,
    pick_class_outputs,
    take_logarithm,
)
from netdissect.networks.ablation.cut_forward import keep_output
from netdissect.networks.ablation.set_removal import SetRemoval
from netdissect.networks.ablation.unit_removal import find_unit_removal
from netdissect.networks.image_upload import ImageUpload
from netdissect.networks.module_copies import FORWARD_ERRORS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.networks.ablation.cut_forward import CutForward
    from netdissect.networks.listed_network import ListedNetwork
    from netdissect.networks.probe import ProbedLayer
    from netdissect.protocols import ConceptSource


class AblatedNetwork:
    """A network with units of one layer removed, an AblationSource. The network itself never changes.

    Attributes:
        layer: the layer.
        input_size: height and width of the input in pixels.
        classes: number of class outputs.
        note: why parts below the layer run for every set of units; empty if they do not.
    """

    def __init__(
        self, network: ListedNetwork, entry: ProbedLayer, input_size: tuple[int, int], device: torch.device
    ) -> None:
        self._network = network
        self._entry = entry
        self._device = device
        self._upload = ImageUpload(device)
        self._removal = find_unit_removal(entry, entry.info.trace, network.name)
        self._open = contextlib.ExitStack()
        self._forward: CutForward | None = None
        self._sets: SetRemoval | None = None
        self._is_checked = False
        self._gives_probabilities = False
        self.layer = entry.layer
        self.input_size = input_size
        self.classes = 0

    @property
    def note(self) -> str:
        """Why parts below the layer run for every set of units; empty if they do not."""
        return "" if self._sets is None else self._sets.describe(self.layer.name)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._forward = stack.enter_context(
                self._network.open_class_forward(self._entry, self.input_size, self._device)
            )
            self._sets = SetRemoval(self._forward, self._removal, self._read_outputs)
            self._is_checked = False
            with torch.inference_mode():
                self._inspect_outputs()
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._forward = None
        self._open.close()

    def model_input(self, concepts: ConceptSource, image: int) -> NDArray[np.generic]:
        """Return the network's input for an image of a probe set."""
        return self._network.model_input(concepts, image, self.input_size)

    def measure(self, inputs: NDArray[np.generic]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the whole network on a batch (see `AblationSource.measure`).

        Raises:
            ActivationError: if it fails on these images, or an output is not finite.
        """
        means: list[torch.Tensor] = []

        def record_means(output: torch.Tensor) -> torch.Tensor:
            means.append(self._entry.axes(output, len(inputs)).float().mean((1, 2)))
            return output

        with torch.inference_mode(), self._explain_errors():
            outputs = self._read_outputs(self._get_forward().run(self._prepare(inputs), record_means))
        if not means:
            raise self._make_skipped_error()
        return self._to_array(outputs), means[0].cpu().numpy()

    def remove(
        self, inputs: NDArray[np.generic], removed: NDArray[np.bool_], values: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Run a batch with sets of units removed (see `AblationSource.remove`).

        Raises:
            ActivationError: if it fails on these images, or an output is not finite.
        """
        assert self._sets is not None, "enter the block first"
        sets, constants = torch.from_numpy(removed), torch.from_numpy(values)
        found = np.empty((len(removed), len(inputs), self.classes), np.float32)
        with torch.inference_mode(), self._explain_errors():
            if not self._is_checked:
                self._check_cut(self._sets, self._prepare(inputs[:3]))
            for start in range(0, len(inputs), self._sets.rows):
                batch = slice(start, start + self._sets.rows)
                found[:, batch] = self._to_array(self._sets(self._prepare(inputs[batch]), sets, constants))
        return found

    def _inspect_outputs(self) -> None:
        """Find the class outputs and the cut, with noise in the place of images.

        Raises:
            ModelError: if the network has no class outputs, or they do not depend on the layer.
        """
        noise = np.random.default_rng(0).integers(0, 256, (2, *self.input_size, 3), np.uint8)
        x = self._prepare(noise)
        try:
            returned = self._get_forward().run(x, keep_output)
            outputs = pick_class_outputs(returned)
            if outputs is None or len(outputs) != len(noise):
                raise ModelError(
                    f"{self._network.name} has no class outputs: expected scores of shape (images, classes) for at least two "
                    f"classes, and it returns {describe_outputs(returned)}; ablation needs a network that classifies images"
                )
            self.classes = outputs.shape[1]
            self._gives_probabilities = are_probabilities(outputs)
            changed = pick_class_outputs(self._get_forward().run(x, _draw_noise))
        except FORWARD_ERRORS as error:
            if isinstance(error, NetdissectError) or "memory" in str(error):
                raise
            raise ModelError(
                f"{self._network.name} gives no class outputs for images of {self.input_size[1]} x {self.input_size[0]} pixels "
                f"({root_message(error)}): ablation needs a network that classifies images of this size"
            ) from error
        if changed is None or torch.equal(outputs, changed):
            raise ModelError(
                f"the class outputs of {self._network.name} do not depend on layer {self.layer.name} with its weights: choose another layer, "
                f"netdissect layers shows them"
            )
        assert self._sets is not None
        self._sets.choose(x)

    def _check_cut(self, sets: SetRemoval, x: torch.Tensor) -> None:
        """Check the chosen cut on the first images; of one image, together with its mirror image."""
        sets.choose(torch.cat([x, x.flip(-1)]) if len(x) == 1 else x)
        self._is_checked = True

    def _get_forward(self) -> CutForward:
        assert self._forward is not None, "enter the block first"
        return self._forward

    def _prepare(self, inputs: NDArray[np.generic]) -> torch.Tensor:
        return self._network.preprocess(self._upload(inputs))

    def _read_outputs(self, returned: Any, rows: int | None = None) -> torch.Tensor:
        """Return class outputs as logits.

        Raises:
            ActivationError: if they have another shape than for a blank image.
        """
        outputs = pick_class_outputs(returned)
        if outputs is None or outputs.shape[1] != self.classes or (rows is not None and len(outputs) != rows):
            raise ActivationError(
                f"{self._network.name} returns {describe_outputs(returned)}, where {self.classes} class outputs were expected: "
                f"its outputs depend on the number of images, and its units cannot be removed"
            )
        return take_logarithm(outputs) if self._gives_probabilities else outputs

    def _to_array(self, outputs: torch.Tensor) -> NDArray[np.float32]:
        found: NDArray[np.float32] = outputs.float().cpu().numpy()
        if not np.isfinite(found).all():
            raise ActivationError(
                f"{self._network.name} gives class outputs that are not finite: check its weights and input"
            )
        return found

    def _make_skipped_error(self) -> ActivationError:
        return ActivationError(
            f"layer {self.layer.name} of {self._network.name} ran on a blank image and does not run on these: a layer that only "
            f"some images reach cannot be ablated"
        )

    @contextlib.contextmanager
    def _explain_errors(self) -> Any:
        """Turn errors of the forward pass into one sentence; running out of memory stays as it is."""
        try:
            yield
        except NetdissectError:
            raise
        except FORWARD_ERRORS as error:
            if "memory" in str(error):
                raise
            raise ActivationError(f"{self._network.name} fails on these images ({root_message(error)})") from error


def _draw_noise(output: torch.Tensor) -> torch.Tensor:
    """Return noise of a layer's output's size and range, larger than zero too."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(output.shape, generator=generator).to(output.device, output.dtype)
    return noise * (1 + output.float().abs().max()).to(output.dtype)
