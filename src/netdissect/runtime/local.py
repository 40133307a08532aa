"""Work done on this machine: in this process, or by worker processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
from collections import deque
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import TYPE_CHECKING, Any, Self

from netdissect.errors import RunError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnContext, SpawnProcess

    from netdissect.runtime.base import Item, Outcome, Setup

#: How often an item may lose its worker before it is given up.
ATTEMPTS = 3


@dataclass(frozen=True)
class InProcess:
    """Everything in this process, one item after the other."""

    context: Any

    def map(self, task: Callable[[Any, Item], Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """Yield ``task(context, item)`` for every item, in the items' order."""
        for item in items:
            yield task(self.context, item)


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    busy: tuple[int, Any] | None = None


@dataclass
class _Work:
    """The items of one map: which are waiting, which are done, which lost their worker how often."""

    waiting: deque[tuple[int, Any]]
    done: dict[int, Any] = field(default_factory=dict)
    lost: dict[int, int] = field(default_factory=dict)


class Processes:
    """Worker processes, each with a context of its own; a worker that dies is replaced and its item done again.

    Use it as a context manager: when the block ends, however it ends, no process is left.
    """

    def __init__(self, setup: Setup, count: int, *, threads: int | None = None) -> None:
        """Get ready; processes start when there is work.

        Args:
            setup: makes a worker's context; it is sent to every worker once.
            count: number of processes.
            threads: of each; None shares the processors evenly.
        """
        self._setup = setup
        self._count = count
        self._threads = threads or max(1, (os.cpu_count() or 1) // count)
        self._spawn: SpawnContext = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._started = 0

    def map(self, task: Callable[[Any, Item], Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """Yield ``task(context, item)`` for every item, in the items' order; as many are under way as workers.

        Raises:
            SettingsError: if the setup cannot be sent to another process.
            RunError: if an item loses its worker again and again.
        """
        work = _Work(deque(enumerate(items)))
        total = len(work.waiting)
        given = 0
        while given < total:
            # Results that nobody has asked for yet may not pile up behind one slow item.
            self._hand_out(task, work, before=given + 3 * self._count)
            self._collect(work)
            while given in work.done:
                yield work.done.pop(given)
                given += 1

    def _hand_out(self, task: Callable[[Any, Any], Any], work: _Work, *, before: int) -> None:
        while len(self._workers) < min(self._count, len(work.waiting) + sum(w.busy is not None for w in self._workers)):
            self._workers.append(self._start())
        for worker in self._workers:
            if worker.busy is None and work.waiting and work.waiting[0][0] < before:
                worker.busy = work.waiting.popleft()
                with contextlib.suppress(BrokenPipeError):  # a dead worker is noticed by its sentinel
                    worker.pipe.send((task, worker.busy[1]))

    def _collect(self, work: _Work) -> None:
        busy = [worker for worker in self._workers if worker.busy is not None]
        ready = connection.wait([end for worker in busy for end in (worker.pipe, worker.process.sentinel)])
        for worker in busy:
            if worker.pipe in ready or worker.process.sentinel in ready:
                self._receive(worker, work)

    def _receive(self, worker: _Worker, work: _Work) -> None:
        assert worker.busy is not None
        number, item = worker.busy
        try:
            good, value = worker.pipe.recv() if worker.pipe.poll() else (None, None)
        except (EOFError, OSError):
            good, value = None, None
        if good is None:
            self._workers.remove(worker)
            worker.process.join(timeout=5)
            work.lost[number] = work.lost.get(number, 0) + 1
            if work.lost[number] >= ATTEMPTS:
                raise RunError(
                    f"a worker process was killed {ATTEMPTS} times over the same piece of work (exit code "
                    f"{worker.process.exitcode}; -9 usually means that memory ran out): use fewer --workers or a smaller "
                    f"--batch-size, and run the same command again, it goes on from what is finished"
                )
            work.waiting.appendleft((number, item))
            return
        worker.busy = None
        if isinstance(value, BaseException) and not good:
            raise value
        work.done[number] = value

    def _start(self) -> _Worker:
        here, there = self._spawn.Pipe()
        process = self._spawn.Process(
            target=_serve, args=(there, self._setup, self._threads, self._started), daemon=True
        )
        self._started += 1
        try:
            process.start()
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise SettingsError(
                f"the network cannot be sent to worker processes ({error}): define its class at the top of an "
                f"importable module, or use one worker"
            ) from error
        finally:
            there.close()
        return _Worker(process, here)

    def close(self) -> None:
        """End every worker."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(timeout=10)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.process.close()
            worker.pipe.close()
        self._workers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _serve(pipe: Connection, setup: Setup, threads: int, number: int) -> None:
    """Do what comes down the pipe until it closes. An interrupt from the keyboard is the coordinator's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with setup(threads, number) as context:
            while True:
                task, item = pipe.recv()
                try:
                    pipe.send((True, task(context, item)))
                except Exception as error:  # noqa: BLE001 - handed to the coordinator, which raises it
                    pipe.send((False, error))
    except EOFError:
        return
    except Exception as error:  # noqa: BLE001 - the context could not be made: say why instead of dying silently
        with contextlib.suppress(EOFError, OSError):
            pipe.recv()
            pipe.send((False, error))
