"""The graph of an ONNX file: its input, the names of its tensors, and subgraphs that compute some of them."""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from netdissect.errors import ModelFileError
from netdissect.networks.input_spec import InputSpec
from netdissect.networks.layer_names import INPUT_SUFFIX
from netdissect.optional_libraries import import_optional

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from netdissect.networks.sources.onnx.onnx_file import OnnxFile

#: Operators whose output depends on their input's shape only, not on the image.
_SHAPE_OPERATORS = ("Shape", "Size")
#: Metadata in which torch's exporter records the modules of a node.
_SCOPES, _CLASSES = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"
_DTYPES = {1: "float32", 10: "float16", 11: "float64", 2: "uint8"}


@dataclass(frozen=True, slots=True)
class OnnxInput:
    """The network's input.

    Attributes:
        name: of the input.
        dtype: numpy's name of its type.
        meanings: of its dimensions: ``ncyx`` or ``nyxc``.
        fixed: the batch size, channels and image size that the file fixes.
    """

    name: str
    dtype: str
    meanings: str
    fixed: InputSpec


@dataclass(frozen=True, slots=True)
class Subgraph:
    """A part of a graph that can run by itself.

    Attributes:
        model: the serialized ModelProto.
        weights: names of the weights in it.
    """

    model: bytes
    weights: frozenset[str]


class OnnxGraph:
    """The graph of an ONNX file: its nodes, and the names of their outputs and modules."""

    def __init__(self, file: OnnxFile) -> None:
        self._onnx = import_optional("onnx", extra="onnx", purpose="to read ONNX files")
        self.path = file.path
        self.model = self._onnx.ModelProto.FromString(file.model)
        self.nodes: list[Any] = list(self.model.graph.node)
        self._weights = {tensor.name: tensor for tensor in self.model.graph.initializer}
        self._weights |= {tensor.values.name: tensor.values for tensor in self.model.graph.sparse_initializer}

    @cached_property
    def input(self) -> OnnxInput:
        """The network's input.

        Raises:
            ModelFileError: if it is anything but images.
        """
        free = [entry for entry in self.model.graph.input if entry.name not in self._weights]
        if len(free) != 1:
            names = ", ".join(entry.name for entry in free) or "none"
            raise ModelFileError(
                f"{self.path}: expected a network with one input, the images; got {len(free)} ({names})"
            )
        kind = free[0].type.tensor_type
        dims = [dim.dim_value if dim.dim_value > 0 else None for dim in kind.shape.dim]
        if not kind.HasField("shape"):
            dims = [None] * 4
        expected = f"{self.path}: expected an input of images (B, 3, H, W), got {free[0].name!r}"
        if kind.elem_type not in _DTYPES:
            raise ModelFileError(
                f"{expected} of ONNX's type number {kind.elem_type}: export it with 32- or 16-bit floats"
            )
        if len(dims) != 4:
            raise ModelFileError(f"{expected} with {len(dims)} dimensions")
        batch, a, b, c = dims
        if a not in (1, 3) and c in (1, 3):
            return OnnxInput(free[0].name, _DTYPES[kind.elem_type], "nyxc", InputSpec(batch, c, a, b))
        if a not in (1, 3, None):
            raise ModelFileError(f"{expected} with {a} channels")
        return OnnxInput(free[0].name, _DTYPES[kind.elem_type], "ncyx", InputSpec(batch, a or 3, b, c))

    @cached_property
    def opset(self) -> int:
        """Version of ONNX's operator set."""
        return max((entry.version for entry in self.model.opset_import if entry.domain in ("", "ai.onnx")), default=1)

    @cached_property
    def dependent(self) -> set[str]:
        """Names of the tensors that are computed from the input."""
        found = {self.input.name}
        for node in self.nodes:
            if node.op_type not in _SHAPE_OPERATORS and found & set(_iterate_consumed_names(node)):
                found.update(filter(None, node.output))
        return found - {self.input.name}

    @cached_property
    def _runs(self) -> Mapping[str, tuple[str, list[int]]]:
        """Type, and positions of the nodes of the last call, of every torch module that the exporter recorded."""
        runs: dict[str, tuple[str, list[int]]] = {}
        before: set[str] = set()
        for at, node in enumerate(self.nodes):
            if not set(node.output) & self.dependent:
                continue
            entries = read_scopes(node)
            for module, kind in entries:
                if module not in before:
                    runs[module] = (kind, [])
                runs[module][1].append(at)
            before = {module for module, _ in entries}
        return runs

    @cached_property
    def modules(self) -> Mapping[str, list[tuple[str, str]]]:
        """Qualified names and types of the torch modules whose output a tensor is.

        A module's output is the only tensor of its last call that other nodes use.
        """
        consumers: dict[str, list[int]] = defaultdict(list)
        for at, node in enumerate(self.nodes):
            if set(node.output) & self.dependent:
                for name in _iterate_consumed_names(node):
                    consumers[name].append(at)
        outputs = {entry.name for entry in self.model.graph.output}
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for module, (kind, run) in self._runs.items():
            inside = set(run)
            used_outside = [
                name for at in run for name in self.nodes[at].output
                if name in outputs or any(consumer not in inside for consumer in consumers[name])
            ]  # fmt: skip
            if len(used_outside) == 1:
                found[used_outside[0]].append((module, kind))
        return found

    @cached_property
    def by_module(self) -> Mapping[str, str]:
        """Tensors by the name of the torch module whose output they are; ``NAME:in`` is the module's only input."""
        found = {module: tensor for tensor, entries in self.modules.items() for module, _ in entries}
        for module, (_, run) in self._runs.items():
            produced = {name for at in run for name in self.nodes[at].output}
            consumed = {
                name for at in run for name in _iterate_consumed_names(self.nodes[at]) if name in self.dependent
            } - produced
            if len(consumed) == 1:
                found[module + INPUT_SUFFIX] = consumed.pop()
        return found

    @cached_property
    def by_node(self) -> Mapping[str, str]:
        """Tensors by the name of the node whose first output they are."""
        return {node.name: node.output[0] for node in self.nodes if node.name and node.output[0] in self.dependent}

    def find_tensor(self, name: str) -> str | None:
        """Return the tensor that a name of a tensor, a node or a torch module refers to; None if there is none."""
        if name in self.dependent:
            return name
        return self.by_node.get(name) or self.by_module.get(name)

    def list_names(self) -> list[str]:
        """Return every name that a layer may have."""
        tensors = [name for node in self.nodes for name in node.output if name in self.dependent]
        modules = [name for name in self.by_module if not name.endswith(INPUT_SUFFIX)]
        return list(dict.fromkeys([*tensors, *modules, *self.by_node]))

    def find_weight(self, name: str) -> Any | None:
        """Return an initializer by name; None if there is none."""
        return self._weights.get(name)

    def find_nodes(self, tensors: Collection[str]) -> list[Any]:
        """Return the nodes that compute some tensors, in order."""
        wanted = set(tensors)
        nodes = []
        for node in reversed(self.nodes):
            if wanted & set(node.output):
                nodes.append(node)
                wanted.update(_iterate_consumed_names(node))
        return nodes[::-1]

    def extract(self, tensors: Sequence[str], *, shapes: Sequence[str] = ()) -> Subgraph:
        """Return the smallest subgraph that computes some tensors and the shapes of others."""
        model = self._onnx.ModelProto()
        for field, value in self.model.ListFields():
            if field.name != "graph":
                self._copy(model, field.name, value)
        if not any(entry.domain in ("", "ai.onnx") for entry in model.opset_import):
            model.opset_import.add(domain="", version=17)
        graph = model.graph
        graph.name = self.model.graph.name or "netdissect"
        nodes = self.find_nodes([*tensors, *shapes])
        graph.node.extend(nodes)
        consumed = {name for node in nodes for name in _iterate_consumed_names(node)}
        for entry in self.model.graph.input:
            if entry.name == self.input.name or entry.name in consumed:
                graph.input.add().CopyFrom(entry)
        for field in ("initializer", "sparse_initializer"):
            for tensor in getattr(self.model.graph, field):
                if (tensor.name if field == "initializer" else tensor.values.name) in consumed:
                    getattr(graph, field).add().CopyFrom(tensor)
        graph.quantization_annotation.extend(self.model.graph.quantization_annotation)
        for name in dict.fromkeys(tensors):
            graph.output.add(name=name)
        for name in shapes:
            graph.node.append(self._onnx.helper.make_node("Shape", [name], [name_shape_output(name)]))
            graph.output.add(name=name_shape_output(name))
        return Subgraph(model.SerializeToString(), frozenset(tensor.name for tensor in graph.initializer))

    @staticmethod
    def _copy(model: Any, field: str, value: Any) -> None:
        if isinstance(value, (int, str, bytes)):
            setattr(model, field, value)
        elif hasattr(value, "extend") or hasattr(value, "__len__"):
            getattr(model, field).extend(value)
        else:
            getattr(model, field).CopyFrom(value)


