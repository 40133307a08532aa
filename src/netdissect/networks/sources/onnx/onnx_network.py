"""ONNX files as networks: layers are inner tensors, computed by onnxruntime."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from netdissect.errors import ModelError, root_message
from netdissect.networks.failures import make_size_error, warn_of_failure
from netdissect.networks.fingerprint import hash_preprocess
from netdissect.networks.listed_network import ListedNetwork
from netdissect.networks.load_options import override_preprocess
from netdissect.networks.probe import LayerInfo
from netdissect.networks.sources.onnx.onnx_file import read_onnx
from netdissect.networks.sources.onnx.onnx_graph import OnnxGraph, name_shape_output
from netdissect.networks.sources.onnx.onnx_preprocess import read_onnx_preprocess
from netdissect.networks.sources.onnx.session import (
    FailedRunError,
    find_computable,
    format_session_error,
    is_readable_type,
    open_session,
)
from netdissect.networks.trace.onnx_nodes import CONTROL_INPUTS, GraphTensors
from netdissect.networks.trace.onnx_ops import trace_onnx_node
from netdissect.networks.trace.tensor_trace import make_image_trace
from netdissect.networks.unit_axes import FAILS_AFTER
from netdissect.optional_libraries import import_optional

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from numpy.typing import NDArray

    from netdissect.networks.execution import Execution, Forward
    from netdissect.networks.load_options import LoadOptions
    from netdissect.networks.preprocess import Preprocess
    from netdissect.networks.probe import ProbedLayer
    from netdissect.networks.sources.onnx.onnx_file import OnnxFile
    from netdissect.networks.sources.onnx.onnx_graph import OnnxInput
    from netdissect.networks.trace.rules import Shape

    _Measured = tuple[dict[str, Shape], dict[str, NDArray[np.generic]], dict[str, str]]


@dataclass(frozen=True, eq=False, repr=False)
class OnnxNetwork(ListedNetwork):
    """A network in an ONNX file.

    A layer is named by a tensor, by the node that computes it, or, in files of torch's exporter, by the torch module whose
    output it is.

    Attributes:
        file: the file's contents.
    """

    takes_execution: ClassVar[bool] = False
    _: KW_ONLY
    file: OnnxFile

    @cached_property
    def _input(self) -> OnnxInput:
        return OnnxGraph(self.file).input

    def fingerprint(self) -> str:
        """Return a hash of the file, its external data and the preprocessing."""
        hashed = hashlib.blake2b(self.file.digest.encode(), digest_size=16)
        hash_preprocess(hashed, self.preprocess)
        return hashed.hexdigest()

    def list_names(self) -> Collection[str]:
        """Return the names of tensors, of torch modules if they are known, and of nodes."""
        return OnnxGraph(self.file).list_names()

    def has_layer(self, name: str) -> bool:
        """Return whether a name refers to a tensor that is computed from the images."""
        return OnnxGraph(self.file).find_tensor(name) is not None

    def accepts_size(self, input_size: tuple[int, int]) -> bool:
        """Return whether the network accepts images of a size."""
        return self._input.fixed.allows(input_size)

    def inspect(self, names: Collection[str] | None, input_size: tuple[int, int]) -> dict[str, LayerInfo]:
        """Run it once on a blank image for the shapes of its tensors, and trace its nodes for their axes."""
        self._input.fixed.check(self.name, input_size, self.preprocess.depth)
        graph = OnnxGraph(self.file)
        tensors = _sort_tensors(
            graph, None if names is None else {tensor for n in names if (tensor := graph.find_tensor(n))}
        )
        measured, failure = self._measure_running(graph, tensors, input_size, is_partial=names is None)
        shapes, values, kinds = measured
        known = GraphTensors(shapes, values, graph.opset)
        known.traces[self._input.name] = make_image_trace(shapes[self._input.name], self._input.meanings)
        operators = {}
        for node in graph.find_nodes(tensors):
            trace_onnx_node(known, node)
            operators.update(dict.fromkeys(node.output, node.op_type))
        infos = {
            name: LayerInfo(
                shapes[name],
                trace,
                operators[name],
                note="; ".join(filter(None, (_note_modules(graph, name), failure and FAILS_AFTER + failure))),
                heads=trace.heads if trace else 0,
            )
            for name, trace in ((name, known.traces.get(name)) for name in tensors)
            if name in shapes and is_readable_type(kinds[name])
        }
        if names is None:
            return infos
        named = {name: graph.find_tensor(name) for name in names}
        return {name: _note_ambiguity(graph, name, infos[tensor]) for name, tensor in named.items() if tensor in infos}

    def runs_at(self, input_size: tuple[int, int]) -> bool:
        """Return whether it runs on a blank image of a size."""
        graph = OnnxGraph(self.file)
        return self.accepts_size(input_size) and self._can_compute(graph, _sort_tensors(graph, None), input_size)

    def _can_compute(self, graph: OnnxGraph, tensors: Collection[str], input_size: tuple[int, int]) -> bool:
        try:
            self._measure(graph, tensors, input_size)
        except FailedRunError:
            return False
        return True

    def _measure_running(
        self, graph: OnnxGraph, tensors: list[str], input_size: tuple[int, int], *, is_partial: bool
    ) -> tuple[_Measured, str]:
        """Measure tensors, or, if the network fails, those before the failure, and return where it fails."""
        try:
            return self._measure(graph, tensors, input_size), ""
        except FailedRunError as error:
            found = find_computable(tensors, lambda first: self._can_compute(graph, first, input_size))
            if not is_partial or not found:
                raise make_size_error(self, input_size, error) from error
            failure = f", at the tensor {tensors[len(found)]} ({root_message(error)})".replace("; ", ", ")
        warn_of_failure(self.name, input_size, failure)
        return self._measure(graph, found, input_size), failure

    def _measure(self, graph: OnnxGraph, tensors: Collection[str], input_size: tuple[int, int]) -> _Measured:
        """Return the shapes of tensors and weights, the values of inputs that control nodes, and the types of tensors."""
        nodes = graph.find_nodes(tensors)
        inner = _find_measurable(graph, nodes)
        controls = _find_control_inputs(graph, nodes)
        computed = [name for name in controls if graph.find_weight(name) is None]
        types = open_session(self.file, graph.extract(inner)).get_outputs()
        kinds = {entry.name: entry.type for entry in types}
        inner = [name for name in inner if kinds[name].startswith("tensor")]
        session = open_session(self.file, graph.extract(computed, shapes=inner))
        blank = self._as_input(self.make_blank_input(input_size, torch.device("cpu")))
        try:
            outputs = session.run([*computed, *map(name_shape_output, inner)], {self._input.name: blank})
        except Exception as error:  # noqa: BLE001 - onnxruntime has no common class of errors
            raise FailedRunError(format_session_error(error)) from None
        values = dict(zip(computed, outputs[: len(computed)], strict=True))
        shapes = {
            name: tuple(int(size) for size in shape)
            for name, shape in zip(inner, outputs[len(computed) :], strict=True)
        }
        shapes[self._input.name] = blank.shape
        to_array = import_optional("onnx.numpy_helper", extra="onnx", purpose="to read ONNX files").to_array
        for node in nodes:
            for name in node.input:
                weight = graph.find_weight(name)
                if weight is not None:
                    shapes[name] = tuple(weight.dims)
                    if name in controls:
                        values[name] = to_array(weight)
        return shapes, values, kinds

    @contextlib.contextmanager
    def open_forward(
        self,
        probed: Mapping[str, ProbedLayer],
        input_size: tuple[int, int],
        device: torch.device,
        execution: Execution,  # noqa: ARG002 - onnxruntime has no such options
    ) -> Iterator[Forward]:
        """Open a session of the smallest subgraph that computes the probed tensors."""
        self._input.fixed.check(self.name, input_size, self.preprocess.depth)
        graph = OnnxGraph(self.file)
        tensors = {name: tensor for name in probed if (tensor := graph.find_tensor(name)) is not None}
        outputs = list(dict.fromkeys(tensors.values()))
        session = open_session(self.file, graph.extract(outputs), device=device)

        def run(x: torch.Tensor) -> Mapping[str, torch.Tensor]:
            try:
                values = session.run(outputs, {self._input.name: self._as_input(x)})
            except Exception as error:
                raise ModelError(
                    f"{self.name} failed on images of the probe set ({format_session_error(error)})"
                ) from error
            found = dict(zip(outputs, values, strict=True))
            return {name: torch.from_numpy(found[tensor]) for name, tensor in tensors.items()}

        yield run

    def _as_input(self, x: torch.Tensor) -> NDArray[np.generic]:
        """Convert an input (B, C, H, W) to the layout and type of the file's input."""
        array = x.cpu().numpy()
        if self._input.meanings == "nyxc":
            array = array.transpose(0, 2, 3, 1)
        if self._input.dtype == "uint8":
            array = array.round().clip(0, 255)
        return np.ascontiguousarray(array.astype(self._input.dtype))


