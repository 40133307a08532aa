"""Optional libraries: imported when asked for, with one sentence when they are missing."""

from __future__ import annotations

import importlib
from typing import Any

from netdissect.errors import MissingExtraError


def require(module: str, *, extra: str, purpose: str) -> Any:
    """Import and return an optional library.

    Args:
        module: its import name, such as ``"onnxruntime"``.
        extra: the extra of this project that installs it, such as ``"onnx"``.
        purpose: what it is needed for, as the start of a sentence ("to read ONNX files").

    Raises:
        MissingExtraError: if it is not installed, or is installed and cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and not module.startswith(error.name):
            raise MissingExtraError(
                f"{module} is needed {purpose}, and it is installed, but its own part {error.name!r} is missing: "
                f"reinstall it with: pip install 'netdissect[{extra}]'"
            ) from error
        raise MissingExtraError(
            f"{module} is needed {purpose} and is not installed: pip install 'netdissect[{extra}]'"
        ) from error
    except (ImportError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MissingExtraError(
            f"{module} is needed {purpose} and is installed, but cannot be imported ({reason}): "
            f"check that its version fits the other libraries here"
        ) from error
