"""Work done by a Ray cluster: the same tasks, one actor per worker, GPUs as resources (docs/scale.md)."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from netdissect.errors import RunError, SettingsError, root_message
from netdissect.runtime.port import MOST_FINISHED_AHEAD, describe_unpicklable, make_picklable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from netdissect.runtime.cluster import RayCluster
    from netdissect.runtime.port import Item, Outcome, WorkerSetup

#: How often an item may lose its worker, and a worker be lost before it is ready, until they are given up.
ATTEMPTS = 5
#: Where actors answer that they are there, beside their work.
HEARTBEAT = "pulse"
#: Seconds to wait for a first worker while none is at work.
START_SECONDS = 300
#: Seconds for which a worker's sign of life is waited for until it is told of, and until its item is given to another.
SILENCE_SECONDS, GIVE_UP_SECONDS = 60.0, 600.0
_LOG = logging.getLogger("netdissect")


class RayRuntime:
    """Actors of a Ray cluster, each with a context of its own; an actor or node that is lost is replaced.

    Use it as a context manager: when the block ends its actors are gone.
    """

    def __init__(
        self, cluster: RayCluster, setup: WorkerSetup, count: int, *, cpus: int | None = None, gpus: int = 0
    ) -> None:
        """Get ready; actors start when there is work.

        Args:
            cluster: where.
            setup: makes an actor's context; it is put into the cluster's store once and fetched once per node.
            count: number of actors; those that find no place wait for one, and the others do the work.
            cpus: processors of each actor, also the threads it may use; None shares the cluster's evenly.
            gpus: GPUs of each actor.
        """
        self._ray = cluster.ray
        self._count = count
        self._cpus = cpus or cluster.cpus_of_each(count, gpus)
        self._gpus = gpus
        try:
            self._setup = self._ray.put(setup)
        except Exception as error:  # whatever its parts raise when they are to be sent
            raise SettingsError(
                f"{describe_unpicklable(setup)} cannot be sent to the workers of the cluster ({root_message(error)}): define its class at "
                f"the top of an importable module, or use one worker of this machine"
            ) from error
        self._actor = self._ray.remote(
            num_cpus=self._cpus, num_gpus=gpus, max_restarts=0, max_concurrency=1, concurrency_groups={HEARTBEAT: 1}
        )(_Actor)
        self._pulses = _Heartbeats(self._ray)
        self._numbers: dict[Any, int] = {}
        self._starting: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._failed = 0

    def map(self, task: Callable[[Any, Item], Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """Yield ``task(context, item)`` for every item, in the items' order; as many are under way as actors.

        Raises:
            RunError: if an item loses its actor again and again, or no actor can be started.
        """
        waiting = deque(enumerate(items))
        total, given = len(waiting), 0
        done: dict[int, Any] = {}
        lost: dict[int, int] = {}
        under_way: dict[Any, tuple[Any, int, Any]] = {}
        shared = self._ray.put(task)
        try:
            while given < total:
                self._start_missing()
                while self._idle and waiting and waiting[0][0] < given + MOST_FINISHED_AHEAD * self._count:
                    number, item = waiting.popleft()
                    actor = self._idle.pop()
                    under_way[actor.do.remote(shared, item)] = (actor, number, item)
                silent = self._pulses.silent({actor: self._numbers[actor] for actor, _, _ in under_way.values()})
                for reference in [one for one, (actor, _, _) in under_way.items() if actor in silent]:
                    actor, number, item = under_way.pop(reference)
                    self._forget(actor)
                    lost[number] = lost.get(number, 0) + 1
                    if lost[number] >= ATTEMPTS:
                        raise RunError(_describe_repeated_loss("it gave no sign of life"))
                    waiting.appendleft((number, item))
                if silent:
                    continue
                ready = self._next([*under_way, *self._starting], patiently=bool(under_way))
                if ready is None:
                    continue
                if ready in self._starting:
                    self._started(ready)
                    continue
                actor, number, item = under_way.pop(ready)
                try:
                    good, value = self._ray.get(ready)
                except self._ray.exceptions.RayTaskError as error:  # the outcome cannot travel
                    raise RunError(
                        f"a worker of the cluster failed with {_read_first_line(error.cause or error)}"
                    ) from error
                except self._ray.exceptions.RayError as error:  # of its actor, its node, or the outcome on its way
                    self._forget(actor)
                    lost[number] = lost.get(number, 0) + 1
                    if lost[number] >= ATTEMPTS:
                        raise RunError(_describe_repeated_loss(_read_first_line(error))) from error
                    waiting.appendleft((number, item))
                    continue
                self._idle.append(actor)
                if not good:
                    raise value
                done[number] = value
                while given in done:
                    yield done.pop(given)
                    given += 1
        finally:  # what is still under way is nobody's any more
            for actor, _, _ in under_way.values():
                self._forget(actor)

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

    def _next(self, waited_for: list[Any], *, patiently: bool) -> Any:
        """Return the next reference that is ready, None if none is for a while; without any worker at work, wait only so
        long for one to start.
        """
        ready, _ = self._ray.wait(
            waited_for, num_returns=1, timeout=SILENCE_SECONDS / 12 if patiently else START_SECONDS
        )
        if not ready and patiently:
            return None
        if not ready:
            raise RunError(
                f"no worker of the cluster could be started within {START_SECONDS} s: each asks for {self._cpus} CPUs and "
                f"{self._gpus} GPUs; ask for fewer --workers, or add nodes and run the same command again, it goes on from "
                f"what is finished"
            )
        return ready[0]

    def _start_missing(self) -> None:
        """Ask for actors; they get work once they are ready, which may have to wait for a free place."""
        for number in sorted(set(range(self._count)) - set(self._numbers.values())):
            actor = self._actor.remote()
            self._numbers[actor] = number
            self._starting[actor.start.remote(self._setup, self._cpus, number)] = actor

    def _started(self, ready: Any) -> None:
        """Take an actor that is ready to work; one that was lost on the way is asked for again, but not for ever."""
        actor = self._starting.pop(ready)
        try:
            error = self._ray.get(ready)
        except self._ray.exceptions.RayTaskError as failure:  # its setup did not even arrive whole
            cause = failure.cause if isinstance(failure.cause, Exception) else failure
            raise RunError(
                f"a worker of the cluster cannot make its context ({type(cause).__name__}: {_read_first_line(cause)}): is the "
                f"same software installed on every node?"
            ) from failure
        except self._ray.exceptions.RayError as failure:
            self._forget(actor)
            self._failed += 1
            if self._failed >= ATTEMPTS:
                raise RunError(
                    f"workers of the cluster were lost {ATTEMPTS} times before they could start ({_read_first_line(failure)}): "
                    f"run the same command again, it goes on from what is finished"
                ) from failure
            return
        if error is not None:
            raise error
        self._idle.append(actor)

    def _forget(self, actor: Any) -> None:
        self._numbers.pop(actor, None)
        self._pulses.forget(actor)
        with contextlib.suppress(Exception):
            self._ray.kill(actor)


class _Heartbeats:
    """Asks actors at work for a sign of life, tells of those that give none, and names those to be given up."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._asked: dict[Any, tuple[Any, float]] = {}
        self._told: set[Any] = set()

    def silent(self, working: Mapping[Any, int]) -> set[Any]:
        """Return the actors, of those at work by number, that have been silent for too long."""
        given_up = set()
        for actor, number in working.items():
            reference, since = self._asked.get(actor) or self._ask(actor)
            if self._ray.wait([reference], timeout=0)[0]:
                if actor in self._told:
                    _LOG.warning("worker %d of the cluster answers again", number)
                self.forget(actor)
            elif time.monotonic() - since >= GIVE_UP_SECONDS:
                _LOG.warning(
                    "worker %d of the cluster has been silent for %.0f s: its work is done by another",
                    number,
                    GIVE_UP_SECONDS,
                )
                given_up.add(actor)
            elif time.monotonic() - since >= SILENCE_SECONDS and actor not in self._told:
                self._told.add(actor)
                _LOG.warning(
                    "worker %d of the cluster has given no sign of life for %.0f s: its process or its node may have been "
                    "stopped (ray list actors shows where it is); after %.0f s its work is done by another",
                    number, SILENCE_SECONDS, GIVE_UP_SECONDS,
                )  # fmt: skip
        return given_up

    def forget(self, actor: Any) -> None:
        """Expect nothing more from an actor."""
        self._asked.pop(actor, None)
        self._told.discard(actor)

    def _ask(self, actor: Any) -> tuple[Any, float]:
        asked = actor.alive.options(concurrency_group=HEARTBEAT).remote(), time.monotonic()
        self._asked[actor] = asked
        return asked


class _Actor:
    """A worker: sets its context up once, then does one item after the other."""

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()
        self._context: Any = None

    def start(self, setup: WorkerSetup, threads: int, number: int) -> Exception | None:
        """Make the context; return what went wrong, if anything did."""
        try:
            self._context = self._open.enter_context(setup(threads, number))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - handed to the coordinator, which raises it
            return make_picklable(error)
        return None

    def alive(self) -> None:
        """Answer, beside whatever is being done; a process that is stopped does not."""

    def do(self, task: Callable[[Any, Any], Any], item: Any) -> tuple[bool, Any]:
        """Do one item; an error of the task is a result, an error of Ray is not."""
        try:
            return True, task(self._context, item)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - handed to the coordinator, which raises it
            return False, make_picklable(error)


def _describe_repeated_loss(why: str) -> str:
    return (
        f"a worker of the cluster was lost {ATTEMPTS} times over the same piece of work ({why}): run the same command again, "
        f"it goes on from what is finished"
    )


def _read_first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
