"""Work done on this machine: in this process, or by worker processes."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import pickle
import signal
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import TYPE_CHECKING, Any, Self

from netdissect.errors import RunError, SettingsError, root_message
from netdissect.runtime.port import MOST_FINISHED_AHEAD, describe_unpicklable
from netdissect.runtime.worker_loop import run_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from netdissect.runtime.port import Item, Outcome, WorkerSetup

#: How often an item may lose its worker, and a worker be lost before it is ready, until they are given up.
ATTEMPTS = 3
#: Seconds of silence after which a worker is told of, and after which it is ended and its item done by another. Workers
#: give a sign of life twelve times as often, however long their work takes: one that is silent is stopped, or its machine
#: has no time for it.
SILENCE_SECONDS, GIVE_UP_SECONDS = 60.0, 600.0
_LOG = logging.getLogger("netdissect")


@dataclass(frozen=True)
class InProcessRuntime:
    """Everything in this process, one item after the other."""

    context: Any

    def map(self, task: Callable[[Any, Item], Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """Yield ``task(context, item)`` for every item, in the items' order."""
        for item in items:
            yield task(self.context, item)


@dataclass(eq=False)
class _Worker:
    number: int
    process: BaseProcess
    pipe: Connection
    pulse: Connection  # its signs of life
    silent: float = 0.0  # seconds for which it was waited for in vain
    called: bool = False  # it has said that it is there, and was sent its setup
    ready: bool = False  # its context is made
    busy: tuple[int, Any] | None = None


@dataclass
class _MapState:
    """The items of one map: which are waiting, which are done, which lost their worker how often."""

    waiting: deque[tuple[int, Any]]
    done: dict[int, Any] = field(default_factory=dict)
    lost: dict[int, int] = field(default_factory=dict)


