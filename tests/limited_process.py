"""Something run in a process of its own that may not grow: whoever unpacks a bomb there is told so by the system."""

from __future__ import annotations

import multiprocessing
import resource
from pathlib import Path

import pytest
from tests.tasks import start_fork_server

from netdissect.errors import NetdissectError

#: Bytes by which the process may grow, and seconds of processor time it may take.
GROWTH, SECONDS = 200 << 20, 120


def call_with_limits(function, *arguments, growth=GROWTH):
    """Call a function in such a process; return what it raised, as (kind, words), or its result as ("", result)."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("the size of a process is looked up in /proc")
    start_fork_server()
    context = multiprocessing.get_context("forkserver")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_set_limits_and_call, args=(there, function, arguments, growth))
    process.start()
    there.close()
    try:
        said = here.recv()
    except EOFError:
        process.join()
        pytest.fail(f"the process died with {process.exitcode}")
    process.join()
    return said


def _set_limits_and_call(pipe, function, arguments, growth):
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + growth, size + growth))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    try:
        said = ("", function(*arguments))
    except NetdissectError as error:
        said = (type(error).__name__, str(error))
    except BaseException as error:  # noqa: BLE001 - the test says what it thinks of it
        said = (f"not ours: {type(error).__name__}", str(error))
    pipe.send(said)
