"""Contexts and tasks that worker processes can import."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path


class Setup:
    """A context that tells who it is."""

    def __init__(self, fail: str = ""):
        self.fail = fail

    @contextlib.contextmanager
    def __call__(self, threads, number):
        if self.fail:
            raise ValueError(self.fail)
        yield {"threads": threads, "number": number, "pid": os.getpid()}


def square(context, item):
    return item * item


def who(context, item):
    time.sleep(0.05)
    return context["pid"]


def slowest_first(context, item):
    time.sleep(0.3 if item == 0 else 0)
    return item


def complain(context, item):
    if item == 3:
        raise KeyError("three")
    return item


class DieOnce:
    """Kills its worker the first time a certain item comes."""

    def __init__(self, folder, item, times=1):
        self.folder, self.item, self.times = Path(folder), item, times

    def __call__(self, context, item):
        if item == self.item:
            deaths = len(list(self.folder.iterdir()))
            if deaths < self.times:
                (self.folder / f"death {deaths}").touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return item * item
