"""Networks made of torch modules: layers are submodules, by qualified name."""

from __future__ import annotations

import contextlib
import inspect
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from netdissect.errors import ModelError, root_message
from netdissect.networks import failures, layer_names
from netdissect.networks.ablation.layer_hook import hook_last_call
from netdissect.networks.ablation.torch_cuts import open_torch_cuts
from netdissect.networks.fingerprint import fingerprint_module
from netdissect.networks.listed_network import ListedNetwork
from netdissect.networks.missing_weights import NoWeightsError, describe_missing_weights
from netdissect.networks.module_copies import FORWARD_ERRORS, copy_sharing_weights, find_device, prepare_module
from netdissect.networks.output_recorder import OutputRecorder
from netdissect.networks.packed_linear import LinearRecorder
from netdissect.networks.packed_weights import pack_convolutions
from netdissect.networks.sources.python import call_user_code
from netdissect.networks.trace.field_tracer import FieldTracer
from netdissect.networks.trace.hooks import evaluation_mode, hook_modules
from netdissect.networks.trace.layer_recorder import LayerRecorder
from netdissect.networks.unit_axes import FAILS_AFTER

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Collection, Iterator, Mapping

    from torch import nn

    from netdissect.networks.ablation.cut_forward import CutForward, Edit
    from netdissect.networks.execution import Execution, Forward
    from netdissect.networks.layer_names import LayerSelector
    from netdissect.networks.packed_linear import LinearCall
    from netdissect.networks.probe import LayerInfo, ProbedLayer


def call_module(module: nn.Module, x: torch.Tensor) -> Any:
    """Call a module with its input alone."""
    return module(x)


@dataclass(frozen=True)
class KeywordCall:
    """Calls a module with its input as a keyword argument.

    Attributes:
        keyword: name of the argument.
    """

    keyword: str

    def __call__(self, module: nn.Module, x: torch.Tensor) -> Any:
        """Call the module."""
        return module(**{self.keyword: x})


def find_keyword_call(module: nn.Module) -> KeywordCall | None:
    """Return how to call a module that takes its images only by keyword; None for any other module."""
    try:
        parameters = list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):  # code without a signature
        return None
    by_keyword = bool(parameters) and parameters[0].kind is inspect.Parameter.KEYWORD_ONLY
    return KeywordCall(parameters[0].name) if by_keyword else None


