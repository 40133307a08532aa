"""The main loop of a worker process: make the context once, then do one item after the other; send heartbeats."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

from netdissect.errors import SettingsError, root_message
from netdissect.runtime.allocator import keep_freed_memory
from netdissect.runtime.port import make_picklable

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from netdissect.runtime.port import WorkerSetup


def run_worker(pipe: Connection, heartbeats: Connection, interval: float, threads: int, number: int) -> None:
    """Receive the setup, make the context, and run tasks until the pipe closes.

    Args:
        pipe: receives the setup, then pairs (task, item); sends pairs (success, result or error).
        heartbeats: where heartbeats are sent.
        interval: seconds between two heartbeats.
        threads: threads the context may use.
        number: the worker's number.
    """
    keep_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the coordinator handles Ctrl-C
    threading.Thread(target=_exit_with_coordinator, daemon=True).start()
    threading.Thread(target=_send_heartbeats, args=(heartbeats, interval), daemon=True).start()
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError), contextlib.ExitStack() as stack:
        pipe.send((True, None))
        data = pipe.recv_bytes()
        try:
            setup = _unpickle_setup(data)
            del data
            context = stack.enter_context(setup(threads, number))
        except BaseException as error:  # noqa: BLE001 - the coordinator raises it
            pipe.send((False, make_picklable(error)))
            return
        pipe.send((True, None))
        while True:
            _run_task(pipe, context, *pipe.recv())


def _run_task(pipe: Connection, context: Any, task: Callable[[Any, Any], Any], item: Any) -> None:
    try:
        message = pickle.dumps((True, task(context, item)))
    except BaseException as error:  # noqa: BLE001 - the coordinator raises it
        message = pickle.dumps((False, make_picklable(error)))
    pipe.send_bytes(message)


def _unpickle_setup(data: bytes) -> WorkerSetup:
    try:
        setup: WorkerSetup = pickle.loads(data)  # noqa: S301 - from the coordinator, through a pipe of its own
    except Exception as error:
        raise SettingsError(
            f"a worker process cannot unpickle what it needs ({type(error).__name__}: {root_message(error)}): define "
            f"classes and functions in a module that can be imported, not in a notebook; or use one worker"
        ) from error
    return setup


def _send_heartbeats(heartbeats: Connection, interval: float) -> None:
    """Send a byte every `interval` seconds, whatever the worker is doing."""
    with contextlib.suppress(OSError):
        while True:
            heartbeats.send_bytes(b".")
            time.sleep(interval)


def _exit_with_coordinator() -> None:
    """End this process as soon as the coordinator has ended, for whatever reason."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
