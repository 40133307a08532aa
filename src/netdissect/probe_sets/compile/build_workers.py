"""Processes that share the work: a task mapped over batches, in order, with one context per process.

Processes are spawned, never forked, so it works the same everywhere; a program that asks for several must have the
usual ``if __name__ == "__main__":``.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from netdissect.bounds import MAX_WORKERS, require_integer
from netdissect.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

Context = TypeVar("Context")
Job = TypeVar("Job")
Outcome = TypeVar("Outcome")

_context: Any = None


class BuildWorkers(Generic[Context]):
    """A pool of processes; one worker is this process itself.

    On Ctrl-C the batches under way are finished, the others forgotten, and no process is left behind.
    """

    def __init__(self, workers: int, context: Context) -> None:
        """Prepare a pool.

        Args:
            workers: how many processes.
            context: what every task is given first; it travels to each process once.

        Raises:
            SettingsError: if there cannot be so many.
        """
        require_integer("workers", workers, 1, MAX_WORKERS)
        self._context = context
        self._pool: ProcessPoolExecutor | None = None
        if workers > 1:
            self._pool = ProcessPoolExecutor(
                workers, multiprocessing.get_context("spawn"), initializer=_adopt, initargs=(context,)
            )

    def map(self, task: Callable[[Context, Job], Outcome], jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Yield ``task(context, job)`` for every job, in order.

        Raises:
            DataError: if a process died, most often for want of memory.
        """
        if self._pool is None:
            for job in jobs:
                yield task(self._context, job)
            return
        with _undisturbed():
            futures = [self._pool.submit(_run, task, job) for job in jobs]
        try:
            for position, future in enumerate(futures):
                yield future.result()
                futures[position] = None  # type: ignore[call-overload]  # its outcome may be large
        except BrokenProcessPool as error:
            raise DataError(
                "a worker process ended without an answer (most often memory ran out, or a script without "
                "'if __name__ == \"__main__\":'): the same call goes on, try fewer workers"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold Ctrl-C back while processes are started: they inherit that, and stay quiet from their first moment on."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _adopt(context: Any) -> None:
    global _context  # noqa: PLW0603 - a process has one context
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    _context = context


def _run(task: Callable[[Any, Any], Any], job: Any) -> Any:
    return task(_context, job)
