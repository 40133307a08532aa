"""Carry out a run: choose its device and input size, start its workers, lock its folder, and collect its result."""

from __future__ import annotations

from netdissect.run.execute import RunLock, execute_run, lock_run
from netdissect.run.memory_budget import find_memory_budget
from netdissect.run.prepared_run import PreparedRun, choose_input_size, prepare_run, resolve_device
from netdissect.run.references import open_references

__all__ = [
    "PreparedRun",
    "RunLock",
    "choose_input_size",
    "execute_run",
    "find_memory_budget",
    "lock_run",
    "open_references",
    "prepare_run",
    "resolve_device",
]