class ProcessRuntime:
    """Worker processes, each with a context of its own; a worker that dies is replaced and its item done again.

    Use it as a context manager: when the block ends, however it ends, no worker is left. On Linux workers are forked
    from a server that has imported what they need and done nothing else, so that another worker costs no imports and
    shares their memory; elsewhere they are spawned.
    """

    def __init__(self, setup: WorkerSetup, count: int, *, threads: int | None = None) -> None:
        """Get ready; processes start when there is work.

        Args:
            setup: makes a worker's context; it is sent to every worker once.
            count: number of processes.
            threads: of each; None shares the processors evenly.
        """
        self._setup = setup
        self._count = count
        self._threads = threads or max(1, (os.cpu_count() or 1) // count)
        self._processes = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
        if sys.platform == "linux" and type(setup).__module__ != "__main__":
            self._processes.set_forkserver_preload([type(setup).__module__])
        self._workers: list[_Worker] = []
        self._failed = 0

    def map(self, task: Callable[[Any, Item], Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """Yield ``task(context, item)`` for every item, in the items' order; as many are under way as workers.

        Raises:
            SettingsError: if workers cannot be started from this program, or the setup cannot be sent to them.
            RunError: if an item loses its worker again and again.
        """
        work = _MapState(deque(enumerate(items)))
        total = len(work.waiting)
        given = 0
        try:
            while given < total:
                self._start_missing()
                # Results that nobody has asked for yet may not pile up behind one slow item.
                self._hand_out(task, work, before=given + MOST_FINISHED_AHEAD * self._count)
                self._collect(work)
                while given in work.done:
                    yield work.done.pop(given)
                    given += 1
        finally:  # what is still under way is nobody's any more
            self._end([worker for worker in self._workers if worker.busy is not None])

    def close(self) -> None:
        """End every worker."""
        self._end(list(self._workers))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start_missing(self) -> None:
        free = sorted(set(range(self._count)) - {worker.number for worker in self._workers})
        for number in free:
            here, there = self._processes.Pipe()
            pulse, beating = self._processes.Pipe(duplex=False)
            process = self._processes.Process(  # type: ignore[attr-defined]  # both kinds of context have it
                target=run_worker, args=(there, beating, SILENCE_SECONDS / 12, self._threads, number), daemon=True
            )
            with _block_interrupt():
                process.start()
            there.close()
            beating.close()
            self._workers.append(_Worker(number, process, here, pulse))

    def _hand_out(self, task: Callable[[Any, Any], Any], work: _MapState, *, before: int) -> None:
        for worker in self._workers:
            if worker.ready and worker.busy is None and work.waiting and work.waiting[0][0] < before:
                worker.busy = work.waiting.popleft()
                with contextlib.suppress(BrokenPipeError):  # a dead worker is noticed by its sentinel
                    worker.pipe.send((task, worker.busy[1]))

    def _collect(self, work: _MapState) -> None:
        """Wait until some worker says something, or dies, and take note."""
        ends = [end for worker in self._workers for end in (worker.pipe, worker.process.sentinel, worker.pulse)]
        asked = time.monotonic()
        heard = set(connection.wait(ends, timeout=SILENCE_SECONDS / 12))
        waited = min(time.monotonic() - asked, SILENCE_SECONDS / 6)  # this process may have been stopped too
        for worker in list(self._workers):
            self._feel(worker, waited, there=worker.pipe in heard or worker.pulse in heard)
            if worker.pipe in heard or worker.process.sentinel in heard:
                try:
                    said = worker.pipe.recv() if worker.pipe.poll() else None
                except (EOFError, OSError):
                    said = None
                if said is None:
                    self._lost(worker, work)
                elif not worker.ready:
                    self._prepare(worker, *said)
                else:
                    self._finished(worker, work, *said)

    def _feel(self, worker: _Worker, waited: float, *, there: bool) -> None:
        """Note whether a worker gave a sign of life; tell of one that is silent, end one that stays so."""
        before = worker.silent
        worker.silent = 0.0 if there else before + waited
        if there:
            with contextlib.suppress(EOFError, OSError):  # it has died, which its sentinel says
                while worker.pulse.poll():
                    worker.pulse.recv_bytes()
        who = f"worker {worker.number} (process {worker.process.pid})"
        if there and before >= SILENCE_SECONDS:
            _LOG.warning("%s answers again", who)
        elif before < SILENCE_SECONDS <= worker.silent:
            _LOG.warning(
                "%s has given no sign of life for %.0f s, it may have been stopped: kill -CONT %d lets it go on, kill -KILL "
                "%d has its work done by another; after %.0f s that is done",
                who, SILENCE_SECONDS, worker.process.pid, worker.process.pid, GIVE_UP_SECONDS,
            )  # fmt: skip
        elif before < GIVE_UP_SECONDS <= worker.silent:
            _LOG.warning("%s has given no sign of life for %.0f s: it is ended, and replaced", who, GIVE_UP_SECONDS)
            worker.process.kill()

    def _prepare(self, worker: _Worker, good: bool, value: Any) -> None:
        """Send a worker that is there its setup; hear how making the context went."""
        if not good:
            raise value
        if worker.called:
            worker.ready = True
            return
        try:
            data = pickle.dumps(self._setup)
        except Exception as error:  # whatever its parts raise when they are to be sent
            raise SettingsError(
                f"{describe_unpicklable(self._setup)} cannot be sent to worker processes ({root_message(error)}): define its class at the "
                f"top of an importable module, or use one worker"
            ) from error
        worker.called = True
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            worker.pipe.send_bytes(data)

    def _finished(self, worker: _Worker, work: _MapState, good: bool, value: Any) -> None:
        assert worker.busy is not None
        number, _ = worker.busy
        worker.busy = None
        if not good:
            raise value
        work.done[number] = value

    def _lost(self, worker: _Worker, work: _MapState) -> None:
        """Put a dead worker's item back, or give up."""
        self._workers.remove(worker)
        code = _join_process(worker)
        if not worker.called and code == 1:
            program = getattr(sys.modules["__main__"], "__file__", None)
            if program is not None and not os.path.isfile(program):  # noqa: PTH113 - "<stdin>" is no path
                raise SettingsError(
                    "worker processes cannot be started from a program that is read from standard input: write it into a "
                    "file, or use one worker"
                )
            raise SettingsError(
                "worker processes cannot be started from this program: a script that asks for several must do its work "
                'below an `if __name__ == "__main__":`; write that, or use one worker'
            )
        if worker.busy is None:
            self._failed += 1
            often = self._failed
        else:
            number, item = worker.busy
            often = work.lost[number] = work.lost.get(number, 0) + 1
            work.waiting.appendleft((number, item))
        if often >= ATTEMPTS:
            over = "over the same piece of work" if worker.busy else "before it could start"
            raise RunError(
                f"a worker process was killed {ATTEMPTS} times {over} (exit code {code}; -9 usually means that memory ran "
                f"out): use fewer --workers or a smaller --batch-size, and run the same command again, it goes on from "
                f"what is finished"
            )

    def _end(self, workers: list[_Worker]) -> None:
        for worker in workers:
            self._workers.remove(worker)
            if worker.silent < SILENCE_SECONDS:
                worker.process.terminate()
            else:  # one that is stopped hears nothing else
                worker.process.kill()
        for worker in workers:
            _join_process(worker)


def _join_process(worker: _Worker) -> int | None:
    """See a worker off, and return its exit code."""
    worker.process.join(timeout=10)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()
    code = worker.process.exitcode
    worker.process.close()
    worker.pipe.close()
    worker.pulse.close()
    return code


@contextlib.contextmanager
def _block_interrupt() -> Iterator[None]:
    """Hold Ctrl-C back while a process is started: it inherits that, and stays quiet from its first moment on."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
