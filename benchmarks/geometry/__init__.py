"""Where the cells of every network's layers look, measured by gradients, against what is traced.

    python -m benchmarks geometry                                       every network, and the closing table
    python -m benchmarks geometry -- --family timm --only resnet        some of them
    python -m benchmarks geometry -- --network timm:ghostnetv2_100      one, also if the sweep has a smaller one of its kind
    python -m benchmarks geometry -- --out FILE --resume                one line of JSON per network; go on after a stop

Every network runs in a process of its own, with limits on memory and time, with random weights.
"""

from __future__ import annotations

from benchmarks.geometry.sweep import main

__all__ = ["main"]
