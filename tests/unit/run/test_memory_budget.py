"""The memory of the machine, on every system."""

from __future__ import annotations

import ctypes
import os
from types import SimpleNamespace

import pytest

from netdissect.config import Settings
from netdissect.run import memory_budget
from netdissect.run.memory_budget import find_memory_budget, measure_machine_memory


def test_an_eighth_of_the_machines_memory_is_used_unless_a_setting_says_how_much():
    assert find_memory_budget(Settings(memory=1000)) == 1000
    assert find_memory_budget(Settings()) == measure_machine_memory() // 8


def test_windows_is_asked_in_its_own_way(monkeypatch):
    def answer(pointer):
        status = ctypes.cast(pointer, ctypes.POINTER(memory_budget._MemoryStatus)).contents
        assert status.length == 64
        status.physical = 16 * 2**30
        return 1

    monkeypatch.delattr(os, "sysconf")
    monkeypatch.setattr(
        ctypes, "windll", SimpleNamespace(kernel32=SimpleNamespace(GlobalMemoryStatusEx=answer)), raising=False
    )
    assert measure_machine_memory() == 16 * 2**30


@pytest.mark.parametrize("answer", [-1, ValueError("unrecognized configuration name")])
def test_a_system_that_does_not_say_is_taken_to_have_four_gibibytes(monkeypatch, answer):
    def sysconf(name):
        if isinstance(answer, Exception):
            raise answer
        return answer if name == "SC_PHYS_PAGES" else 4096

    monkeypatch.setattr(os, "sysconf", sysconf)
    assert measure_machine_memory() == 4 * 2**30
