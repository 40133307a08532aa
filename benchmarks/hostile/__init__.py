"""Hostile input, settings and places, a few hundred of them: each must end in the right value or in one sentence.

    python -m benchmarks hostile                    all of them; leaves with 1 if one does not survive
    python -m benchmarks hostile -- --only json     those in whose kind: name the pattern is found

An attempt runs in a process of its own, which may neither grow nor take long. It survives if it gives the right value,
or leaves with code 2 after one sentence of the expected kind, without a traceback, and if nothing that lies around it
was changed.
"""

from __future__ import annotations

from benchmarks.hostile.judge import main

__all__ = ["main"]