@dataclass(frozen=True, eq=False, repr=False)
class TorchNetwork(ListedNetwork):
    """Any ``torch.nn.Module``; `layer_names` defines the names of its layers.

    Attributes:
        module: the module. It is never changed.
        call: how it is called with an input (B, C, H, W). Its method ``call_unresized``, if it has one, calls it
            without adapting it to the input's size.
        fit: adapts a copy of the module to another input size, in place.
        layout: memory format of its input.
    """

    module: nn.Module
    _: KW_ONLY
    call: Callable[[nn.Module, torch.Tensor], Any] = call_module
    fit: Callable[[nn.Module, tuple[int, int]], None] | None = None
    layout: ClassVar[torch.memory_format] = torch.channels_last
    takes_removal: ClassVar[bool] = True

    def fingerprint(self) -> str:
        """Return a hash of weights, structure and preprocessing."""
        return fingerprint_module(self.module, self.preprocess)

    def list_names(self) -> Collection[str]:
        """Return the qualified names of the submodules."""
        return [name for name in self.find_parts(self.module) if name]

    def has_layer(self, name: str) -> bool:
        """Return whether a name refers to a submodule, or to a part of its input or output."""
        return layer_names.parse_layer_name(name, self.find_parts(self.module).keys()) is not None

    def remarks(self) -> list[str]:
        """Return which parts have no weights."""
        return describe_missing_weights(self.module)

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the weights."""
        return next((p.dtype for p in self.module.parameters() if p.is_floating_point()), torch.float32)

    def make_module_input(self, input_size: tuple[int, int]) -> torch.Tensor:
        """Return a blank input in the weights' type, on their device."""
        blank = self.make_blank_input(input_size, find_device(self.module))
        return blank.to(self.dtype, memory_format=torch.contiguous_format)

    def inspect(self, names: Collection[str] | None, input_size: tuple[int, int]) -> dict[str, LayerInfo]:
        """Run a copy once on a blank input and record its layers.

        Layers that ran before the network failed are returned too: the convolutions of a classifier can be dissected at
        another input size, and the backbone of a detector that fails on black images.
        """
        module, note = self._copy_fitted(input_size)
        x = self.make_module_input(input_size)
        tracer = FieldTracer(x)
        parts = self.find_parts(module)
        recorder = LayerRecorder(parts, names, tracer)
        with evaluation_mode(module), self.hook_layers(module, recorder.selectors, recorder.record):
            try:
                with torch.no_grad(), tracer:
                    self._call(module, x)
            except NoWeightsError:
                if names is not None and not recorder.is_complete:
                    raise
            except FORWARD_ERRORS as error:
                is_video = names is None and failures.takes_videos(module, error, self.preprocess.depth)
                if is_video or not recorder.is_complete:
                    raise self._explain_failure(input_size, error) from error
                failure = self._describe_failure(error, parts)
                note = "; ".join(filter(None, (note, f"{FAILS_AFTER}{failure}")))
                if names is None:
                    failures.warn_of_failure(self.name, input_size, failure)
        return recorder.collect_infos(note)

    def accepts_size(self, input_size: tuple[int, int]) -> bool:
        """Return whether the network runs on inputs of a size without being adapted to it."""
        module, _ = self.copy_for_inspection()
        return self._runs(module, getattr(self.call, "call_unresized", self.call), input_size)

    def runs_at(self, input_size: tuple[int, int]) -> bool:
        """Return whether the network runs on inputs of a size, adapted to it."""
        module, _ = self._copy_fitted(input_size)
        return self._runs(module, self.call, input_size)

    def _runs(
        self, module: nn.Module, call: Callable[[nn.Module, torch.Tensor], Any], input_size: tuple[int, int]
    ) -> bool:
        with evaluation_mode(module), torch.no_grad():
            try:
                call_user_code(call, module, self.make_module_input(input_size))
            except NoWeightsError:
                return True
            except FORWARD_ERRORS:
                return False
        return True

    def _explain_failure(self, input_size: tuple[int, int], error: Exception) -> ModelError:
        """Return the error of a network none of whose layers can be recorded."""
        module, _ = self.copy_for_inspection()
        missing = failures.find_missing_inputs(module, error, getattr(self.call, "keyword", ""))
        if not missing and failures.takes_videos(module, error, self.preprocess.depth):
            return ModelError(
                f"{self.name} takes videos or several images at once, and cannot be run on single images ({root_message(error)})"
            )
        if not missing:
            return failures.make_size_error(self, input_size, error)
        part = failures.find_image_part(module, self.make_module_input(input_size))
        advice = (
            f"load the part that sees the image, such as model.{part}"
            if part
            else "wrap it in a torch.nn.Module whose forward takes images alone"
        )
        return ModelError(f"{self.name} needs more than images: {', '.join(missing)}; {advice}")

    def _describe_failure(self, error: Exception, parts: Mapping[str, nn.Module]) -> str:
        """Return where and why the network fails, as the end of a sentence."""
        part = failures.find_failing_part(error, parts)
        missing = failures.find_missing_inputs(parts[""], error, getattr(self.call, "keyword", ""))
        reason = f"it needs more than images: {', '.join(missing)}" if missing else root_message(error)
        return f"{f', in {part}' if part else ''} ({reason.replace('; ', ', ')})"

    @contextlib.contextmanager
    def open_forward(
        self, probed: Mapping[str, ProbedLayer], input_size: tuple[int, int], device: torch.device, execution: Execution
    ) -> Iterator[Forward]:
        """Yield the forward pass of a prepared copy, which stops after the last probed layer."""
        selectors = self.select_layers(probed)
        module = self.copy_for_probing(selectors, input_size, device)
        if module is not self.module:
            pack_convolutions(module, execution)
        own_device = find_device(module, device)
        # torch.compile removes unused layers by itself, and cannot compile an exception.
        recorder = OutputRecorder(selectors, probed, stops=not execution.compile)
        compute = recorder.compute_to_the_end if execution.compile else recorder.compute
        forward = execution.wrap(lambda x: compute(lambda: self._call(module, x)), own_device)

        def run(x: torch.Tensor) -> Mapping[str, torch.Tensor]:
            return forward(x.to(own_device, self.dtype, memory_format=self.layout))

        with evaluation_mode(module), self.hook_layers(module, selectors, recorder.record):
            yield run

    def open_class_forward(
        self, layer: ProbedLayer, input_size: tuple[int, int], device: torch.device
    ) -> contextlib.AbstractContextManager[CutForward]:
        """Return a context manager that yields the forward pass of a prepared copy, in which a layer can be exchanged."""
        return open_torch_cuts(self, layer, input_size, device)

    def hook_layer(self, layer: ProbedLayer, exchange: Edit) -> contextlib.AbstractContextManager[None]:
        """Return a context manager; inside it a layer of the module itself is exchanged."""
        name = layer.layer.name
        return hook_last_call(
            self.find_parts(self.module), self.select_layers([name])[name], layer.info.calls, exchange
        )

    def count_linear_calls(self, probed: Mapping[str, ProbedLayer], input_size: tuple[int, int]) -> Counter[LinearCall]:
        """Return how often each product of linear layers is computed up to the last probed layer, for a blank input."""
        module, _ = self._copy_fitted(input_size)
        selectors = self.select_layers(probed)
        recorder, linear = OutputRecorder(selectors, probed, stops=True), LinearRecorder()
        x = self.make_module_input(input_size)
        hooked = self.hook_layers(module, selectors, recorder.record)
        with evaluation_mode(module), hooked, torch.no_grad(), contextlib.suppress(*FORWARD_ERRORS), linear:
            recorder.compute(lambda: self._call(module, x))
        return linear.calls

    def select_layers(self, names: Collection[str]) -> dict[str, LayerSelector]:
        """Return what is hooked for each of some layers."""
        parts = self.find_parts(self.module).keys()
        return {name: one for name in names if (one := layer_names.parse_layer_name(name, parts)) is not None}

    def find_parts(self, module: nn.Module) -> Mapping[str, nn.Module]:
        """Return what may be a layer of the module or of a copy of it, by name; the module itself as ``""``."""
        # TorchScript takes no hooks.
        return {n: part for n, part in module.named_modules() if not isinstance(part, torch.jit.ScriptModule)}

    def copy_for_inspection(self) -> tuple[nn.Module, str]:
        """Return a copy to inspect and an empty note, or the module itself and the reason."""
        return copy_sharing_weights(self.module)

    def copy_for_probing(
        self, selectors: Mapping[str, LayerSelector], input_size: tuple[int, int], device: torch.device
    ) -> nn.Module:
        """Return a copy that runs faster and computes the same, up to rounding."""
        return prepare_module(
            self.module,
            {selector.module for selector in selectors.values() if not selector.is_input},
            self.make_module_input(input_size),
            entered={selector.module for selector in selectors.values() if selector.is_input},
            call=self._call,
            fit=lambda module: self._fit(module, input_size),
            device=device,
        )

    def hook_layers(
        self, module: nn.Module, selectors: Mapping[str, LayerSelector], record: Callable[[str, Any], None]
    ) -> contextlib.AbstractContextManager[None]:
        """Return a context manager; inside it ``record(name, value)`` is called whenever a selected part runs."""
        return hook_modules(self.find_parts(module), selectors, record)

    def _call(self, module: nn.Module, x: torch.Tensor) -> Any:
        """Call the module; an error that torch never raises becomes one sentence (`python.call_user_code`)."""
        return call_user_code(self.call, module, x)

    def _copy_fitted(self, input_size: tuple[int, int]) -> tuple[nn.Module, str]:
        """Return a copy for inspection, adapted to an input size if it can be."""
        module, note = self.copy_for_inspection()
        if not note and not self._fit(module, input_size):
            return self.copy_for_inspection()
        return module, note

    def _fit(self, module: nn.Module, input_size: tuple[int, int]) -> bool:
        """Adapt a copy to an input size; return False if that fails and leaves it half adapted."""
        if self.fit is not None and input_size != self.input_size:
            try:
                call_user_code(self.fit, module, input_size)
            except FORWARD_ERRORS:
                return False
        return True
