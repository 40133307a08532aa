"""Run benchmarks by name: ``python -m benchmarks overhead scaling``; without a name, list them."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path


def main(words: list[str]) -> None:
    """Run the named modules' `main` with the words after ``--``."""
    end = words.index("--") if "--" in words else len(words)
    names, options = words[:end], words[end + 1 :]
    known = {
        name: module for _, name, _ in pkgutil.iter_modules([str(Path(__file__).parent)])
        if not name.startswith("_") and hasattr(module := importlib.import_module(f"benchmarks.{name}"), "main")
    }  # fmt: skip
    unknown = [name for name in names if name not in known]
    if not names or unknown:
        raise SystemExit(f"python -m benchmarks NAME … [-- OPTIONS]; names are: {', '.join(known)}")
    for name in names:
        known[name].main(options)


if __name__ == "__main__":
    main(sys.argv[1:])
