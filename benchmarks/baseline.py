"""The best forward pass of torch: packed or not, in either memory layout, in batches of any size, up to a layer.

It shares no code with the product but the decoding of an image and the preprocessing: batch norms are folded, and layers
packed in oneDNN's own order of weights, by what torch offers.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Preprocess = Callable[[torch.Tensor], torch.Tensor]

#: Batch sizes that are tried.
BATCHES = (1, 2, 4, 8, 16, 32, 64)
#: Memory layouts that are tried.
LAYOUTS = {"channels last": torch.channels_last, "default layout": torch.contiguous_format}
#: Combinations that are measured again, several times.
FINALISTS = 4


@dataclass(frozen=True, slots=True)
class Combination:
    """One way to run a network.

    Attributes:
        layout: memory layout, one of LAYOUTS.
        packed: whether weights are kept in oneDNN's order.
        batch: images per forward pass.
    """

    layout: str
    packed: bool
    batch: int

    def __str__(self) -> str:
        return f"{self.layout}{', packed' if self.packed else ''}, batches of {self.batch}"


class _LastLayerError(Exception):
    """Ends a forward pass after the last probed layer."""


class PackedConvolution(nn.Module):
    """A convolution whose weights are in the order oneDNN wants them for inputs of one size."""

    def __init__(self, layer: nn.Conv2d, input_size: Sequence[int]) -> None:
        super().__init__()
        self.options = [list(layer.padding), list(layer.stride), list(layer.dilation), layer.groups]
        self.weight = torch.ops.aten.mkldnn_reorder_conv2d_weight(
            layer.weight.detach().to_mkldnn(), *self.options, list(input_size)
        )
        self.bias = layer.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the convolution of x."""
        result: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(  # noqa: SLF001 - torch has no public name for it
            x, self.weight, self.bias, *self.options, "none", [], ""
        )
        return result


class PackedLinear(nn.Module):
    """A linear layer whose weights are in the order oneDNN wants them for a number of rows."""

    def __init__(self, layer: nn.Linear, rows: int) -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), rows)  # noqa: SLF001
        self.bias = layer.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x times the weights."""
        result: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")  # noqa: SLF001
        return result


class TorchPass:
    """A network prepared for forward passes, each of which ends after the last of some layers.

    Args:
        module: the network; it is not changed.
        layers: names of the layers; none for the whole network.
        combination: how it is run.
        preprocess: makes the network's input of images, uint8, shape (B, H, W, 3).
        size: height and width of the images.
        fold: whether batch norms are folded.
    """

    def __init__(
        self,
        module: nn.Module,
        layers: Sequence[str],
        combination: Combination,
        preprocess: Preprocess,
        size: tuple[int, int],
        *,
        fold: bool = True,
    ) -> None:
        self.batch, self.layout = combination.batch, LAYOUTS[combination.layout]
        self._layers, self._preprocess = layers, preprocess
        self._outputs: dict[str, torch.Tensor] = {}
        self._module = copy.deepcopy(module).eval()
        if fold:
            fold_batch_norms(self._module)
        self._module.to(memory_format=self.layout)
        if combination.packed:
            pack_layers(self._module, self._prepare(np.zeros((self.batch, *size, 3), np.uint8)))
        for name in layers:
            self._module.get_submodule(name).register_forward_hook(self._make_hook(name))

    def _make_hook(self, name: str) -> Callable[..., None]:
        def keep(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
            self._outputs[name] = output
            if len(self._outputs) == len(self._layers):
                raise _LastLayerError

        return keep

    def _prepare(self, images: np.ndarray) -> torch.Tensor:
        return self._preprocess(torch.from_numpy(images)).contiguous(memory_format=self.layout)

    def run(self, images: np.ndarray) -> dict[str, torch.Tensor]:
        """Run the network on a batch of images, uint8, shape (B, H, W, 3); return the outputs of the layers."""
        with torch.inference_mode():
            return self.run_input(self._prepare(images))

    def run_input(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Run the network on an input, shape (B, C, H, W), on its own device; return the outputs of the layers."""
        self._outputs = {}
        with torch.inference_mode(), contextlib.suppress(_LastLayerError):
            self._module(x.contiguous(memory_format=self.layout))
        return self._outputs


