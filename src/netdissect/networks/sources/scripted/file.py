"""A TorchScript file: told from a state dict by what it holds, screened, opened.

TorchScript is a language of its own that torch interprets, without Python. It can still write and read files, and call
whatever other libraries registered; such calls are looked for before anything is opened, and again before it runs.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from netdissect.errors import ModelFileError
from netdissect.networks import budgets

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Endings of names that a TorchScript file may have; some of them are a state dict's too.
ENDINGS = (".pt", ".pth", ".ts", ".jit", ".torchscript", ".ptc")
#: Libraries of operators that compute and do nothing else.
_COMPUTING = ("aten", "prim", "prims", "quantized", "_quantized", "torchvision")
_FILES = ("save", "from_file", "rpc_async", "rpc_sync", "rpc_remote")
_DEEPEST = 200
_CALL = re.compile(r"\.[\s\\]*(" + "|".join(_FILES) + r")\b")
_LIBRARY = re.compile(r"(?<![\w.])ops[\s\\]*\.[\s\\]*(\w+)")
_CLASS = re.compile(r"\btorch[\s\\]*\.[\s\\]*classes[\s\\]*\.[\s\\]*(\w+)")


def is_torchscript(model: str) -> bool:
    """Tell whether a file is TorchScript, by what it holds.

    >>> is_torchscript("weights.safetensors"), is_torchscript("nothing.pt")
    (False, False)
    """
    path = Path(model)
    if not path.name.lower().endswith(ENDINGS) or not path.is_file():
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            parts = [name.split("/")[1:] for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError, ValueError):
        return False
    return any(part[:1] == ["code"] for part in parts) and ["constants.pkl"] in parts


def opened(path: str, data: bytes, device: torch.device, *, trusted: bool = False) -> Any:
    """Return the module in a file.

    Args:
        path: where it lies, for messages.
        data: its bytes.
        device: where its weights go.
        trusted: whether it may call more than what computes.

    Raises:
        ModelFileError: if it is damaged, or holds calls that do more than compute.
    """
    if not trusted:
        _screened(path, data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch calls TorchScript deprecated, and its files are still about
            module: Any = torch.jit.load(io.BytesIO(data), map_location=device)  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, EOFError) as error:
        raise ModelFileError(f"{path}: expected a TorchScript file, got one that is damaged ({told(error)})") from error
    for node in () if trusted else (node for graph in graphs(module) for node in nodes(graph)):
        library, _, name = node.kind().partition("::")
        if library not in _COMPUTING or name in _FILES:
            raise _refused(path, node.kind())
    for part in module.modules():
        if not hasattr(part, "training"):  # freezing drops it
            part.training = False
    return module


def _screened(path: str, data: bytes) -> None:
    budgets.check_archive_size(path, io.BytesIO(data))
    try:
        reader = torch._C.PyTorchFileReader(io.BytesIO(data))  # noqa: SLF001 - what torch.jit.load reads with
        names = [name for name in reader.get_all_records() if name.startswith("code/") and name.endswith(".py")]
        texts = [reader.get_record(name).decode() for name in names]
    except (RuntimeError, ValueError) as error:
        raise ModelFileError(f"{path}: expected a TorchScript file, got one that is damaged") from error
    for text in texts:
        if _depth(text) > _DEEPEST:
            raise ModelFileError(
                f"{path}: its program has brackets within brackets, more than {_DEEPEST} deep: refused"
            )
        call = _CALL.search(text)
        if call is not None:
            raise _refused(path, call[1])
        foreign = next((name for name in _LIBRARY.findall(text) if name not in _COMPUTING), None)
        foreign = foreign or next((name for name in _CLASS.findall(text) if name != "quantized"), None)
        if foreign is not None:
            raise _refused(path, foreign)


def _depth(text: str) -> int:
    """Return how deep brackets lie within brackets: torch reads each with a call of its own, and the stack has an end."""
    depth = deepest = 0
    for bracket in re.findall(r"[()\[\]{}]", text):
        depth += 1 if bracket in "([{" else -1
        deepest = max(deepest, depth)
    return deepest


def _refused(path: str, call: str) -> ModelFileError:
    return ModelFileError(
        f"{path} calls {call!r}, which is none of torch's own operators that compute: refused; load it yourself if you "
        f"trust it, and export it with torch.export.save or to ONNX"
    )


def told(error: BaseException) -> str:
    """Return what TorchScript's interpreter complains of: the last line, behind the program it ran."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("At:")]
    last = next((line for line in reversed(lines) if "Error: " in line), lines[-1] if lines else type(error).__name__)
    return last.partition("Error: ")[2] or last


def graphs(module: Any) -> Iterator[Any]:
    """Yield the graph of every method of a module and of its parts; parts of one type share theirs."""
    seen = set()
    for part in module.modules():
        for method in part._c._method_names():  # noqa: SLF001 - there is no other way to the graphs
            mark = (str(part._c._type()), method)  # noqa: SLF001
            if mark not in seen:
                seen.add(mark)
                yield part._c._get_method(method).graph  # noqa: SLF001


def nodes(block: Any) -> Iterator[Any]:
    """Yield the nodes of a graph and of the blocks inside it."""
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from nodes(inner)
