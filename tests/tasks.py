"""Setups and tasks that worker processes can import."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netdissect.runtime.port import PlainContext


def start_fork_server() -> None:
    """Start the process that this test process' workers are forked from, with the imports that they need."""
    if sys.platform == "linux":
        from multiprocessing import forkserver

        multiprocessing.get_context("forkserver").set_forkserver_preload(["netdissect.run"])
        forkserver.ensure_running()


class ContextSetup:
    """Makes a context of the worker's threads, number and process."""

    def __init__(self, fail: str = ""):
        self.fail = fail

    @contextlib.contextmanager
    def __call__(self, threads, number):
        if self.fail:
            raise ValueError(self.fail)
        yield {"threads": threads, "number": number, "pid": os.getpid()}


@dataclass(frozen=True)
class OffsetContext(PlainContext):
    """A context that is pickled as it is."""

    amount: Any


def add_offset(context, item):
    return context.amount + item


def get_process_id(context, item):
    return os.getpid()


class UnloadableSetup(ContextSetup):
    """A setup that cannot be unpickled."""

    def __reduce__(self):
        return _raise_import_error, ()


def _raise_import_error():
    raise ImportError("no software here")


def square(context, item):
    return item * item


def get_worker_pid(context, item):
    time.sleep(0.05)
    return context["pid"]


def return_context(context, item):
    time.sleep(0.02)
    return context


def get_visible_gpus(context, item):
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def delay_first(context, item):
    time.sleep(0.3 if item == 0 else 0)
    return item


def delay_all_but_first(context, item):
    time.sleep(0.3 if item else 0)
    return item


def raise_at_three(context, item):
    if item == 3:
        raise KeyError("three")
    return item


class UnpicklableError(Exception):
    """An error that cannot be pickled: its constructor takes two words."""

    def __init__(self, word, other):
        super().__init__(f"{word} {other}")


def raise_unpicklable(context, item):
    raise UnpicklableError("it is", "what it is")


def return_lock(context, item):
    return threading.Lock()


def sleep_for_minutes(context, item):
    Path(item).touch()
    time.sleep(600)


class DieOnce:
    """Kills its worker the first `times` times that an item comes."""

    def __init__(self, folder, item, times=1):
        self.folder, self.item, self.times = Path(folder), item, times

    def __call__(self, context, item):
        if item == self.item:
            deaths = len(list(self.folder.iterdir()))
            if deaths < self.times:
                (self.folder / f"death {deaths}").touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return item * item


def exit_at_two(context, item):
    if item == 2:
        sys.exit(3)
    return item


def sleep_a_second(context, item):
    time.sleep(1)
    return item


class StopOnce:
    """Stops its worker, as Ctrl-Z would, the first time that an item comes."""

    def __init__(self, mark, item):
        self.mark, self.item = Path(mark), item

    def __call__(self, context, item):
        if item == self.item and not self.mark.exists():
            self.mark.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGSTOP)
        return item * item
