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


def start_server_of_processes() -> None:
    """Start the process that this test process' workers are forked from, with the imports that they need."""
    if sys.platform == "linux":
        from multiprocessing import forkserver

        multiprocessing.get_context("forkserver").set_forkserver_preload(["netdissect.run"])
        forkserver.ensure_running()


class Setup:
    """Makes a context of the worker's threads, number and process."""

    def __init__(self, fail: str = ""):
        self.fail = fail

    @contextlib.contextmanager
    def __call__(self, threads, number):
        if self.fail:
            raise ValueError(self.fail)
        yield {"threads": threads, "number": number, "pid": os.getpid()}


@dataclass(frozen=True)
class Offset(PlainContext):
    """A context that is pickled as it is."""

    amount: Any


def add_offset(context, item):
    return context.amount + item


def find_process(context, item):
    return os.getpid()


class Unwelcome(Setup):
    """A setup that cannot be unpickled."""

    def __reduce__(self):
        return _refuse, ()


def _refuse():
    raise ImportError("no software here")


def square(context, item):
    return item * item


def who(context, item):
    time.sleep(0.05)
    return context["pid"]


def give_context(context, item):
    time.sleep(0.02)
    return context


def visible_gpus(context, item):
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def slowest_first(context, item):
    time.sleep(0.3 if item == 0 else 0)
    return item


def slowest_last(context, item):
    time.sleep(0.3 if item else 0)
    return item


def complain(context, item):
    if item == 3:
        raise KeyError("three")
    return item


class Stubborn(Exception):  # noqa: N818 - it only has to be unlike others
    """An error that cannot be pickled: its constructor takes two words."""

    def __init__(self, word, other):
        super().__init__(f"{word} {other}")


def be_stubborn(context, item):
    raise Stubborn("it is", "what it is")


def give_what_cannot_be_sent(context, item):
    return threading.Lock()


def sleep(context, item):
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


def leave(context, item):
    if item == 2:
        sys.exit(3)
    return item


def take_a_second(context, item):
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
