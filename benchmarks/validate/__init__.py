"""Units whose concepts are known, and nulls: what the trust tables say of them, written to docs/validation.md.

    python -m benchmarks validate                                every part, ten seeds
    python -m benchmarks validate -- --only recovery --seeds 2   one part; the page is written only with ten seeds

It ends with an error if a bound is broken.
"""

from __future__ import annotations

from benchmarks.validate.write_page import main

__all__ = ["main"]
