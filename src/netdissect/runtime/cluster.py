"""Connect to a Ray cluster that answers in time, or start one on this machine.

Ray itself tries for many minutes to reach a cluster that no longer exists. So a health check runs in another process
first, and is ended after `ANSWER_SECONDS`.
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

#: Seconds in which a port must accept a connection.
CONNECT_SECONDS = 5
#: Seconds in which a cluster must answer the health check.
ANSWER_SECONDS = 60


class RayCluster:
    """A connection to a Ray cluster, as a context manager; a cluster that it started is shut down at the end."""

    def __init__(self, address: str | None = None) -> None:
        """Connect.

        Args:
            address: HOST:PORT of a running cluster. None uses, in this order: this process' existing connection, the
                cluster that RAY_ADDRESS names, one that ``ray start`` started on this machine if it answers, or a new
                one on this machine.

        Raises:
            MissingExtraError: if Ray is not installed.
            SettingsError: if the address is not HOST:PORT.
            RunError: if the named cluster does not answer in time, or none can be started.
        """
        self.ray = import_optional("ray", extra="ray", purpose="for --runtime ray")
        self._is_own_connection = not self.ray.is_initialized()
        if not self._is_own_connection:
            return
        named = address or os.environ.get("RAY_ADDRESS")
        if named and named != "local":
            self._connect(named)
            return
        recorded = None if named else _read_recorded_address()
        if recorded is not None and _is_port_open(recorded) and find_cluster_problem(recorded) is None:
            self._connect(recorded, checked=True)
        else:
            self._init("local", "a Ray cluster cannot be started on this machine")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_own_connection:
            self.ray.shutdown()

    @property
    def gpus(self) -> int:
        """Number of GPUs of all nodes."""
        return sum(int(gpus) for _, gpus in self._nodes())

    def share_cpus(self, count: int, gpus: int = 0) -> int:
        """Return the most CPUs for each of `count` workers, with `gpus` GPUs each, with which all of them fit."""
        return share_cpus_evenly(self._nodes(), count, gpus)

    def _nodes(self) -> list[tuple[float, float]]:
        nodes = (node["Resources"] for node in self.ray.nodes() if node["Alive"])
        return [(resources.get("CPU", 0), resources.get("GPU", 0)) for resources in nodes]

    def _connect(self, address: str, *, checked: bool = False) -> None:
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or "/" in address:
            raise SettingsError(
                f"--address takes HOST:PORT of a running Ray cluster, as ray start prints it, not {address!r}"
            )
        failed = f"the Ray cluster at {address} cannot be used from here"
        if not checked:
            problem = "nothing listens there" if not _is_port_open(address) else find_cluster_problem(address)
            if problem is not None:
                raise RunError(
                    f"{failed} ({problem}): see what ray status --address {address} says, or leave out --address to start "
                    f"one on this machine"
                )
        with _limit_connection_attempts():
            self._init(address, failed)

    def _init(self, address: str, failed: str) -> None:
        try:
            with _keep_sigterm_handler():
                self.ray.init(address=address, log_to_driver=False, logging_level="error", include_dashboard=False)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise RunError(f"{failed}: {' '.join(str(error).split())}") from error


def find_cluster_problem(address: str) -> str | None:
    """Run Ray's health check in another process; return the problem, or None if the cluster answers."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        check = subprocess.run(command, capture_output=True, timeout=ANSWER_SECONDS, check=False, text=True)  # noqa: S603
    except subprocess.TimeoutExpired:
        return f"it does not answer within {ANSWER_SECONDS} s"
    if check.returncode == 0:
        return None
    lines = check.stderr.strip().splitlines()
    return lines[-1].strip() if lines else "it does not answer"


def share_cpus_evenly(nodes: Sequence[tuple[float, float]], count: int, gpus: int = 0) -> int:
    """Return the largest number of CPUs per worker with which all workers fit; at least 1.

    Args:
        nodes: CPUs and GPUs of every node.
        count: number of workers; each runs on one node.
        gpus: GPUs per worker.

    Example:
        >>> share_cpus_evenly([(8, 0), (8, 0)], 2), share_cpus_evenly([(8, 0), (8, 0)], 3)
        (8, 4)
        >>> share_cpus_evenly([(64, 8), (8, 0)], 8, gpus=1)
        8
    """

    def count_places(cpus: int) -> int:
        return sum(int(min(own // cpus, own_gpus // gpus if gpus else own // cpus)) for own, own_gpus in nodes)

    most = int(max((cpus for cpus, _ in nodes), default=1))
    return next((cpus for cpus in range(most, 1, -1) if count_places(cpus) >= count), 1)


def _read_recorded_address() -> str | None:
    """Return the address of the cluster that ``ray start`` recorded on this machine."""
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
    """Keep this program's SIGTERM handler, which Ray would replace."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _limit_connection_attempts() -> Iterator[None]:
    """Let Ray try for a minute at most, in case the cluster ends between the health check and the connection."""
    name = "RAY_gcs_server_port_wait_time_s"
    if name in os.environ:
        yield
        return
    os.environ[name] = "2"  # tries, of up to half a minute each
    try:
        yield
    finally:
        del os.environ[name]
