"""Import optional libraries, or say which extra installs them."""

from __future__ import annotations

import importlib
from typing import Any

from netdissect.errors import MissingExtraError, root_message

#: Why torchvision fails to import, nearly always, and what to do.
TORCHVISION_ADVICE = (
    "torchvision was built for another version of torch than the one installed: install the two together, from the same "
    "source, both for the CPU or both for the same CUDA"
)


def import_optional(module: str, *, extra: str, purpose: str) -> Any:
    """Import and return an optional library.

    Args:
        module: its import name, such as ``"onnxruntime"``.
        extra: the extra of this package that installs it, such as ``"onnx"``.
        purpose: what it is needed for, as the error message says it ("to read ONNX files").

    Raises:
        MissingExtraError: if it is not installed, or is installed but cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and not module.startswith(error.name):
            raise MissingExtraError(
                f"{module} is needed {purpose} and is installed, but {error.name!r}, which it imports, is missing: "
                f"reinstall it with: pip install 'netdissect[{extra}]'"
            ) from error
        raise MissingExtraError(
            f"{module} is needed {purpose} and is not installed: pip install 'netdissect[{extra}]'"
        ) from error
    except (ImportError, RuntimeError, OSError) as error:
        raise MissingExtraError(
            f"{module} is needed {purpose} and is installed, but cannot be imported {explain_import_error(error)}"
        ) from error


def explain_import_error(error: BaseException) -> str:
    """Return why a library could not be imported and what to do, as the end of an error message.

    >>> explain_import_error(RuntimeError("operator torchvision::nms does not exist")).split(":")[3]
    ' torchvision was built for another version of torch than the one installed'
    """
    message = root_message(error)
    if "torchvision" in message:
        return f"({message}): {TORCHVISION_ADVICE}"
    return f"({message}): check that its version fits the other libraries"
