"""``python:module:function``: a network that a function of yours returns."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from netdissect.errors import ModelError, ModelNotFoundError, NetdissectError, suggest_nearest
from netdissect.io.text import escape_line
from netdissect.networks.prepare import FORWARD_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable


def call_factory(spec: str) -> Any:
    """Call a function and return the network it returns.

    Args:
        spec: ``module:function``; the module is importable from the current folder.

    Raises:
        ModelNotFoundError: if there is no such module or function.
        ModelError: if it fails, or returns something else than a module or a Network.
    """
    name, _, function = spec.partition(":")
    if not name or not function:
        raise ModelNotFoundError(f"python:{spec}: expected python:module:function")
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)  # it stays: the function may import later, and workers look there too
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and not f"{name}.".startswith(f"{error.name}."):
            raise ModelError(f"python:{spec}: importing {name} failed: there is no module {error.name!r}") from error
        raise ModelNotFoundError(f"python:{spec}: there is no module {name!r} in {here} or on the path") from error
    except (Exception, SystemExit) as error:
        raise ModelError(f"python:{spec}: importing {name} failed ({describe_exception(error)})") from error
    made: Any = module
    for part in function.split("."):
        if not hasattr(made, part):
            names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
            raise ModelNotFoundError(f"python:{spec}: {name} has no {function!r}: {suggest_nearest(function, names)}")
        made = getattr(made, part)
    if callable(made) and not isinstance(made, nn.Module):
        try:
            made = made()
        except (Exception, SystemExit) as error:
            raise ModelError(f"python:{spec}: {function}() failed ({describe_exception(error)})") from error
    if not isinstance(made, nn.Module) and not hasattr(made, "probe"):
        raise ModelError(f"python:{spec} returned {type(made).__name__}: expected a torch.nn.Module")
    return made


def describe_exception(error: BaseException) -> str:
    """Return in one line what code of a user's raised.

    >>> told(KeyError("what")), told(SystemExit(3))
    ("KeyError: 'what'", 'it called sys.exit(3)')
    """
    if isinstance(error, SystemExit):
        return f"it called sys.exit({'' if error.code is None else escape_line(repr(error.code))})"
    return escape_line(f"{type(error).__name__}: {error}")


class UsersCodeError(ModelError, RuntimeError):
    """Code of a user's raised something that torch never raises, or wanted to end the program."""


def call_user_code(call: Callable[..., Any], *given: Any) -> Any:
    """Call code of a user's, so that whatever it raises is one of the errors a network may fail with.

    What torch raises (`prepare.RUNNING`), errors of this project and a lack of memory stay what they are, and an
    interrupt of the keyboard interrupts.

    Raises:
        UsersCodeError: in the place of anything else, ``sys.exit`` among it.
    """
    try:
        return call(*given)
    except (NetdissectError, MemoryError, *FORWARD_ERRORS):
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's code may raise anything
        raise UsersCodeError(f"the network's own code fails: {describe_exception(error)}") from None