def load_onnx(model: str, options: LoadOptions) -> OnnxNetwork:
    """Return the network in an ONNX file.

    Raises:
        MissingExtraError: if onnx is not installed.
        ModelNotFoundError: if there is no such file.
        ModelFileError: if it is damaged, of another kind, or takes anything but images.
    """
    network = wrap_onnx(read_onnx(Path(model)))
    return network.with_preprocess(override_preprocess(network.preprocess, options))


def wrap_onnx(file: OnnxFile, preprocess: Preprocess | None = None) -> OnnxNetwork:
    """Return an ONNX file as a network.

    Args:
        file: its contents, from `read_onnx`.
        preprocess: how images become its input; None takes what the file states, else ImageNet statistics.

    Raises:
        ModelFileError: if its input is anything but images.
    """
    graph = OnnxGraph(file)
    return OnnxNetwork(
        file=file,
        preprocess=preprocess or read_onnx_preprocess(graph),
        name=file.name,
        source=file.path,
        input_size=graph.input.fixed.size,
        batch=graph.input.fixed.batch,
    )


def _sort_tensors(graph: OnnxGraph, wanted: Collection[str] | None) -> list[str]:
    """Return tensors in the order of computation; None means all."""
    return [
        name for node in graph.nodes for name in node.output
        if name in graph.dependent and (wanted is None or name in wanted)
    ]  # fmt: skip


