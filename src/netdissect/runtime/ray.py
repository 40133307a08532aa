"""Work done by a Ray cluster: the same tasks, one actor per worker, GPUs as resources (docs/scale.md)."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from netdissect.errors import RunError
from netdissect.optional import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from netdissect.runtime.base import Item, Outcome, Setup

#: How often an item may lose its worker before it is given up.
ATTEMPTS = 5
#: Seconds to wait for a first worker while none is at work.
PATIENCE = 300


class Ray:
    """Actors of a Ray cluster, each with a context of its own; an actor or node that is lost is replaced.

    Use it as a context manager: when the block ends its actors are gone, and so is the cluster if this started it.
    """

    def __init__(
        self, setup: Setup, count: int, *, address: str | None = None, cpus: int | None = None, gpus: float = 0
    ) -> None:
        """Connect.

        Args:
            setup: makes an actor's context; it is put into the cluster's store once and fetched once per node.
            count: number of actors.
            address: of a running cluster; None uses the one this machine belongs to, or starts one here.
            cpus: processors of each actor, also the threads it may use; None shares the cluster's evenly.
            gpus: GPUs of each actor.

        Raises:
            MissingExtraError: if Ray is not installed.
            RunError: if the cluster cannot be reached.
        """
        self._ray = require("ray", extra="ray", purpose="for --runtime ray")
        self._own = not self._ray.is_initialized()
        if self._own:
            try:
                self._ray.init(address=address, log_to_driver=False, logging_level="error", include_dashboard=False)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise RunError(f"the Ray cluster at {address or 'this machine'} cannot be reached: {error}") from error
        self._count = count
        self._cpus = cpus or max(1, int(self._ray.cluster_resources().get("CPU", 1)) // count)
        self._gpus = gpus
        self._made = 0
        self._setup = self._ray.put(setup)
        self._actor = self._ray.remote(num_cpus=self._cpus, num_gpus=gpus, max_restarts=0, max_concurrency=1)(_Actor)
        self._actors: list[Any] = []
        self._starting: dict[Any, Any] = {}

    def map(self, task: Callable[[Any, Item], Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """Yield ``task(context, item)`` for every item, in the items' order; as many are under way as actors.

        Raises:
            RunError: if an item loses its actor again and again.
        """
        waiting = deque(enumerate(items))
        total, given = len(waiting), 0
        done: dict[int, Any] = {}
        lost: dict[int, int] = {}
        under_way: dict[Any, tuple[Any, int, Any]] = {}
        idle = list(self._actors)
        self._start(min(total, self._count) - len(self._actors) - len(self._starting))
        shared = self._ray.put(task)
        while given < total:
            while idle and waiting and waiting[0][0] < given + 3 * self._count:
                number, item = waiting.popleft()
                actor = idle.pop()
                under_way[actor.do.remote(shared, item)] = (actor, number, item)
            ready = self._next([*under_way, *self._starting], patiently=bool(under_way))
            if ready in self._starting:
                idle += self._started_up(ready)
                continue
            actor, number, item = under_way.pop(ready)
            try:
                good, value = self._ray.get(ready)
            except self._ray.exceptions.RayActorError as error:
                lost[number] = lost.get(number, 0) + 1
                if lost[number] >= ATTEMPTS:
                    raise RunError(
                        f"a worker of the cluster was lost {ATTEMPTS} times over the same piece of work ({error}): run the "
                        f"same command again, it goes on from what is finished"
                    ) from error
                self._actors.remove(actor)
                self._start(1)
                waiting.appendleft((number, item))
                continue
            idle.append(actor)
            if isinstance(value, BaseException) and not good:
                raise value
            done[number] = value
            while given in done:
                yield done.pop(given)
                given += 1

    def _next(self, waited_for: list[Any], *, patiently: bool) -> Any:
        """Return the next reference that is ready; without any worker at work, wait only so long for one to start."""
        ready, _ = self._ray.wait(waited_for, num_returns=1, timeout=None if patiently else PATIENCE)
        if not ready:
            raise RunError(
                f"no worker of the cluster could be started within {PATIENCE} s: each asks for {self._cpus} CPUs and "
                f"{self._gpus} GPUs; ask for fewer --workers, or add nodes and run the same command again, it goes on from "
                f"what is finished"
            )
        return ready[0]

    def _start(self, count: int) -> None:
        """Ask for actors; they get work once they have started, which may have to wait for a free place."""
        for _ in range(count):
            actor = self._actor.remote(self._setup, self._cpus, self._made)
            self._starting[actor.started.remote()] = actor
            self._made += 1

    def _started_up(self, ready: Any) -> list[Any]:
        """Return the actor whose start a reference told of; one that was lost on the way is asked for again."""
        actor = self._starting.pop(ready)
        try:
            self._ray.get(ready)
        except self._ray.exceptions.RayActorError:
            self._start(1)
            return []
        self._actors.append(actor)
        return [actor]

    def close(self) -> None:
        """End the actors, and the cluster if it was started here."""
        for actor in [*self._actors, *self._starting.values()]:
            with contextlib.suppress(Exception):
                self._ray.kill(actor)
        self._actors.clear()
        self._starting.clear()
        if self._own:
            self._ray.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Actor:
    """A worker: sets its context up once, then does one item after the other."""

    def __init__(self, setup: Setup, threads: int, number: int) -> None:
        self._setup = setup
        self._threads = threads
        self._number = number
        self._open = contextlib.ExitStack()
        self._context: Any = None

    def started(self) -> None:
        """Say that this actor has found its place."""

    def do(self, task: Callable[[Any, Any], Any], item: Any) -> tuple[bool, Any]:
        """Do one item; an error of the task is a result, an error of Ray is not."""
        try:
            if self._context is None:
                self._context = self._open.enter_context(self._setup(self._threads, self._number))
            return True, task(self._context, item)
        except Exception as error:  # noqa: BLE001 - handed to the coordinator, which raises it
            return False, error
