#!/usr/bin/env python3
"""Set up this checkout and do one thing in it, with nothing but Python and a package index.

    python3 dev.py demo     install the package in .venv, dissect the bundled network, open-able report
    python3 dev.py test     install everything the tests need, run them all
    python3 dev.py check    ruff, mypy --strict, import-linter
    python3 dev.py ci       check, then test
    python3 dev.py setup    only install

What follows the word is handed on: `python3 dev.py test -k tally`, `python3 dev.py demo --out /tmp/demo`.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
LEAST = (3, 11)


def setup(extra: str) -> None:
    """Install the package, editable, with the pinned versions of constraints.txt; a second call is quick."""
    constraints = ROOT / "constraints.txt"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + constraints.read_bytes()).hexdigest()
    done = VENV / f"netdissect-{extra or 'core'}"
    if done.exists() and done.read_text() == wanted:
        return
    print(f"setting up {VENV} (a few minutes the first time)", flush=True)
    if not (BIN / "python").exists() and not (BIN / "python.exe").exists():
        venv.create(VENV, with_pip=True)
    target = f"{ROOT}[{extra}]" if extra else str(ROOT)
    # torch goes first and alone, so that its pin decides which build is taken.
    run("python", "-m", "pip", "install", "--quiet", "-c", str(constraints), "torch")
    run("python", "-m", "pip", "install", "--quiet", "-c", str(constraints), "-e", target)
    done.write_text(wanted)


def run(program: str, *arguments: str) -> None:
    """Run a program of the virtual environment; leave with its exit code if it fails."""
    code = subprocess.run([str(BIN / program), *arguments], cwd=ROOT, check=False).returncode
    if code:
        raise SystemExit(code)


def demo(arguments: list[str]) -> None:
    """Dissect the bundled network on the bundled probe set."""
    setup("")
    run("netdissect", "demo", *arguments)


def test(arguments: list[str]) -> None:
    """Run the whole suite, on all cores."""
    setup("dev")
    run("python", "-m", "pytest", "-n", "auto", "--dist", "worksteal", *arguments)


def check(_: list[str]) -> None:
    """Run every check."""
    setup("dev")
    run("ruff", "check", ".")
    run("ruff", "format", "--check", ".")
    run("mypy")
    run("lint-imports")


def ci(arguments: list[str]) -> None:
    """Run every check and the whole suite."""
    check([])
    test(arguments)


def main() -> None:
    """Do what the first word says."""
    if sys.version_info < LEAST:
        raise SystemExit(f"netdissect needs Python {LEAST[0]}.{LEAST[1]} or newer; this is {sys.version.split()[0]}")
    tasks = {"demo": demo, "test": test, "check": check, "ci": ci, "setup": lambda _: setup("dev")}
    if len(sys.argv) < 2 or sys.argv[1] not in tasks:
        raise SystemExit(__doc__)
    tasks[sys.argv[1]](sys.argv[2:])


if __name__ == "__main__":
    main()
