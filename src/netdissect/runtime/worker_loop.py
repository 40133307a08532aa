"""A worker process: it makes its context once, does one item after the other, and gives signs of life all the while."""

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
from netdissect.runtime.port import make_picklable

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from netdissect.runtime.port import WorkerSetup


def run_worker(pipe: Connection, pulse: Connection, every: float, threads: int, number: int) -> None:
    """Say that this worker is there, make its context, and do what comes down the pipe until it closes.

    Args:
        pipe: to the coordinator.
        pulse: where signs of life go.
        every: seconds between them.
        threads: that the context may use.
        number: of this worker.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt from the keyboard is the coordinator's business
    threading.Thread(target=_exit_with_coordinator, daemon=True).start()
    threading.Thread(target=_send_heartbeats, args=(pulse, every), daemon=True).start()
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError), contextlib.ExitStack() as stack:
        pipe.send((True, None))
        data = pipe.recv_bytes()
        try:
            setup = _unpickle_setup(data)
            del data
            context = stack.enter_context(setup(threads, number))
        except BaseException as error:  # noqa: BLE001 - say why instead of dying silently
            pipe.send((False, make_picklable(error)))
            return
        pipe.send((True, None))
        while True:
            _run_task(pipe, context, *pipe.recv())


def _run_task(pipe: Connection, context: Any, task: Callable[[Any, Any], Any], item: Any) -> None:
    try:
        said = pickle.dumps((True, task(context, item)))
    except BaseException as error:  # noqa: BLE001 - handed to the coordinator, which raises it
        said = pickle.dumps((False, make_picklable(error)))
    pipe.send_bytes(said)


def _unpickle_setup(data: bytes) -> WorkerSetup:
    try:
        setup: WorkerSetup = pickle.loads(data)  # noqa: S301 - from the coordinator, through a pipe of its own
    except Exception as error:
        raise SettingsError(
            f"what a worker process needs cannot be opened there ({type(error).__name__}: {root_message(error)}): classes and "
            f"functions must lie in a module that can be imported, not in a notebook; or use one worker"
        ) from error
    return setup


def _send_heartbeats(pulse: Connection, every: float) -> None:
    """Give a sign of life again and again, whatever the worker is busy with."""
    with contextlib.suppress(OSError):
        while True:
            pulse.send_bytes(b".")
            time.sleep(every)


def _exit_with_coordinator() -> None:
    """End this process when the coordinator's has ended, however that was: nobody will ask for the result."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
