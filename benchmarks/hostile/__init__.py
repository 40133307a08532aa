"""A few hundred attempts with hostile input, settings and environments.

    python -m benchmarks hostile                    all of them; exits with 1 if one is not survived
    python -m benchmarks hostile -- --only json     those in whose "KIND: NAME" the pattern is found

An attempt runs in a process of its own, with limits on memory and time. It is survived if it gives the right value, or
exits with code 2 after one sentence of the expected kind without a traceback, and if no other file was changed.
"""

from __future__ import annotations

from benchmarks.hostile.judge import main

__all__ = ["main"]
