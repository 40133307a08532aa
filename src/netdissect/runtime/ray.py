"""The runtime of a Ray cluster: one actor per worker, GPUs as resources (docs/scale.md)."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, Self

from netdissect.errors import RunError, SettingsError, root_message
from netdissect.runtime.item_queue import ItemQueue
from netdissect.runtime.port import describe_unpicklable, make_picklable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from netdissect.runtime.cluster import RayCluster
    from netdissect.runtime.port import Item, Outcome, WorkerSetup

#: The run fails when this many actors were lost on the same item, or before they were ready.
ATTEMPTS = 5
#: The concurrency group in which actors answer while a task runs.
HEARTBEAT = "heartbeat"
#: Seconds to wait for the first actor while none is working.
START_SECONDS = 300
#: Seconds without an answer after which an actor is reported.
SILENCE_SECONDS = 60.0
#: Seconds without an answer after which an actor is killed and its item given to another.
GIVE_UP_SECONDS = 600.0
_LOG = logging.getLogger("netdissect")


class RayRuntime:
    """Actors of a Ray cluster, each with its own context. An actor or node that is lost is replaced.

    Use it as a context manager: its actors are gone when the block ends.
    """

    def __init__(
        self, cluster: RayCluster, setup: WorkerSetup, count: int, *, cpus: int | None = None, gpus: int = 0
    ) -> None:
        """Prepare; actors start at the first `map`.

        Args:
            cluster: the cluster.
            setup: makes an actor's context; it is put into the cluster's object store and fetched once per node.
            count: number of actors; those that do not fit wait, and the others do the work.
            cpus: CPUs per actor, also the threads it may use. Default: the cluster's CPUs divided evenly.
            gpus: GPUs per actor.
        """
        self._ray = cluster.ray
        self._count = count
        self._cpus = cpus or cluster.share_cpus(count, gpus)
        self._gpus = gpus
        try:
            self._setup = self._ray.put(setup)
        except Exception as error:  # pickling can fail with any error
            raise SettingsError(
                f"{describe_unpicklable(setup)} cannot be sent to the workers of the cluster ({root_message(error)}): "
                f"define its class at the top level of an importable module, or use one worker of this machine"
            ) from error
        self._actor = self._ray.remote(
            num_cpus=self._cpus, num_gpus=gpus, max_restarts=0, max_concurrency=1, concurrency_groups={HEARTBEAT: 1}
        )(_Actor)
        self._heartbeats = _Heartbeats(self._ray)
        self._numbers: dict[Any, int] = {}
        self._starting: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._in_progress: dict[Any, tuple[Any, int, Any]] = {}  # actor, number and item, by the result's reference
        self._early_losses = 0

    def map(self, task: Callable[[Any, Item], Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """Yield ``task(context, item)`` for every item, in the order of the items; the first error ends it.

        Raises:
            RunError: if `ATTEMPTS` actors were lost on the same item, or no actor can be started.
        """
        queue = ItemQueue(items, self._count)
        shared_task = self._ray.put(task)
        try:
            while not queue.is_finished:
                self._start_missing()
                self._hand_out(shared_task, queue)
                if not self._replace_silent(queue):
                    self._receive(queue)
                yield from queue.pop_results()
        finally:  # after an error, or if the caller stopped early, the items in progress are not needed
            for actor, _, _ in self._in_progress.values():
                self._forget(actor)
            self._in_progress.clear()

    def close(self) -> None:
        """End the actors."""
        for actor in list(self._numbers):
            self._forget(actor)
        self._starting.clear()
        self._idle.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start_missing(self) -> None:
        """Request missing actors; they get items once they are ready; the cluster may first have to have room for them."""
        for number in sorted(set(range(self._count)) - set(self._numbers.values())):
            actor = self._actor.remote()
            self._numbers[actor] = number
            self._starting[actor.start.remote(self._setup, self._cpus, number)] = actor

    def _hand_out(self, shared_task: Any, queue: ItemQueue) -> None:
        while self._idle:
            job = queue.take()
            if job is None:
                return
            actor = self._idle.pop()
            self._in_progress[actor.run_task.remote(shared_task, job[1])] = (actor, *job)

    def _replace_silent(self, queue: ItemQueue) -> bool:
        """Give up actors that do not answer, and put their items back; return whether there were any."""
        silent = self._heartbeats.find_silent({
            actor: self._numbers[actor] for actor, _, _ in self._in_progress.values()
        })  # fmt: skip
        for reference in [one for one, (actor, _, _) in self._in_progress.items() if actor in silent]:
            self._put_back(reference, queue, "it did not answer")
        return bool(silent)

    def _receive(self, queue: ItemQueue) -> None:
        """Wait until an actor is ready or has a result, and handle it."""
        ready = self._wait()
        if ready is None:
            return
        if ready in self._starting:
            self._finish_start(ready)
            return
        try:
            success, value = self._ray.get(ready)
        except self._ray.exceptions.RayTaskError as error:  # the result cannot be pickled
            raise RunError(f"a worker of the cluster failed with {root_message(error.cause or error)}") from error
        except self._ray.exceptions.RayError as error:  # the actor, its node, or the result on its way was lost
            self._put_back(ready, queue, root_message(error), error)
            return
        actor, number, _ = self._in_progress.pop(ready)
        self._idle.append(actor)
        if not success:
            raise value
        queue.add_result(number, value)

    def _put_back(self, reference: Any, queue: ItemQueue, reason: str, error: Exception | None = None) -> None:
        """Give up the actor that was working on an item, and put the item back, or raise if that happened too often."""
        actor, number, item = self._in_progress.pop(reference)
        self._forget(actor)
        if queue.put_back(number, item) >= ATTEMPTS:
            raise RunError(
                f"a worker of the cluster was lost {ATTEMPTS} times on the same piece of work ({reason}): run the same "
                f"command again, it continues from what is finished"
            ) from error

    def _wait(self) -> Any:
        """Return a reference that is ready; None if none is for a while.

        Raises:
            RunError: if no actor is working and none could be started for `START_SECONDS`.
        """
        working = bool(self._in_progress)
        ready, _ = self._ray.wait(
            [*self._in_progress, *self._starting],
            num_returns=1,
            timeout=SILENCE_SECONDS / 12 if working else START_SECONDS,
        )
        if not ready and not working:
            raise RunError(
                f"no worker of the cluster could be started within {START_SECONDS} s: each asks for {self._cpus} CPUs and "
                f"{self._gpus} GPUs; use fewer --workers, or add nodes and run the same command again, it continues from "
                f"what is finished"
            )
        return ready[0] if ready else None

    def _finish_start(self, ready: Any) -> None:
        """Make an actor idle once its context is made; if it was lost, let it be replaced, up to `ATTEMPTS` times."""
        actor = self._starting.pop(ready)
        try:
            error = self._ray.get(ready)
        except self._ray.exceptions.RayTaskError as failure:  # the setup could not be unpickled
            cause = failure.cause if isinstance(failure.cause, Exception) else failure
            raise RunError(
                f"a worker of the cluster cannot make its context ({type(cause).__name__}: {root_message(cause)}): is "
                f"the same software installed on every node?"
            ) from failure
        except self._ray.exceptions.RayError as failure:
            self._forget(actor)
            self._early_losses += 1
            if self._early_losses >= ATTEMPTS:
                raise RunError(
                    f"workers of the cluster were lost {ATTEMPTS} times before they could start "
                    f"({root_message(failure)}): run the same command again, it continues from what is finished"
                ) from failure
            return
        if error is not None:
            raise error
        self._idle.append(actor)

    def _forget(self, actor: Any) -> None:
        self._numbers.pop(actor, None)
        self._heartbeats.forget(actor)
        with contextlib.suppress(Exception):
            self._ray.kill(actor)


class _Heartbeats:
    """Checks that working actors answer, and reports those that do not."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._calls: dict[Any, tuple[Any, float]] = {}
        self._reported: set[Any] = set()

    def find_silent(self, working: Mapping[Any, int]) -> set[Any]:
        """Return the actors that have not answered for `GIVE_UP_SECONDS`.

        Args:
            working: the number of every actor that is working, by actor.
        """
        given_up = set()
        for actor, number in working.items():
            reference, since = self._calls.get(actor) or self._call(actor)
            seconds = time.monotonic() - since
            if self._ray.wait([reference], timeout=0)[0]:
                if actor in self._reported:
                    _LOG.warning("worker %d of the cluster answers again", number)
                self.forget(actor)
            elif seconds >= GIVE_UP_SECONDS:
                _LOG.warning(
                    "worker %d of the cluster has not answered for %.0f s: another worker takes over",
                    number,
                    GIVE_UP_SECONDS,
                )
                given_up.add(actor)
            elif seconds >= SILENCE_SECONDS and actor not in self._reported:
                self._reported.add(actor)
                _LOG.warning(
                    "worker %d of the cluster has not answered for %.0f s: its process or its node may have been stopped "
                    "(ray list actors shows where it is); after %.0f s another worker takes over",
                    number, SILENCE_SECONDS, GIVE_UP_SECONDS,
                )  # fmt: skip
        return given_up

    def forget(self, actor: Any) -> None:
        """Stop waiting for an actor's answer."""
        self._calls.pop(actor, None)
        self._reported.discard(actor)

    def _call(self, actor: Any) -> tuple[Any, float]:
        call = actor.answer.options(concurrency_group=HEARTBEAT).remote(), time.monotonic()
        self._calls[actor] = call
        return call


class _Actor:
    """A worker: makes its context once, then does one item after the other."""

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()
        self._context: Any = None

    def start(self, setup: WorkerSetup, threads: int, number: int) -> Exception | None:
        """Make the context; return the error if that fails."""
        try:
            self._context = self._open.enter_context(setup(threads, number))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the coordinator raises it
            return make_picklable(error)
        return None

    def answer(self) -> None:
        """Do nothing: a call returns unless the process is stopped."""

    def run_task(self, task: Callable[[Any, Any], Any], item: Any) -> tuple[bool, Any]:
        """Return (True, result) of a task, or (False, its error); only errors of Ray itself are raised."""
        try:
            return True, task(self._context, item)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the coordinator raises it
            return False, make_picklable(error)
