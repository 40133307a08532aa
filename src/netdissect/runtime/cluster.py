"""A Ray cluster: one that runs and answers, or one of our own; never one that keeps us waiting for ever.

Ray itself tries for many minutes to reach a cluster that has gone. So an address is asked in another process first,
which is given up after `ANSWER_SECONDS` seconds.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from netdissect.errors import RunError, SettingsError
from netdissect.optional_libraries import import_optional

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Seconds in which a port must open, and in which a cluster must answer.
CONNECT_SECONDS, ANSWER_SECONDS = 5, 60


class RayCluster:
    """A connection to a Ray cluster, as a context manager; a cluster that was started here ends with its block."""

    def __init__(self, address: str | None = None) -> None:
        """Connect.

        Args:
            address: of a running cluster, HOST:PORT. None takes the connection this process has already, else the
                cluster that RAY_ADDRESS names, else the one that was started on this machine with ``ray start`` if it
                answers, else starts one here.

        Raises:
            MissingExtraError: if Ray is not installed.
            SettingsError: if the address is none.
            RunError: if a cluster that was named does not answer in time, or none can be started.
        """
        self.ray = import_optional("ray", extra="ray", purpose="for --runtime ray")
        self._connected = not self.ray.is_initialized()
        if not self._connected:
            return
        named = address or os.environ.get("RAY_ADDRESS")
        if named and named != "local":
            self._reach(named)
            return
        recorded = None if named else _read_recorded_address()
        if recorded is not None and _is_port_open(recorded) and ask_cluster(recorded) is None:
            self._reach(recorded, asked=True)
        else:
            self._init("local", "a Ray cluster cannot be started on this machine")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connected:
            self.ray.shutdown()

    @property
    def gpus(self) -> int:
        """How many GPUs its nodes have."""
        return sum(int(gpus) for _, gpus in self._nodes())

    def cpus_of_each(self, count: int, gpus: int = 0) -> int:
        """Return how many processors each of `count` workers with so many GPUs may have, and all find a place."""
        return share_cpus_evenly(self._nodes(), count, gpus)

    def _nodes(self) -> list[tuple[float, float]]:
        nodes = (node["Resources"] for node in self.ray.nodes() if node["Alive"])
        return [(resources.get("CPU", 0), resources.get("GPU", 0)) for resources in nodes]

    def _reach(self, address: str, *, asked: bool = False) -> None:
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or "/" in address:
            raise SettingsError(
                f"--address takes HOST:PORT of a running Ray cluster, as ray start tells it, not {address!r}"
            )
        failed = f"the Ray cluster at {address} cannot be used from here"
        if not asked:
            why = "nothing listens there" if not _is_port_open(address) else ask_cluster(address)
            if why is not None:
                raise RunError(
                    f"{failed} ({why}): see what ray status --address {address} says, or leave out --address to start one "
                    f"on this machine"
                )
        with _limit_connection_attempts():
            self._init(address, failed)

    def _init(self, address: str, failed: str) -> None:
        try:
            with _keep_sigterm_handler():
                self.ray.init(address=address, log_to_driver=False, logging_level="error", include_dashboard=False)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise RunError(f"{failed}: {' '.join(str(error).split())}") from error


def ask_cluster(address: str) -> str | None:
    """Ask a cluster in another process whether it is there; return why it is not, or None."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        asked = subprocess.run(command, capture_output=True, timeout=ANSWER_SECONDS, check=False, text=True)  # noqa: S603
    except subprocess.TimeoutExpired:
        return f"it does not answer within {ANSWER_SECONDS} s"
    if asked.returncode == 0:
        return None
    said = asked.stderr.strip().splitlines()
    return said[-1].strip() if said else "it does not answer"


def share_cpus_evenly(nodes: Sequence[tuple[float, float]], count: int, gpus: int = 0) -> int:
    """Return the most processors that each of `count` workers can have, at least 1.

    Args:
        nodes: processors and GPUs of every node.
        count: workers, none of which can be cut in two.
        gpus: of each.

    Example:
        >>> even_share([(8, 0), (8, 0)], 2), even_share([(8, 0), (8, 0)], 3), even_share([(4, 0)], 9)
        (8, 4, 1)
        >>> even_share([(64, 8), (8, 0)], 8, gpus=1)
        8
    """

    def places(cpus: int) -> int:
        return sum(int(min(own // cpus, own_gpus // gpus if gpus else own // cpus)) for own, own_gpus in nodes)

    most = int(max((cpus for cpus, _ in nodes), default=1))
    return next((cpus for cpus in range(most, 1, -1) if places(cpus) >= count), 1)


def _read_recorded_address() -> str | None:
    """Return the address that ``ray start`` wrote down on this machine."""
    folder = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - where Ray itself looks
    with contextlib.suppress(OSError):
        return (Path(folder) / "ray" / "ray_current_cluster").read_text(encoding="utf-8").strip() or None
    return None


def _is_port_open(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS):
            return True
    except (OSError, ValueError, OverflowError):
        return False


@contextlib.contextmanager
def _keep_sigterm_handler() -> Iterator[None]:
    """Keep this program's way with SIGTERM, which Ray would replace by its own."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _limit_connection_attempts() -> Iterator[None]:
    """Let Ray try no longer than for a minute, should the cluster go between its answer and our connection."""
    name = "RAY_gcs_server_port_wait_time_s"
    if name in os.environ:
        yield
        return
    os.environ[name] = "2"  # tries, of up to half a minute each
    try:
        yield
    finally:
        del os.environ[name]