def _find_measurable(graph: OnnxGraph, nodes: Collection[Any]) -> list[str]:
    """Return the tensors to measure: those computed from the images, and other inputs of the same nodes."""
    computed = dict.fromkeys(name for node in nodes for name in node.output if name)
    siblings = {name for node in nodes if set(node.output) & graph.dependent for name in node.input}
    return [name for name in computed if name in graph.dependent or name in siblings]


def _find_control_inputs(graph: OnnxGraph, nodes: Collection[Any]) -> list[str]:
    """Return the names of inputs that control nodes, such as axes, and do not depend on the image."""
    found = [
        node.input[position]
        for node in nodes
        for position in CONTROL_INPUTS.get(node.op_type, ())
        if position < len(node.input) and node.input[position]
    ]
    return [name for name in dict.fromkeys(found) if name not in graph.dependent]


def _note_ambiguity(graph: OnnxGraph, name: str, info: LayerInfo) -> LayerInfo:
    """Add a note if a name refers to a tensor, and to another tensor as the name of a torch module."""
    other = graph.by_module.get(name)
    if other in (None, graph.find_tensor(name)):
        return info
    note = f"the tensor of this name; the output of the torch module of this name is the tensor {other}"
    return replace(info, note="; ".join(part for part in (info.note, note) if part))


def _note_modules(graph: OnnxGraph, tensor: str) -> str:
    """Return a note that names the torch modules whose output a tensor is."""
    modules = [f"{name} ({kind})" if kind else name for name, kind in graph.modules.get(tensor, ())]
    return f"output of {', '.join(modules)}" if modules else ""
