"""Run measurements by name: ``python -m benchmarks overhead scaling``; without a name, say which there are."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path


def main(words: list[str]) -> None:
    """Run the modules that are named first; what follows ``--`` is handed to each."""
    cut = words.index("--") if "--" in words else len(words)
    names, rest = words[:cut], words[cut + 1 :]
    there = {
        name: module for _, name, _ in pkgutil.iter_modules([str(Path(__file__).parent)])
        if not name.startswith("_") and hasattr(module := importlib.import_module(f"benchmarks.{name}"), "main")
    }  # fmt: skip
    unknown = [name for name in names if name not in there]
    if not names or unknown:
        raise SystemExit(f"python -m benchmarks NAME … [-- OPTIONS]; names are: {', '.join(there)}")
    for name in names:
        there[name].main(rest)


if __name__ == "__main__":
    main(sys.argv[1:])
