"""Runtimes on this machine: one in this process, one of worker processes."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import pickle
import signal
import sys
import time
from dataclasses import dataclass
from multiprocessing import connection
from typing import TYPE_CHECKING, Any, Self

from netdissect.errors import RunError, SettingsError
from netdissect.runtime.item_queue import ItemQueue
from netdissect.runtime.main_program import GUARD, describe_unsendable, require_importable_program
from netdissect.runtime.port import describe_unpicklable
from netdissect.runtime.worker_loop import run_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from netdissect.runtime.port import Item, Outcome, Runtime, WorkerSetup

#: The run fails when this many workers died on the same item, or before they were ready.
ATTEMPTS = 3
#: Seconds without a heartbeat after which a worker is reported.
SILENCE_SECONDS = 60.0
#: Seconds without a heartbeat after which a worker is killed and its item given to another.
GIVE_UP_SECONDS = 600.0
#: The most workers on Windows, which waits for 63 objects at once: each worker has two pipes and a process.
WINDOWS_WORKERS = 20
#: Heartbeats in `SILENCE_SECONDS`. A separate thread sends them, so they do not stop during a long task.
_HEARTBEATS = 12
_LOG = logging.getLogger("netdissect")


@contextlib.contextmanager
def start_local_workers(setup: WorkerSetup, count: int, *, threads: int | None = None) -> Iterator[Runtime]:
    """Yield a runtime of workers on this machine; a single worker is this process itself.

    Args:
        setup: makes a worker's context.
        count: number of workers.
        threads: threads per worker. Default: CPU cores divided evenly among workers.
    """
    if count <= 1:
        with setup(threads or os.cpu_count() or 1, 0) as context:
            yield InProcessRuntime(context)
    else:
        with ProcessRuntime(setup, count, threads=threads) as runtime:
            yield runtime


@dataclass(frozen=True)
class InProcessRuntime:
    """Runs every task in this process, one item after the other."""

    context: Any

    def map(self, task: Callable[[Any, Item], Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """Yield ``task(context, item)`` for every item, in the order of the items."""
        for item in items:
            yield task(self.context, item)


@dataclass(eq=False)
class _Worker:
    """A worker process and its state.

    Attributes:
        number: its number, from 0.
        process: the process.
        pipe: carries the setup and items to it, and results back.
        heartbeats: carries its heartbeats.
        silent: seconds since its last heartbeat, without those in which this process was suspended.
        has_setup: whether the setup was sent to it.
        ready: whether its context is made.
        job: number and item of what it is working on.
    """

    number: int
    process: BaseProcess
    pipe: Connection
    heartbeats: Connection
    silent: float = 0.0
    has_setup: bool = False
    ready: bool = False
    job: tuple[int, Any] | None = None


class ProcessRuntime:
    """Worker processes, each with its own context. A worker that dies is replaced and its item is done again.

    Use it as a context manager: no worker is left when the block ends. On Linux, workers are forked from a server
    process that has imported the setup's module and done nothing else, so a worker imports nothing and shares the
    memory of the imports; elsewhere they are spawned.
    """

    def __init__(self, setup: WorkerSetup, count: int, *, threads: int | None = None) -> None:
        """Prepare; processes start at the first `map`.

        Args:
            setup: makes a worker's context; it is pickled and sent to every worker once.
            count: number of processes.
            threads: threads per worker. Default: CPU cores divided evenly among workers.

        Raises:
            SettingsError: if the system cannot wait for so many workers at once, or this program cannot be imported by them.
        """
        require_importable_program(count)
        if sys.platform == "win32" and count > WINDOWS_WORKERS:
            raise SettingsError(
                f"workers is {count}, and Windows can wait for {WINDOWS_WORKERS} worker processes at most: use fewer, each "
                f"with more threads"
            )
        self._setup = setup
        self._count = count
        self._threads = threads or max(1, (os.cpu_count() or 1) // count)
        self._processes = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
        if sys.platform == "linux" and type(setup).__module__ != "__main__":
            self._processes.set_forkserver_preload([type(setup).__module__])
        self._workers: list[_Worker] = []
        self._early_deaths = 0

    def map(self, task: Callable[[Any, Item], Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """Yield ``task(context, item)`` for every item, in the order of the items; the first error ends it.

        Raises:
            SettingsError: if this program cannot start workers, or the setup cannot be pickled.
            RunError: if `ATTEMPTS` workers died on the same item.
        """
        queue = ItemQueue(items, self._count)
        try:
            while not queue.is_finished:
                self._start_missing()
                self._hand_out(task, queue)
                self._receive(queue)
                yield from queue.pop_results()
        finally:  # after an error, or if the caller stopped early, the items in progress are not needed
            self._stop([worker for worker in self._workers if worker.job is not None])

    def close(self) -> None:
        """Stop every worker."""
        self._stop(list(self._workers))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start_missing(self) -> None:
        for number in sorted(set(range(self._count)) - {worker.number for worker in self._workers}):
            pipe, worker_pipe = self._processes.Pipe()
            heartbeats, worker_heartbeats = self._processes.Pipe(duplex=False)
            process = self._processes.Process(  # type: ignore[attr-defined]  # both kinds of context have it
                target=run_worker,
                args=(worker_pipe, worker_heartbeats, SILENCE_SECONDS / _HEARTBEATS, self._threads, number),
                daemon=True,
            )
            with _block_interrupt():
                process.start()
            worker_pipe.close()
            worker_heartbeats.close()
            self._workers.append(_Worker(number, process, pipe, heartbeats))

    def _hand_out(self, task: Callable[[Any, Any], Any], queue: ItemQueue) -> None:
        for worker in self._workers:
            if worker.ready and worker.job is None:
                worker.job = queue.take()
                if worker.job is not None:
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # `_receive` notices dead workers
                        worker.pipe.send((task, worker.job[1]))

    def _receive(self, queue: ItemQueue) -> None:
        """Wait until a worker sends something or dies, and handle it."""
        ends = [end for worker in self._workers for end in (worker.pipe, worker.process.sentinel, worker.heartbeats)]
        start = time.monotonic()
        ready = set(connection.wait(ends, timeout=SILENCE_SECONDS / _HEARTBEATS))
        # The time in which this process was suspended does not count.
        waited = min(time.monotonic() - start, 2 * SILENCE_SECONDS / _HEARTBEATS)
        for worker in list(self._workers):
            self._check_heartbeat(worker, waited, alive=worker.pipe in ready or worker.heartbeats in ready)
            if worker.pipe in ready or worker.process.sentinel in ready:
                try:
                    message = worker.pipe.recv() if worker.pipe.poll() else None
                except (EOFError, OSError):
                    message = None
                if message is None:
                    self._handle_death(worker, queue)
                elif not worker.ready:
                    self._handle_setup(worker, *message)
                else:
                    self._take_result(worker, queue, *message)

    def _check_heartbeat(self, worker: _Worker, waited: float, *, alive: bool) -> None:
        """Report a worker that sends no heartbeats, and kill it if none come."""
        before = worker.silent
        worker.silent = 0.0 if alive else before + waited
        if alive:
            with contextlib.suppress(EOFError, OSError):  # it died: its sentinel is ready too
                while worker.heartbeats.poll():
                    worker.heartbeats.recv_bytes()
        name = f"worker {worker.number} (process {worker.process.pid})"
        if alive and before >= SILENCE_SECONDS:
            _LOG.warning("%s answers again", name)
        elif before < SILENCE_SECONDS <= worker.silent:
            _LOG.warning(
                "%s has not answered for %.0f s and may have been stopped: resume it with kill -CONT %d, or end it with "
                "kill -KILL %d so that another worker takes over; after %.0f s it is ended automatically",
                name, SILENCE_SECONDS, worker.process.pid, worker.process.pid, GIVE_UP_SECONDS,
            )  # fmt: skip
        elif before < GIVE_UP_SECONDS <= worker.silent:
            _LOG.warning("%s has not answered for %.0f s: it is ended and replaced", name, GIVE_UP_SECONDS)
            worker.process.kill()

    def _handle_setup(self, worker: _Worker, success: bool, value: Any) -> None:
        """Handle a message of a worker that is not ready: send it the setup, or note that its context is made."""
        if not success:
            raise value
        if worker.has_setup:
            worker.ready = True
            return
        try:
            data = pickle.dumps(self._setup)
        except Exception as error:  # pickling can fail with any error
            raise SettingsError(describe_unsendable(describe_unpicklable(self._setup), error)) from error
        worker.has_setup = True
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            worker.pipe.send_bytes(data)

    def _take_result(self, worker: _Worker, queue: ItemQueue, success: bool, value: Any) -> None:
        assert worker.job is not None
        number, _ = worker.job
        worker.job = None
        if not success:
            raise value
        queue.add_result(number, value)

    def _handle_death(self, worker: _Worker, queue: ItemQueue) -> None:
        """Put a dead worker's item back, or raise if too many workers died."""
        self._workers.remove(worker)
        code = _join_process(worker)
        if not worker.has_setup and code == 1:
            raise SettingsError(f"worker processes cannot be started from this program: {GUARD}")
        if worker.job is None:
            self._early_deaths += 1
            deaths = self._early_deaths
        else:
            deaths = queue.put_back(*worker.job)
        if deaths >= ATTEMPTS:
            when = "on the same piece of work" if worker.job else "before it could start"
            raise RunError(
                f"a worker process was killed {ATTEMPTS} times {when} (exit code {code}; -9 usually means that memory ran "
                f"out): use fewer --workers or, in a run, a smaller --batch-size, and run the same command again; it "
                f"continues from what is finished"
            )

    def _stop(self, workers: list[_Worker]) -> None:
        for worker in workers:
            self._workers.remove(worker)
            if worker.silent < SILENCE_SECONDS:
                worker.process.terminate()
            else:  # a stopped process does not react to SIGTERM
                worker.process.kill()
        for worker in workers:
            _join_process(worker)


def _join_process(worker: _Worker) -> int | None:
    """Wait until a worker has ended, close its pipes, and return its exit code."""
    worker.process.join(timeout=10)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()
    code = worker.process.exitcode
    worker.process.close()
    worker.pipe.close()
    worker.heartbeats.close()
    return code


@contextlib.contextmanager
def _block_interrupt() -> Iterator[None]:
    """Block SIGINT while a process starts, so that it inherits the mask and Ctrl-C does not end it with a traceback."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