def fold_batch_norms(module: nn.Module) -> None:
    """Fold every batch norm into the convolution before it, in place; a network that torch.fx cannot trace stays as it is."""
    try:
        graph = torch.fx.symbolic_trace(module).graph
    except Exception:  # noqa: BLE001 - tracing fails in many ways
        return
    parts = dict(module.named_modules())
    for node in graph.nodes:
        if node.op != "call_module" or not isinstance(parts[node.target], nn.BatchNorm2d):
            continue
        before = node.args[0]
        if before.op == "call_module" and isinstance(parts[before.target], nn.Conv2d) and len(before.users) == 1:
            module.set_submodule(before.target, fuse_conv_bn_eval(parts[before.target], parts[node.target]))
            module.set_submodule(node.target, nn.Identity())


def pack_layers(module: nn.Module, x: torch.Tensor) -> None:
    """Replace convolutions and linear layers that run on an input by packed ones, in place."""
    shapes: dict[str, torch.Size] = {}

    def make_hook(name: str) -> Callable[..., None]:
        return lambda _module, inputs: shapes.__setitem__(name, inputs[0].shape)

    found = {name: part for name, part in module.named_modules() if type(part) in (nn.Conv2d, nn.Linear)}
    hooks = [part.register_forward_pre_hook(make_hook(name)) for name, part in found.items()]
    with torch.inference_mode():
        module(x)
    for hook in hooks:
        hook.remove()
    for name, shape in shapes.items():
        part = found[name]
        if isinstance(part, nn.Linear):
            module.set_submodule(name, PackedLinear(part, shape[:-1].numel()))
        elif part.padding_mode == "zeros" and not isinstance(part.padding, str):
            module.set_submodule(name, PackedConvolution(part, shape))


def find_best(
    module: nn.Module,
    layers: Sequence[str],
    images: np.ndarray,
    preprocess: Preprocess,
    combinations: Sequence[Combination] | None = None,
) -> Combination:
    """Return the quickest combination over some images.

    Args:
        module: the network.
        layers: layers after whose last the pass ends; none for the whole network.
        images: uint8, shape (N, H, W, 3).
        preprocess: makes the network's input of images.
        combinations: what is tried; None for everything.
    """
    size = images.shape[1:3]
    tried = combinations or [
        Combination(layout, packed, batch) for layout, packed, batch in itertools.product(LAYOUTS, (False, True), BATCHES)
    ]  # fmt: skip
    taken = {}
    for each in tried:
        prepared = TorchPass(module, layers, each, preprocess, size)
        run_decoded(prepared, images[: each.batch])  # the first passes allocate memory
        taken[each] = _time_pass(prepared, images)
    finalists = {
        each: TorchPass(module, layers, each, preprocess, size) for each in sorted(taken, key=taken.__getitem__)[:FINALISTS]
    }  # fmt: skip
    rounds = [{each: _time_pass(prepared, images) for each, prepared in finalists.items()} for _ in range(3)]
    return min(finalists, key=lambda each: min(turn[each] for turn in rounds))


def _time_pass(prepared: TorchPass, images: np.ndarray) -> float:
    start = time.perf_counter()
    run_decoded(prepared, images)
    return time.perf_counter() - start


def run_decoded(prepared: TorchPass, images: np.ndarray) -> None:
    """Run a network over images that are in memory."""
    for start in range(0, len(images), prepared.batch):
        prepared.run(images[start : start + prepared.batch])


def run_decoding(prepared: TorchPass, read: Callable[[int], np.ndarray], images: int, threads: int) -> None:
    """Run a network over images that threads decode meanwhile.

    Args:
        prepared: the network.
        read: decodes an image, given its position.
        images: number of images.
        threads: number of threads that decode.
    """
    for batch in _read_batches(read, images, prepared.batch, threads):
        prepared.run(np.stack(batch))


def _read_batches(
    read: Callable[[int], np.ndarray], images: int, size: int, threads: int
) -> Iterator[list[np.ndarray]]:
    """Yield batches of decoded images; at least two batches and sixteen images are read ahead."""
    ahead = max(2 * size, 16)
    with ThreadPoolExecutor(threads) as pool:
        waiting = [pool.submit(read, image) for image in range(min(ahead, images))]
        following = iter(range(len(waiting), images))
        while waiting:
            batch = [future.result() for future in waiting[:size]]
            waiting = waiting[size:] + [pool.submit(read, image) for image in itertools.islice(following, size)]
            yield batch
