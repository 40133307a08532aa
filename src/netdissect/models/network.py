"""A torch network as it is probed: layers by qualified name, preprocessing carried along."""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import torch

from netdissect.errors import ActivationError, ModelError, UnknownLayerError, nearest
from netdissect.geometry import fieldmap
from netdissect.layers import Layer
from netdissect.models.hooks import Enough, evaluating, watching
from netdissect.models.prepare import prepared
from netdissect.models.receptive import FieldTracer, Track

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import nn

    from netdissect.config import Geometry
    from netdissect.models.preprocess import Preprocess
    from netdissect.protocols import ActivationSource


class Network(Protocol):
    """Any network that can be dissected, whatever file or library it came from."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def source(self) -> str:
        """What was typed to get it."""
        ...

    @property
    def preprocess(self) -> Preprocess:
        """How pictures become its input."""
        ...

    @property
    def input_size(self) -> tuple[int, int] | None:
        """Height and width it was made for, where it says."""
        ...

    def fingerprint(self) -> str:
        """Return a hash of its weights and structure."""
        ...

    def layers(self, input_size: tuple[int, int]) -> list[Layer]:
        """Return everything that can be probed, for an input of this size."""
        ...

    def probe(
        self, layers: Sequence[str], input_size: tuple[int, int], *, geometry: Geometry, device: torch.device
    ) -> ActivationSource:
        """Return it ready to be probed at some layers.

        Raises:
            UnknownLayerError: if it has no such layer.
            ActivationError: if a layer's output has no units.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Shaped:
    """How a module's output is to be read: which dimension holds the units, which the grid."""

    layer: Layer
    calls: int
    order: tuple[int, ...]
    overwritten: bool


