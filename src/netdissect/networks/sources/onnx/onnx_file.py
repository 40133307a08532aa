"""Read an ONNX file without trusting it: the bytes of its graph, and its weights as arrays."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netdissect.errors import ModelFileError, ModelNotFoundError, root_message
from netdissect.networks import budgets
from netdissect.networks.sources.onnx.external_data import ExternalData
from netdissect.optional_libraries import import_optional

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_PURPOSE = "to read ONNX files"
#: Tensors up to this many bytes stay in the graph: shapes and axes, which onnxruntime reads while it builds a session.
_MAX_INLINE_BYTES = 4096
#: ONNX's numbers for 32-, 16- and 64-bit floats.
_FLOAT_TYPES = (1, 10, 11)
#: Maximum size of a file in bytes; protobuf's limit.
_MAX_FILE_BYTES = 2**31
#: Maximum number of values of a sparse tensor once it is dense, and of nodes once functions are inlined.
_MAX_SPARSE_VALUES, _MAX_NODES = 2**28, 10**6


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """The contents of an ONNX file; can be pickled, so that every worker opens a session of its own.

    Attributes:
        name: of the file, without its suffix.
        path: of the file.
        model: the serialized ModelProto, with functions inlined and without references to other files.
        arrays: weights by name, external data included; shapes and other small tensors are still in the model.
        digest: hash of everything that was read.
    """

    name: str
    path: str
    model: bytes
    arrays: Mapping[str, NDArray[np.generic]]
    digest: str


def read_onnx(path: Path) -> OnnxFile:
    """Read an ONNX file and its external data.

    Args:
        path: ``FILE.onnx``.

    Raises:
        MissingExtraError: if onnx is not installed.
        ModelNotFoundError: if there is no such file.
        ModelFileError: if it is not an ONNX file, is damaged, or names files outside its folder.
    """
    onnx = import_optional("onnx", extra="onnx", purpose=_PURPOSE)
    if path.is_dir() or not path.exists():
        raise ModelNotFoundError(f"{path}: expected an ONNX file, " + ("got a folder" if path.is_dir() else "got none"))
    data = budgets.read_model_file(path, "ONNX file", most=_MAX_FILE_BYTES)
    hashed = hashlib.blake2b(data, digest_size=16)
    model = _parse(onnx, path, data)
    arrays: dict[str, NDArray[np.generic]] = {}
    external = ExternalData(path)
    for tensor, named in _iterate_tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            content = external.read(tensor)
            hashed.update(content)
            tensor.raw_data = content
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]
        if named and tensor.data_type in _FLOAT_TYPES and tensor.ByteSize() > _MAX_INLINE_BYTES:
            arrays[tensor.name] = _extract_array(onnx, tensor, path)
    _check_sizes(path, model)
    if len(model.functions):
        model = _inline_functions(path, model)
    _check_names(path, model)
    return OnnxFile(path.stem, str(path), model.SerializeToString(), arrays, hashed.hexdigest())


def _parse(onnx: Any, path: Path, data: bytes) -> Any:
    if data.startswith(b"version https://git-lfs"):
        raise ModelFileError(f"{path}: expected an ONNX file, got a pointer of Git LFS: fetch it with git lfs pull")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except Exception as error:  # protobuf's DecodeError, from whichever protobuf is installed
        raise ModelFileError(f"{path}: expected an ONNX file, got one that is damaged or of another kind") from error
    if not model.ir_version or not len(model.graph.node) or not len(model.graph.output):
        raise ModelFileError(f"{path}: expected an ONNX file, got one without a graph: damaged, or of another kind")
    return model


def _check_names(path: Path, message: Any) -> None:
    """Refuse a file with names that are not valid text, which protobuf returns as bytes or cannot decode."""
    try:
        for field, value in message.ListFields():
            parts = [value] if hasattr(value, "ListFields") or isinstance(value, (str, bytes)) else value
            if field.type == field.TYPE_STRING and any(isinstance(part, bytes) for part in parts):
                raise ModelFileError(f"{path}: expected an ONNX file, got one with damaged names")
            if field.type == field.TYPE_MESSAGE:
                for part in parts:
                    _check_names(path, part)
    except UnicodeDecodeError as error:
        raise ModelFileError(f"{path}: expected an ONNX file, got one with damaged names") from error


def _check_sizes(path: Path, model: Any) -> None:
    """Refuse a file with huge sparse tensors, or with functions that call each other too often."""
    for sparse in model.graph.sparse_initializer:
        numbers = math.prod(size for size in sparse.dims if size > 0)
        if numbers > _MAX_SPARSE_VALUES:
            raise ModelFileError(
                f"{path}: its sparse weights {sparse.values.name!r} would have {numbers:,} values, and at most "
                f"{_MAX_SPARSE_VALUES:,} are allowed"
            )
    functions = {(function.domain, function.name): function for function in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def count_nodes(key: tuple[str, str], depth: int) -> int:
        if depth > len(functions):
            raise ModelFileError(f"{path}: its function {key[1]!r} calls itself")
        if key not in sizes:
            calls = [(node.domain, node.op_type) for node in functions[key].node]
            sizes[key] = sum(count_nodes(call, depth + 1) if call in functions else 1 for call in calls)
        return sizes[key]

    try:
        total = sum(
            count_nodes(key, 1) for node in model.graph.node if (key := (node.domain, node.op_type)) in functions
        )
    except RecursionError as error:
        raise ModelFileError(f"{path}: its functions call each other too deeply") from error
    if total > _MAX_NODES:
        raise ModelFileError(
            f"{path}: its functions would become {total:,} nodes, and at most {_MAX_NODES:,} are allowed"
        )


def _inline_functions(path: Path, model: Any) -> Any:
    """Inline the file's functions, so that every node is an operator."""
    inliner = import_optional("onnx.inliner", extra="onnx", purpose=_PURPOSE)
    try:
        return inliner.inline_local_functions(model)
    except Exception as error:  # onnx may raise anything
        raise ModelFileError(f"{path}: its functions cannot be read ({root_message(error)})") from error


def _iterate_tensors(model: Any) -> Iterator[tuple[Any, bool]]:
    """Yield every tensor of a model at any depth, and whether it is an initializer of the main graph."""
    for tensor in model.graph.initializer:
        yield tensor, True
    for tensor in _iterate_graph_tensors(model.graph, initializers=False):
        yield tensor, False
    for function in model.functions:
        for tensor in _iterate_node_tensors(function.node):
            yield tensor, False


def _iterate_graph_tensors(graph: Any, *, initializers: bool = True) -> Iterator[Any]:
    if initializers:
        yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _iterate_node_tensors(graph.node)


def _iterate_node_tensors(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("g"):
                yield from _iterate_graph_tensors(attribute.g)
            for graph in attribute.graphs:
                yield from _iterate_graph_tensors(graph)


def _extract_array(onnx: Any, tensor: Any, path: Path) -> NDArray[np.generic]:
    """Return a tensor as an array, and mark it in the model as external data."""
    try:
        array: NDArray[np.generic] = onnx.numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError) as error:
        raise ModelFileError(f"{path}: the weights {tensor.name!r} cannot be read ({error}): truncated?") from error
    for field in ("raw_data", "float_data", "double_data", "int32_data"):
        tensor.ClearField(field)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="given")
    return array
