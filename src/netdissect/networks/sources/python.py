"""``python:module:function``: a network that a user's function returns. Also calls users' code, which may raise any exception."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from netdissect.errors import ModelError, ModelNotFoundError, NetdissectError, suggest_nearest
from netdissect.io.text import escape_line
from netdissect.networks.module_copies import FORWARD_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable


def call_factory(spec: str) -> Any:
    """Return the network that a function returns.

    Args:
        spec: ``module:function``, the module importable from the current folder. ``module:name`` may also be a
            ``torch.nn.Module`` or, as ``module:Class.method``, a method of a class.

    Raises:
        ModelNotFoundError: if there is no such module or function.
        ModelError: if the function fails, or returns neither a ``torch.nn.Module`` nor a network.
    """
    name, _, function = spec.partition(":")
    if not name or not function:
        raise ModelNotFoundError(f"python:{spec}: expected python:module:function")
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)  # not removed again: the function may import later, and workers copy the path
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and not f"{name}.".startswith(f"{error.name}."):
            raise ModelError(f"python:{spec}: importing {name} failed: there is no module {error.name!r}") from error
        raise ModelNotFoundError(f"python:{spec}: there is no module {name!r} in {here} or on the path") from error
    except (Exception, SystemExit) as error:
        raise ModelError(f"python:{spec}: importing {name} failed ({describe_exception(error)})") from error
    found: Any = module
    for part in function.split("."):
        if not hasattr(found, part):
            names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
            raise ModelNotFoundError(f"python:{spec}: {name} has no {function!r}: {suggest_nearest(function, names)}")
        found = getattr(found, part)
    if callable(found) and not isinstance(found, nn.Module):
        try:
            found = found()
        except (Exception, SystemExit) as error:
            raise ModelError(f"python:{spec}: {function}() failed ({describe_exception(error)})") from error
    if not isinstance(found, nn.Module) and not hasattr(found, "probe"):
        raise ModelError(f"python:{spec} returned {type(found).__name__}: expected a torch.nn.Module")
    return found


def describe_exception(error: BaseException) -> str:
    """Return an exception of a user's code in one line.

    >>> describe_exception(KeyError("what")), describe_exception(SystemExit(3))
    ("KeyError: 'what'", 'it called sys.exit(3)')
    """
    if isinstance(error, SystemExit):
        return f"it called sys.exit({'' if error.code is None else escape_line(repr(error.code))})"
    return escape_line(f"{type(error).__name__}: {error}")


class UsersCodeError(ModelError, RuntimeError):
    """A user's code raised an exception that torch never raises, or called ``sys.exit``."""


def call_user_code(call: Callable[..., Any], *args: Any) -> Any:
    """Call a user's code and turn unexpected exceptions into an error of this project.

    Errors that torch raises (`FORWARD_ERRORS`), errors of this project, MemoryError and KeyboardInterrupt pass
    unchanged.

    Raises:
        UsersCodeError: for any other exception, SystemExit included.
    """
    try:
        return call(*args)
    except (NetdissectError, MemoryError, *FORWARD_ERRORS):
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - users' code may raise anything
        raise UsersCodeError(f"the network's own code fails: {describe_exception(error)}") from None
