"""What a test may ask about processes."""

from __future__ import annotations

import time

import pytest
from benchmarks.machine import find_descendants

__all__ = ["find_descendants", "wait_until"]


def wait_until(true, what):
    """Wait until something is true, a minute at most."""
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    pytest.fail(f"waited a minute for {what}")
