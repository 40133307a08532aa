"""The interface of every runtime: map a function over items, with one context per worker.

A runtime does not depend on the kind of work. A *context* is what a worker sets up once and uses for all its items (a loaded
network, an opened probe set); a *task* is a function of the context and one item; a *setup* makes a context.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pickle
import traceback
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from netdissect.errors import RunError, describe_exit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class WorkerSetup(Protocol):
    """Makes a worker's context. It is pickled and sent to every worker once."""

    def __call__(self, threads: int, number: int) -> AbstractContextManager[Any]:
        """Return a context manager that yields the context.

        Args:
            threads: threads the worker may use.
            number: the worker's number, from 0; a worker that replaces another has the same number.
        """
        ...


class PlainContext:
    """Base of contexts that only have to be pickled: an instance is its own setup."""

    @contextlib.contextmanager
    def __call__(self, threads: int, number: int) -> Iterator[Self]:  # noqa: ARG002 - the signature of WorkerSetup
        """Yield this object."""
        yield self


class Runtime(Protocol):
    """Runs tasks in one or more workers."""

    def map(self, task: Callable[[Any, Item], Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """Yield ``task(context, item)`` for every item, in the order of the items; the first error ends it."""
        ...


def describe_unpicklable(setup: Any) -> str:
    """Return the name of the first field of a setup that cannot be pickled; a field's metadata may name it."""
    for part in dataclasses.fields(setup) if dataclasses.is_dataclass(setup) else ():
        try:
            pickle.dumps(getattr(setup, part.name))
        except Exception:  # noqa: BLE001 - pickling can fail with any error
            return str(part.metadata.get("called", part.name))
    return "the context of the workers"


def make_picklable(error: BaseException) -> Exception:
    """Return an error that can be sent to another process, with its traceback as a note.

    An error that cannot be pickled (it holds an open file, or its constructor takes other arguments) becomes a RunError
    with the same message, and so does one that would end the program, such as SystemExit.
    """
    if not isinstance(error, Exception):
        error = RunError(f"{describe_exit(error)} in a worker" if isinstance(error, SystemExit) else repr(error))
    error.add_note("in a worker:\n" + "".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - pickled in this line
    except Exception:  # noqa: BLE001 - pickling can fail with any error
        replacement = RunError(f"a worker failed with {type(error).__name__}: {error}")
        replacement.add_note(error.__notes__[-1])
        return replacement
    return error
