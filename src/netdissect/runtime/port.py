"""The port every runtime serves: a function mapped over items, with one context per worker.

A runtime knows nothing of what it runs. A *context* is whatever a worker sets up once and uses for all its items (a
loaded network, an opened probe set); a *task* is a function of the context and one item; a *setup* makes a context.
"""

from __future__ import annotations

import dataclasses
import pickle
import traceback
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from netdissect.errors import RunError, describe_exit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

#: How many finished items per worker may wait for a slow one before them.
MOST_FINISHED_AHEAD = 3


class WorkerSetup(Protocol):
    """Makes a worker's context; must survive pickling."""

    def __call__(self, threads: int, number: int) -> AbstractContextManager[Any]:
        """Return the context of worker `number`, which may use so many threads; it ends with its block."""
        ...


class Runtime(Protocol):
    """Somewhere to run tasks."""

    def map(self, task: Callable[[Any, Item], Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """Yield ``task(context, item)`` for every item, in the items' order."""
        ...


def describe_unpicklable(setup: Any) -> str:
    """Return what of a setup cannot be sent to another process, in words; its fields say what they are called."""
    for part in dataclasses.fields(setup) if dataclasses.is_dataclass(setup) else ():
        try:
            pickle.dumps(getattr(setup, part.name))
        except Exception:  # noqa: BLE001 - whatever it is that does not pickle
            return str(part.metadata.get("called", part.name))
    return "what they need"


def make_picklable(error: BaseException) -> Exception:
    """Return an error that can travel to another process, with its traceback as a note.

    One that does not survive pickling, because it holds an open file or wants other arguments, becomes a RunError of
    its words; and so does code that would leave the program.
    """
    if not isinstance(error, Exception):
        error = RunError(f"{describe_exit(error)} in a worker" if isinstance(error, SystemExit) else repr(error))
    error.add_note("in a worker:\n" + "".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - its own bytes, made in this line
    except Exception:  # noqa: BLE001 - whatever it is that does not pickle
        words = RunError(f"a worker failed with {type(error).__name__}: {error}")
        words.add_note(error.__notes__[-1])
        return words
    return error