def name_shape_output(tensor: str) -> str:
    """Return the name of the output that is a tensor's shape."""
    return f"netdissect shape of {tensor}"


def read_scopes(node: Any) -> list[tuple[str, str]]:
    """Return qualified names and types of the torch modules around a node, if the exporter recorded them."""
    metadata = {entry.key: entry.value for entry in getattr(node, "metadata_props", ())}
    names, kinds = _parse_strings(metadata.get(_SCOPES)), _parse_strings(metadata.get(_CLASSES))
    if len(names) != len(kinds):
        kinds = [""] * len(names)
    # The last entry is the operator itself.
    pairs = zip(names[:-1], kinds[:-1], strict=True)
    return [(name, kind.rpartition(".")[2]) for name, kind in pairs if name and not name.startswith("_empty_nn")]


def _parse_strings(text: str | None) -> list[str]:
    """Parse a list of strings as Python prints it."""
    try:
        found = ast.literal_eval(text or "[]")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []
    return [str(entry) for entry in found] if isinstance(found, list) else []


def _iterate_consumed_names(node: Any) -> Iterator[str]:
    """Yield the names of a node's inputs, those of its inner graphs included."""
    yield from filter(None, node.input)
    for graph in _iterate_inner_graphs(node.attribute):
        for inside in graph.node:
            yield from _iterate_consumed_names(inside)
        for entry in graph.output:
            yield entry.name


def _iterate_inner_graphs(attributes: Iterable[Any]) -> Iterator[Any]:
    for attribute in attributes:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs
