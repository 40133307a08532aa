"""A torch network as it is probed: layers by qualified name, preprocessing carried along."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch

from netdissect.errors import ActivationError, ModelError, UnknownLayerError, root_message, suggest_nearest
from netdissect.networks import layer_names, token_grids
from netdissect.networks.execution import Execution
from netdissect.networks.fingerprint import fingerprint_module
from netdissect.networks.missing_weights import NoWeightsError, describe_missing_weights
from netdissect.networks.prepare import FORWARD_ERRORS, copy_sharing_weights, prepare_module
from netdissect.networks.probe import LayerInfo, Probe, ProbedLayer
from netdissect.networks.sources.python import call_user_code
from netdissect.networks.trace.field_tracer import FieldTracer
from netdissect.networks.trace.hooks import StopForward, evaluation_mode, hook_modules
from netdissect.networks.trace.layer_recorder import LayerRecorder
from netdissect.networks.unit_axes import describe_layer, find_unit_axes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from netdissect.config import Geometry
    from netdissect.layers import Layer
    from netdissect.networks.layer_names import LayerSelector
    from netdissect.networks.preprocess import Preprocess
    from netdissect.networks.probe import Forward
    from netdissect.protocols import ActivationSource, ConceptSource


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
        """How images become its input."""
        ...

    @property
    def input_size(self) -> tuple[int, int] | None:
        """Height and width it was made for, where it says."""
        ...

    def fingerprint(self) -> str:
        """Return a hash of its weights and structure."""
        ...

    def size_for(self, pictures: tuple[int, int]) -> tuple[int, int]:
        """Return height and width of its input for images of a size: theirs, or its own where it takes no other."""
        ...

    def layers(self, input_size: tuple[int, int]) -> list[Layer]:
        """Return everything that can be probed, in the order in which it is computed, for an input of this size."""
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


class ListedNetwork(ABC):
    """A network whose layers are known by running it once on an empty image and looking at what they give.

    Attributes:
        batch: images that it takes at once, where its file fixes that.
        watched: whether what its dimensions mean is known; else shapes alone must do.
        pace: how it is run; None where that cannot be chosen.
    """

    batch: int | None = None
    watched = True
    pace: Execution | None = None

    def __init__(
        self, preprocess: Preprocess, *, name: str, source: str, input_size: tuple[int, int] | None = None
    ) -> None:
        self.preprocess = preprocess
        self.name = name
        self.source = source
        self.input_size = input_size

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a hash of its weights, structure and preprocessing."""

    @abstractmethod
    def names(self) -> Collection[str]:
        """Return the names of all that may be a layer."""

    @abstractmethod
    def has_layer(self, name: str) -> bool:
        """Tell whether a name means something of this network."""

    @abstractmethod
    def look(self, names: Collection[str] | None, input_size: tuple[int, int]) -> dict[str, LayerInfo]:
        """Run on an empty image; return what was seen of some layers, or of all, in the order of computation."""

    @abstractmethod
    def running(
        self, probed: Mapping[str, ProbedLayer], input_size: tuple[int, int], device: torch.device
    ) -> contextlib.AbstractContextManager[Forward]:
        """Return a context that yields the way from an input to the raw outputs of the probed layers."""

    def hints(self) -> token_grids.TokenHints:
        """Return what it says of its tokens."""
        return token_grids.TokenHints()

    def given(self, concepts: ConceptSource, image: int, input_size: tuple[int, int]) -> NDArray[np.generic]:
        """Return what it is given for an image of a probe set: its image, scaled."""
        return concepts.read_image(image, input_size)

    def accepts_size(self, input_size: tuple[int, int]) -> bool:  # noqa: ARG002 - most take any size
        """Tell whether it runs on images of a size as it is."""
        return True

    def size_for(self, pictures: tuple[int, int]) -> tuple[int, int]:
        """Return height and width of its input for images of a size: theirs, or its own where it takes no other."""
        if self.input_size is None or self.input_size == pictures or self.accepts_size(pictures):
            return pictures
        return self.input_size

    def layers(self, input_size: tuple[int, int]) -> list[Layer]:
        """Return everything whose output can be read as units on a grid, in the order of computation."""
        found = []
        for name, seen in self.look(None, input_size).items():
            if seen.track is not None or not self.watched:
                probed = self._probed(name, seen, input_size, "receptive-field")
                found += [probed.layer] if isinstance(probed, ProbedLayer) else []
        return found

    def probe(
        self, layers: Sequence[str], input_size: tuple[int, int], *, geometry: Geometry, device: torch.device
    ) -> ActivationSource:
        """Return the network ready to be probed at some layers."""
        for name in layers:
            if not self.has_layer(name):
                raise UnknownLayerError(f"{self.name} has no layer {name!r}: {suggest_nearest(name, self.names())}")
        seen = self.look(layers, input_size)
        probed = {}
        for name in layers:
            if name not in seen:
                raise ActivationError(
                    f"layer {name} of {self.name} gives no tensor on a forward pass (it is never run, or returns "
                    f"something else): choose another, netdissect layers shows them"
                )
            entry = self._probed(name, seen[name], input_size, geometry)
            if isinstance(entry, str):
                raise ActivationError(
                    f"layer {name} of {self.name} gives an output of shape {seen[name].shape}, which cannot be read "
                    f"as units on a grid ({entry}): choose another, netdissect layers shows them"
                )
            probed[name] = entry
        return Probe(self, probed, input_size, device)

    def _probed(self, name: str, seen: LayerInfo, input_size: tuple[int, int], geometry: Geometry) -> ProbedLayer | str:
        """Read a layer's output as units on a grid; return why not where it is none."""
        track, note = seen.track, ""
        watched = track is not None and not track.is_lost
        if track is None or not watched:
            guessed = token_grids.guess_trace(seen.shape, self.batch or 2, input_size, self.hints())
            if guessed is None:
                return "its shape fits no grid of the input"
            track, note = guessed
            if self.watched and len(seen.shape) == 4:
                note = "its shape is taken for channels, rows and columns: a guess"
        reading = find_unit_axes(track)
        if reading is None:
            return "some of its dimensions mix places"
        heads = ""
        if seen.heads and reading.units % seen.heads == 0:
            heads = f"outputs of {seen.heads} attention heads, {reading.units // seen.heads} units each"
        notes = "; ".join(part for part in (heads, seen.note, note) if part)
        layer = describe_layer(name, seen.kind, reading, track, input_size, geometry, note=notes, watched=watched)
        return ProbedLayer(layer, reading, seen)

    def failed(self, input_size: tuple[int, int], error: Exception) -> ModelError:
        """Return the error for a network that does not run on an image of this size."""
        made = f" (it was made for {self.input_size[0]} x {self.input_size[1]})" if self.input_size else ""
        grey = (
            ", or --colordepth 1 for grey pictures" if "1 channel" in str(error) and self.preprocess.depth == 3 else ""
        )
        return ModelError(
            f"{self.name} does not run on a {input_size[1]} x {input_size[0]} picture with {self.preprocess.depth} "
            f"channels: {root_message(error)}; try another --resolution{made}{grey}"
        )


