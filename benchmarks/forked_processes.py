"""Wait for forked processes, each the first of a process group, until a time limit."""

from __future__ import annotations

import contextlib
import os
import signal
import time


def poll_process(pid: int, until: float) -> int | str | None:
    """Return the exit code of a forked process, or what ended it; None while it runs.

    A process that runs past its time limit is killed, with all processes that it started.

    Args:
        pid: number of the process and of its group.
        until: time limit, by `time.monotonic`, in seconds.
    """
    found, status = os.waitpid(pid, os.WNOHANG)
    if not found and time.monotonic() < until:
        return None
    with contextlib.suppress(ProcessLookupError):  # processes that it started and left
        os.killpg(pid, signal.SIGKILL)
    if not found:
        os.waitpid(pid, 0)
        return "it ran past the time limit"
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else f"it was ended by {signal.Signals(-code).name}"