class TorchNetwork:
    """Any ``torch.nn.Module``; layers are its submodules, by qualified name."""

    def __init__(
        self,
        module: nn.Module,
        preprocess: Preprocess,
        *,
        name: str,
        source: str,
        input_size: tuple[int, int] | None = None,
    ) -> None:
        self.module = module
        self.preprocess = preprocess
        self.name = name
        self.source = source
        self.input_size = input_size

    def fingerprint(self) -> str:
        """Return a hash of its weights and structure."""
        return module_fingerprint(self.module, self.preprocess)

    def layers(self, input_size: tuple[int, int]) -> list[Layer]:
        """Return every submodule whose output can be read as units on a grid."""
        names = [name for name, _ in self.module.named_modules() if name]
        found = self._trace(names, input_size, "receptive-field", strict=False)
        return [found[name].layer for name in names if name in found]

    def probe(
        self, layers: Sequence[str], input_size: tuple[int, int], *, geometry: Geometry, device: torch.device
    ) -> ActivationSource:
        """Return the network ready to be probed at some layers."""
        known = [name for name, _ in self.module.named_modules() if name]
        for layer in layers:
            if layer not in known:
                raise UnknownLayerError(f"{self.name} has no layer {layer!r}: {nearest(layer, known)}")
        return TorchSource(self, self._trace(layers, input_size, geometry, strict=True), input_size, device)

    def _trace(
        self, names: Iterable[str], input_size: tuple[int, int], geometry: Geometry, *, strict: bool
    ) -> dict[str, _Shaped]:
        """Run the network once on an empty picture and read what its layers give."""
        modules = dict(self.module.named_modules())
        calls: Counter[str] = Counter()
        outputs: dict[str, torch.Tensor] = {}
        versions: dict[str, int] = {}

        def see(name: str, output: Any) -> None:
            if isinstance(output, torch.Tensor):
                calls[name] += 1
                outputs[name] = output
                versions[name] = output._version  # noqa: SLF001 - counts what was done to it in place

        pictures = self.empty_picture(input_size)
        tracer = FieldTracer(pictures)
        with evaluating(self.module), watching({name: modules[name] for name in names}, see):
            try:
                with torch.no_grad(), tracer:
                    self.module(pictures)
            except (RuntimeError, ValueError, TypeError, AssertionError, IndexError) as error:
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise ModelError(
                    f"{self.name} does not run on a {input_size[1]} x {input_size[0]} picture with "
                    f"{self.preprocess.depth} channels: {reason}; try another --resolution"
                ) from error
        found = {}
        for name in names:
            if name not in outputs:
                if strict:
                    raise ActivationError(
                        f"layer {name} of {self.name} gives no tensor on a forward pass (it is never run, or returns "
                        f"something else): choose another, netdissect layers shows them"
                    )
                continue
            shaped = self._shape(
                name, type(modules[name]).__name__, outputs[name], tracer.of(outputs[name]), input_size
            )
            if shaped is None:
                if strict:
                    raise ActivationError(
                        f"layer {name} of {self.name} gives an output of shape {tuple(outputs[name].shape)}, which "
                        f"cannot be read as units on a grid: choose another, netdissect layers shows them"
                    )
                continue
            layer, order = shaped
            if geometry == "grid":
                layer = replace(layer, field=fieldmap.even_grid(input_size, layer.grid), geometry="grid")
            overwritten = outputs[name]._version > versions[name]  # noqa: SLF001
            found[name] = _Shaped(layer, calls[name], order, overwritten)
        return found

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of its weights."""
        return next((p.dtype for p in self.module.parameters() if p.is_floating_point()), torch.float32)

    def empty_picture(self, input_size: tuple[int, int]) -> torch.Tensor:
        """Return a black picture as its input: two of them, so that only a real dimension of length 1 looks like one."""
        device = next((p.device for p in self.module.parameters()), torch.device("cpu"))
        black = torch.zeros((2, *input_size, 3), dtype=torch.uint8, device=device)
        return self.preprocess(black).to(self.dtype)

    @staticmethod
    def _shape(
        name: str, kind: str, output: torch.Tensor, track: Track | None, input_size: tuple[int, int]
    ) -> tuple[Layer, tuple[int, ...]] | None:
        """Read an output as (units, grid) and return the order that brings it to (B, U, h, w)."""
        shape = tuple(output.shape)
        if not output.is_floating_point():
            return None
        if len(shape) == 2:
            field = fieldmap.even_grid(input_size, (1, 1))
            return Layer(name, shape[1], (1, 1), field, "grid", kind), (0, 1)
        if len(shape) != 4:
            return None
        order = (0, 1, 2, 3)
        if (track is not None and track.spatial == (1, 2)) or (
            (track is None or track.spatial is None) and shape[1] == shape[2] != shape[3]
        ):
            order = (0, 3, 1, 2)
        units, h, w = (shape[axis] for axis in order[1:])
        if track is not None and track.field is not None and track.spatial is not None:
            return Layer(name, units, (h, w), track.field, "receptive-field", kind), order
        note = "" if (h, w) == (1, 1) else "its receptive fields cannot be traced"
        return Layer(name, units, (h, w), fieldmap.even_grid(input_size, (h, w)), "grid", kind, note), order


class TorchSource:
    """A TorchNetwork standing ready: an ActivationSource. It works on a prepared copy; the network is not touched."""

    def __init__(
        self, network: TorchNetwork, shaped: Mapping[str, _Shaped], input_size: tuple[int, int], device: torch.device
    ) -> None:
        self._network = network
        self._shaped = shaped
        self._device = device
        self._outputs: dict[str, torch.Tensor] = {}
        self._calls: Counter[str] = Counter()
        self._open = contextlib.ExitStack()
        self._ready: nn.Module | None = None
        self.input_size = input_size
        self.layers = tuple(entry.layer for entry in shaped.values())

    def __enter__(self) -> Self:
        module = self._network.module
        empty = self._network.empty_picture(self.input_size)
        self._ready = prepared(module, self._shaped, empty).to(self._device)
        modules = dict(self._ready.named_modules())
        with contextlib.ExitStack() as stack:
            stack.enter_context(watching({name: modules[name] for name in self._shaped}, self._see))
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self._ready = None

    def activations(self, pictures: NDArray[np.uint8]) -> Mapping[str, torch.Tensor]:
        """Run the network on a batch until every probed layer has run."""
        assert self._ready is not None
        self._outputs.clear()
        self._calls.clear()
        with torch.inference_mode(), contextlib.suppress(Enough):
            x = self._network.preprocess(torch.from_numpy(pictures).to(self._device))
            self._ready(x.to(self._network.dtype, memory_format=torch.channels_last))
        return dict(self._outputs)

    def _see(self, name: str, output: Any) -> None:
        self._calls[name] += 1
        if self._calls[name] < self._shaped[name].calls:
            return
        shaped = self._shaped[name]
        seen = output.permute(shaped.order).reshape(output.shape[0], shaped.layer.units, *shaped.layer.grid)
        # What runs in place later must not change what was seen.
        self._outputs[name] = (seen.clone() if shaped.overwritten else seen).float()
        if all(self._calls[key] >= entry.calls for key, entry in self._shaped.items()):
            raise Enough


def module_fingerprint(module: nn.Module, preprocess: Preprocess) -> str:
    """Return a hash of a network's structure, weights and preprocessing."""
    hashed = hashlib.blake2b(digest_size=16)
    hashed.update(repr(module).encode())
    hashed.update(preprocess.describe().encode())
    hashed.update(np.ascontiguousarray(preprocess.mean).tobytes())
    for name, tensor in sorted(module.state_dict().items()):
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        data = tensor.detach().cpu().contiguous().reshape(-1)
        hashed.update(data.view(torch.uint8).numpy().tobytes() if data.numel() else b"")
    return hashed.hexdigest()
