"""Find and wait for processes in tests."""

from __future__ import annotations

import time

import pytest
from benchmarks.machine import find_descendants

__all__ = ["find_descendants", "wait_until"]


def wait_until(condition, what):
    """Wait until a condition holds; fail after a minute."""
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail(f"waited a minute for {what}")
