"""Call a function in a new process with limits on memory and CPU time, for tests of decompression bombs."""

from __future__ import annotations

import multiprocessing
import resource
from pathlib import Path

import pytest
from tests.tasks import start_fork_server

from netdissect.errors import NetdissectError

#: Bytes that the process may allocate, and seconds of CPU time.
GROWTH, SECONDS = 200 << 20, 120


def call_with_limits(function, *arguments, growth=GROWTH):
    """Call a function in a limited process; return ("", result), or the error's class name and message."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("the size of a process is read from /proc")
    start_fork_server()
    context = multiprocessing.get_context("forkserver")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_set_limits_and_call, args=(sender, function, arguments, growth))
    process.start()
    sender.close()
    try:
        text = receiver.recv()
    except EOFError:
        process.join()
        pytest.fail(f"the process died with {process.exitcode}")
    process.join()
    return text


def _set_limits_and_call(pipe, function, arguments, growth):
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + growth, size + growth))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    try:
        text = ("", function(*arguments))
    except NetdissectError as error:
        text = (type(error).__name__, str(error))
    except BaseException as error:  # noqa: BLE001 - the test compares it
        text = (f"unexpected: {type(error).__name__}", str(error))
    pipe.send(text)
