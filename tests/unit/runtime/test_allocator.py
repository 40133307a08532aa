"""Freed memory is kept where glibc is at hand, only when it is asked for, and in workers."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from types import SimpleNamespace

import pytest

from netdissect.runtime import allocator
from netdissect.runtime.worker_processes import ProcessRuntime

FAULTS = """
import resource, sys
import numpy as np
from netdissect.runtime.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
def fill():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(48 * 2**20, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
fill()
print(fill())
"""


@pytest.fixture(autouse=True)
def untouched(monkeypatch):
    monkeypatch.setattr(allocator, "_kept", False)


def count_faults(mode):
    done = subprocess.run([sys.executable, "-c", FAULTS, mode], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is asked")
def test_a_large_block_that_was_freed_needs_no_new_pages():
    assert count_faults("plain") > 1000 or count_faults("plain") > 20  # pages of 4 kB, or huge ones of 2 MB
    assert count_faults("kept") < 20


class NoLibrary(SimpleNamespace):
    """Another C library: it has none of glibc's functions."""


@pytest.mark.parametrize("library", [NoLibrary(), NoLibrary(mallopt=lambda *_: 1), OSError("no such library")])
def test_elsewhere_nothing_is_changed(monkeypatch, library):
    def load(_name):
        if isinstance(library, OSError):
            raise library
        return library

    monkeypatch.setattr(ctypes, "CDLL", load)
    assert not allocator.keep_freed_memory()
    assert not allocator.keeps_freed_memory()


def test_a_refused_threshold_is_not_reported_as_kept(monkeypatch):
    refusing = NoLibrary(gnu_get_libc_version=object(), mallopt=lambda *_: 0)
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: refusing)
    assert not allocator.keep_freed_memory()


def test_other_systems_are_not_asked(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", pytest.fail)
    assert not allocator.keep_freed_memory()


def ask(_context, _item):
    return allocator.keeps_freed_memory()


class Setup:
    """A worker's setup without a context."""

    def __call__(self, threads, number):
        import contextlib

        return contextlib.nullcontext()


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is asked")
def test_workers_keep_memory_and_their_caller_does_not():
    with ProcessRuntime(Setup(), 1) as runtime:
        assert list(runtime.map(ask, [0])) == [True]
    assert not allocator.keeps_freed_memory()
