"""Open onnxruntime sessions, and format onnxruntime's errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch

from netdissect.errors import ModelError, ModelFileError, SettingsError, root_message
from netdissect.optional_libraries import import_optional

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netdissect.networks.sources.onnx.onnx_file import OnnxFile
    from netdissect.networks.sources.onnx.onnx_graph import Subgraph

#: Tensor types that can be read as activations.
_FLOATING_TYPES = ("float", "float16", "double", "uint8", "int8")


def open_session(file: OnnxFile, part: Subgraph, *, device: torch.device | None = None) -> Any:
    """Open a session that runs a subgraph.

    Args:
        file: the file that the subgraph is from; it holds the weights.
        part: the subgraph.
        device: where it runs; None for the CPU without graph optimization, to inspect the subgraph.

    Raises:
        MissingExtraError: if onnxruntime is not installed.
        ModelFileError: if the graph is damaged, or needs operators that onnxruntime does not have.
        SettingsError: if this onnxruntime cannot run on the device.
    """
    runtime = import_optional("onnxruntime", extra="onnx", purpose="to run ONNX files")
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # errors are raised; its warnings do not help a user
    options.intra_op_num_threads = torch.get_num_threads()
    if device is None:
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    arrays = {name: array for name, array in file.arrays.items() if name in part.weights}
    values = {name: runtime.OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()}
    if values:
        options.add_external_initializers(list(values), list(values.values()))
    providers = _choose_providers(runtime, device)
    try:
        return runtime.InferenceSession(part.model, options, providers=providers, enable_fallback=0)
    except Exception as error:
        raise ModelFileError(f"{file.path}: onnxruntime cannot run it ({format_session_error(error)})") from error


def _choose_providers(runtime: Any, device: torch.device | None) -> list[Any]:
    if device is None or device.type == "cpu":
        return ["CPUExecutionProvider"]
    provider = {"cuda": "CUDAExecutionProvider"}.get(device.type)
    if provider not in runtime.get_available_providers():
        raise SettingsError(
            f"this onnxruntime cannot run on {device}: use --device cpu, or install onnxruntime-gpu instead"
        )
    return [(provider, {"device_id": device.index or 0}), "CPUExecutionProvider"]


def is_readable_type(kind: str) -> bool:
    """Return whether a type, by onnxruntime's name, is a tensor that can be read as activations.

    >>> is_readable_type("tensor(float)"), is_readable_type("tensor(int64)"), is_readable_type("seq(tensor(float))")
    (True, False, False)
    """
    return kind in {f"tensor({name})" for name in _FLOATING_TYPES}


def format_session_error(error: Exception) -> str:
    """Return onnxruntime's message in one line, without its error codes."""
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", root_message(error))[:300]


class FailedRunError(ModelError):
    """onnxruntime raised an error while it ran a graph."""


def find_computable(tensors: Sequence[str], runs: Callable[[Sequence[str]], bool]) -> list[str]:
    """Return the tensors before the first that cannot be computed.

    Args:
        tensors: in the order of computation; the last one cannot be computed.
        runs: whether the first tensors can be computed.

    >>> find_computable("abcde", lambda first: len(first) < 4)
    ['a', 'b', 'c']
    """
    good, bad = 0, len(tensors)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if runs(tensors[:middle]) else (good, middle)
    return list(tensors[:good])
