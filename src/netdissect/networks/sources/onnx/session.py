"""onnxruntime: a graph in memory becomes a session, and whatever goes wrong one sentence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch

from netdissect.errors import ModelFileError, SettingsError, root_message
from netdissect.optional_libraries import import_optional

if TYPE_CHECKING:
    from netdissect.networks.sources.onnx.onnx_file import OnnxFile
    from netdissect.networks.sources.onnx.onnx_graph import Subgraph

#: Types of tensors that can be read as activations.
_FLOATING_TYPES = ("float", "float16", "double", "uint8", "int8")


def open_session(file: OnnxFile, part: Subgraph, *, device: torch.device | None = None) -> Any:
    """Return a session that runs a part of a graph.

    Args:
        file: where the graph is from; it has the arrays of its weights.
        part: the part.
        device: where it runs; None only looks at it, so it is not optimized.

    Raises:
        MissingExtraError: if onnxruntime is not installed.
        ModelFileError: if the graph is damaged, or needs operators that onnxruntime does not have.
        SettingsError: if it is to run where this onnxruntime cannot.
    """
    runtime = import_optional("onnxruntime", extra="onnx", purpose="to run ONNX files")
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is raised; warnings about a file are of no use to its user
    options.intra_op_num_threads = torch.get_num_threads()
    if device is None:
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    arrays = {name: array for name, array in file.arrays.items() if name in part.weights}
    held = {name: runtime.OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()}
    if held:
        options.add_external_initializers(list(held), list(held.values()))
    providers = _providers(runtime, device)
    try:
        return runtime.InferenceSession(part.model, options, providers=providers, enable_fallback=0)
    except Exception as error:
        raise ModelFileError(f"{file.path}: onnxruntime cannot run it ({session_message(error)})") from error


def _providers(runtime: Any, device: torch.device | None) -> list[Any]:
    if device is None or device.type == "cpu":
        return ["CPUExecutionProvider"]
    wanted = {"cuda": "CUDAExecutionProvider"}.get(device.type)
    if wanted not in runtime.get_available_providers():
        raise SettingsError(
            f"this onnxruntime cannot run on {device}: give --device cpu, or install onnxruntime-gpu in its place"
        )
    return [(wanted, {"device_id": device.index or 0}), "CPUExecutionProvider"]


def is_readable_type(kind: str) -> bool:
    """Tell whether a type, in onnxruntime's words, is a tensor of numbers.

    >>> is_readable_type("tensor(float)"), is_readable_type("tensor(int64)"), is_readable_type("seq(tensor(float))")
    (True, False, False)
    """
    return kind in {f"tensor({name})" for name in _FLOATING_TYPES}


def session_message(error: Exception) -> str:
    """Return what onnxruntime says, in one line and without its own codes."""
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", root_message(error))[:300]