class TorchNetwork(ListedNetwork):
    """Any ``torch.nn.Module``; layers are its submodules, by qualified name (`naming` tells the rest).

    Attributes:
        layout: of its input in memory.
    """

    layout: torch.memory_format = torch.channels_last
    pace: Execution | None = Execution()

    def __init__(
        self,
        module: nn.Module,
        preprocess: Preprocess,
        *,
        name: str,
        source: str,
        input_size: tuple[int, int] | None = None,
        call: Callable[[nn.Module, torch.Tensor], Any] | None = None,
        fitted: Callable[[nn.Module, tuple[int, int]], None] | None = None,
    ) -> None:
        """Take a module.

        Args:
            module: the network.
            preprocess: how images become its input.
            name: what people call it.
            source: what was typed to get it.
            input_size: height and width it was made for.
            call: how it is called on an input, where that takes more than the input; its `as_it_is`, if it has one,
                without making it take another size.
            fitted: called on a copy of it to make it take inputs of another height and width.
        """
        super().__init__(preprocess, name=name, source=source, input_size=input_size)
        self.module = module
        self._call = GuardedCall(call or call_module)
        self._fitted = fitted

    def fingerprint(self) -> str:
        """Return a hash of its weights and structure."""
        return fingerprint_module(self.module, self.preprocess)

    def names(self) -> Collection[str]:
        """Return the qualified names of its submodules."""
        return [name for name in self.parts(self.module) if name]

    def has_layer(self, name: str) -> bool:
        """Tell whether a name means a submodule, or a part of what one takes or gives."""
        return layer_names.parse_layer_name(name, self.parts(self.module).keys()) is not None

    def hints(self) -> token_grids.TokenHints:
        """Return what it says of its tokens."""
        return token_grids.read_token_hints(self.module)

    def remarks(self) -> list[str]:
        """Return which of its parts have no weights."""
        return describe_missing_weights(self.module)

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of its weights."""
        return next((p.dtype for p in self.module.parameters() if p.is_floating_point()), torch.float32)

    def make_blank_input(self, input_size: tuple[int, int]) -> torch.Tensor:
        """Return a black image as its input: two of them, so that only a real dimension of length 1 looks like one."""
        device = next((p.device for p in self.module.parameters()), torch.device("cpu"))
        black = torch.zeros((self.batch or 2, *input_size, 3), dtype=torch.uint8, device=device)
        return self.preprocess(black).to(self.dtype, memory_format=torch.contiguous_format)

    def look(self, names: Collection[str] | None, input_size: tuple[int, int]) -> dict[str, LayerInfo]:
        """Run it once on an empty image and see what its layers give.

        Layers that were seen before it failed are known all the same: a classifier made for another size is no reason
        not to dissect the convolutions before it.
        """
        module, note = self.copy_for_inspection()
        pictures = self.make_blank_input(input_size)
        tracer = FieldTracer(pictures)
        witness = LayerRecorder(self.parts(module), names, tracer)
        with evaluation_mode(module), self.watching(module, witness.selectors, witness.see):
            try:
                self._fit(module, input_size)
                with torch.no_grad(), tracer:
                    self._call(module, pictures)
            except NoWeightsError:
                if names is not None and not witness.is_complete:
                    raise
            except FORWARD_ERRORS as error:
                if not witness.is_complete:
                    raise self.failed(input_size, error) from error
                note = "; ".join(
                    part for part in (note, f"the network fails behind it ({root_message(error)})") if part
                )
        return witness.seen(note)

    def accepts_size(self, input_size: tuple[int, int]) -> bool:
        """Tell whether it runs on images of a size as it is, with no table resampled."""
        module, _ = self.copy_for_inspection()
        as_it_is = self._call.as_it_is
        with evaluation_mode(module), torch.no_grad():
            try:
                as_it_is(module, self.make_blank_input(input_size))
            except NoWeightsError:
                return True
            except FORWARD_ERRORS:
                return False
        return True

    @contextlib.contextmanager
    def running(
        self, probed: Mapping[str, ProbedLayer], input_size: tuple[int, int], device: torch.device
    ) -> Iterator[Forward]:
        """Run a prepared copy, as far as its last probed layer."""
        names = self.parts(self.module).keys()
        selectors = {
            name: selector for name in probed if (selector := layer_names.parse_layer_name(name, names)) is not None
        }
        module = self.ready(selectors, input_size, device)
        pace = self.pace or Execution()
        outputs: dict[str, torch.Tensor] = {}
        calls: dict[str, int] = {}

        def see(name: str, value: Any) -> None:
            tensor = selectors[name].pick(value)
            if tensor is None:
                return
            calls[name] = calls.get(name, 0) + 1
            seen = probed[name].seen
            if calls[name] >= seen.calls:
                # What runs in place later must not change what was seen.
                outputs[name] = tensor.clone() if seen.overwritten else tensor
                # What nobody looks at a compiler leaves out by itself, and an exception stops it.
                if len(outputs) == len(probed) and not pace.compile:
                    raise StopForward

        def compute(x: torch.Tensor) -> Mapping[str, torch.Tensor]:
            outputs.clear()
            calls.clear()
            self._call(module, x)
            return dict(outputs)

        def as_far_as_needed(x: torch.Tensor) -> Mapping[str, torch.Tensor]:
            with contextlib.suppress(StopForward):
                compute(x)
            return dict(outputs)

        home = next((p.device for p in module.parameters()), device)
        quick = pace(compute if pace.compile else as_far_as_needed, home)

        def run(x: torch.Tensor) -> Mapping[str, torch.Tensor]:
            return quick(x.to(home, self.dtype, memory_format=self.layout))

        with evaluation_mode(module), self.watching(module, selectors, see):
            yield run

    def parts(self, module: nn.Module) -> Mapping[str, nn.Module]:
        """Return what may be a layer of the network or of a copy of it, by name; itself as the empty name."""
        return dict(module.named_modules())

    def copy_for_inspection(self) -> tuple[nn.Module, str]:
        """Return what is run to look at it: a copy, or itself and a note that says why."""
        return copy_sharing_weights(self.module)

    def ready(
        self, selectors: Mapping[str, LayerSelector], input_size: tuple[int, int], device: torch.device
    ) -> nn.Module:
        """Return what is run to probe it: a copy that is quick and computes the same."""
        return prepare_module(
            self.module,
            {selector.module for selector in selectors.values() if not selector.is_input},
            self.make_blank_input(input_size),
            entered={selector.module for selector in selectors.values() if selector.is_input},
            call=self._call,
            fit=lambda module: self._fit(module, input_size),
            device=device,
        )

    def watching(
        self, module: nn.Module, selectors: Mapping[str, LayerSelector], see: Callable[[str, Any], None]
    ) -> contextlib.AbstractContextManager[None]:
        """Return a context in which ``see(name, value)`` is called for every selected part that runs."""
        return hook_modules(self.parts(module), selectors, see)

    def _fit(self, module: nn.Module, input_size: tuple[int, int]) -> None:
        if self._fitted is not None and input_size != self.input_size:
            self._fitted(module, input_size)


def remarks_of(network: Network) -> list[str]:
    """Return what a person should know of a network before it is probed, such as parts without weights."""
    told = getattr(network, "remarks", None)
    return list(told()) if callable(told) else []


@dataclass(frozen=True)
class GuardedCall:
    """A way of calling a network that fails in one sentence, whatever it raises (`python.contained`).

    Attributes:
        call: the way.
    """

    call: Callable[[nn.Module, torch.Tensor], Any]

    def __call__(self, module: nn.Module, x: torch.Tensor) -> Any:
        """Call the network."""
        return call_user_code(self.call, module, x)

    def as_it_is(self, module: nn.Module, x: torch.Tensor) -> Any:
        """Call the network without making it take another size."""
        return call_user_code(getattr(self.call, "as_it_is", self.call), module, x)


def call_module(module: nn.Module, x: torch.Tensor) -> Any:
    """Call a network on nothing but its input."""
    return module(x)
