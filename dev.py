#!/usr/bin/env python3
"""Set up this checkout and do one thing in it, with nothing but Python and a package index.

    python3 dev.py demo     install the package in .venv, dissect the bundled network, open-able report
    python3 dev.py test     install everything the tests need, run them all
    python3 dev.py check    ruff, codespell, mypy --strict, import-linter
    python3 dev.py ci       check, then test, with the same random examples every time
    python3 dev.py settings write docs/settings.md again
    python3 dev.py setup    only install
    python3 dev.py errors   rewrite docs/errors.md where an error message changed (read the diff before committing)
    python3 dev.py lowest   the tests of what others' files may do, with the lowest versions allowed, in .venv-lowest

What follows the word is handed on: `python3 dev.py test -k tally`, `python3 dev.py demo --out /tmp/demo`.

Tests run in two lanes, one after the other: first all that share processors well, on all of them; then those marked
`processes`, which kill or pause processes or read a clock, in two workers. Both always run; one closing line counts both.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = "Scripts" if os.name == "nt" else "bin"
LEAST = (3, 11)
#: What is tested with the lowest versions: everything that opens others' files, and where compiled code is kept.
LOWEST = (
    "tests/security", "tests/fuzz", "tests/unit/io", "tests/unit/networks", "tests/unit/probe_sets", "tests/unit/results",
    "tests/unit/test_compiled.py",
)  # fmt: skip
#: What pytest ends with where no test was chosen.
NOTHING_CHOSEN = 5


#: And of these, what is about files that only later versions write.
LATER = (
    "tests/unit/networks/sources/onnx/test_graph.py::test_files_of_torchs_exporter_know_the_modules",
    "tests/unit/networks/sources/onnx/test_network.py::test_a_file_for_a_single_image_is_given_one_at_a_time",
    "tests/unit/networks/sources/test_transformers.py::test_the_feature_maps_of_a_backbone_are_layers[3]",
)


def setup(extra: str) -> None:
    """Install the package, editable, with the pinned versions of constraints.txt; a second call is quick."""
    install(VENV, ROOT / "constraints.txt", extra)


def install(venv_: Path, constraints: Path, extra: str, *tools: str) -> None:
    """Install the package and some tools, editable, in a virtual environment of its own; a second call is quick."""
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + constraints.read_bytes()).hexdigest()
    done = venv_ / f"netdissect-{extra or 'core'}"
    if done.exists() and done.read_text() == wanted:
        return
    print(f"setting up {venv_} (a few minutes the first time)", flush=True)
    if not (venv_ / BIN / "python").exists() and not (venv_ / BIN / "python.exe").exists():
        venv.create(venv_, with_pip=True)
    target = f"{ROOT}[{extra}]" if extra else str(ROOT)
    # torch goes first and alone, so that its pin decides which build is taken.
    run("python", "-m", "pip", "install", "--quiet", "-c", str(constraints), "torch", of=venv_)
    run("python", "-m", "pip", "install", "--quiet", "-c", str(constraints), "-e", target, *tools, of=venv_)
    done.write_text(wanted)


def run(program: str, *arguments: str, of: Path = VENV) -> None:
    """Run a program of a virtual environment; leave with its exit code if it fails."""
    code = subprocess.run([str(of / BIN / program), *arguments], cwd=ROOT, check=False).returncode
    if code:
        raise SystemExit(code)


def demo(arguments: list[str]) -> None:
    """Dissect the bundled network on the bundled probe set."""
    setup("")
    run("netdissect", "demo", *arguments)


def test(arguments: list[str]) -> None:
    """Run the whole suite, or what of it the arguments choose; leave with 1 if a test of either lane fails."""
    setup("dev")
    lanes = [["-n", "auto", "-m", "not processes"], ["-n", "2", "-m", "processes"]]
    if any(word.startswith("-m") for word in arguments):
        lanes = [["-n", "auto"]]  # who chooses by marker chooses the lane
    codes, ends = zip(*[lane([*options, *arguments]) for options in lanes], strict=True)
    print(closing_line(ends), flush=True)
    bad = [code for code in codes if code not in (0, NOTHING_CHOSEN)]
    if bad or set(codes) == {NOTHING_CHOSEN}:
        raise SystemExit(bad[0] if bad else NOTHING_CHOSEN)


def lane(arguments: list[str]) -> tuple[int, str]:
    """Run pytest, showing what it says; return its exit code and its last line."""
    words = [str(VENV / BIN / "python"), "-m", "pytest", "--dist", "worksteal", *arguments]
    last = ""
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, errors="replace") as running:
        for line in running.stdout or ():
            print(line, end="", flush=True)
            last = line.strip() or last
    return running.returncode, last


def closing_line(ends: Iterable[str]) -> str:
    """Return one line in pytest's form from the lanes' last lines: their counts and seconds, added up.

    >>> closing_line(["= 3 failed, 90 passed in 60.50s (0:01:00) =", "8 passed, 2 skipped, 90 deselected in 4.25s"])
    '==== 3 failed, 98 passed, 2 skipped in 64.75s ===='
    """
    counts: dict[str, int] = {}
    seconds = 0.0
    for end in ends:
        for number, what in re.findall(r"(\d+) (failed|passed|skipped|xfailed|xpassed|warnings?|errors?)\b", end):
            counts[what] = counts.get(what, 0) + int(number)
        seconds += sum(float(took) for took in re.findall(r" in ([\d.]+)s", end))
    said = ", ".join(f"{counts[what]} {what}" for what in sorted(counts)) or "no tests ran"
    return f"==== {said} in {seconds:.2f}s ===="


def check(_: list[str]) -> None:
    """Run every check."""
    setup("dev")
    run("ruff", "check", ".")
    run("ruff", "format", "--check", ".")
    run("codespell", "src", "docs", "tests", "benchmarks", "training", "README.md", "CONTRIBUTING.md")
    run("mypy")
    run("lint-imports")


def errors(_: list[str]) -> None:
    """Rewrite the rows of docs/errors.md whose message differs from what is printed now."""
    setup("dev")
    os.environ["NETDISSECT_WRITE_ERRORS"] = "1"
    run("python", "-m", "pytest", "-q", "-p", "no:xdist", "tests/errors")


def lowest(arguments: list[str]) -> None:
    """Run the tests of LOWEST with the versions of constraints-lowest.txt; warnings of libraries of that age are none."""
    extras, tools = (
        "torchvision,timm,hf,onnx,ray,pandas",
        ("pytest", "pytest-xdist", "hypothesis", "onnxscript", "onnx-ir", "jsonschema"),
    )
    install(ROOT / ".venv-lowest", ROOT / "constraints-lowest.txt", extras, *tools)
    words = [
        "-m",
        "pytest",
        "-n",
        "auto",
        "--dist",
        "worksteal",
        "-o",
        "filterwarnings=default",
        "-p",
        "no:cacheprovider",
    ]
    words += [f"--deselect={test}" for test in LATER]
    run("python", *words, *(arguments or LOWEST), of=ROOT / ".venv-lowest")


def settings(_: list[str]) -> None:
    """Write docs/settings.md from the settings' declarations."""
    setup("")
    run("python", "-m", "tests.settings_page")


def ci(arguments: list[str]) -> None:
    """Run every check and the whole suite, with the same random examples every time."""
    os.environ["CI"] = "true"
    check([])
    test(arguments)


def main() -> None:
    """Do what the first word says."""
    if sys.version_info < LEAST:
        raise SystemExit(f"netdissect needs Python {LEAST[0]}.{LEAST[1]} or newer; this is {sys.version.split()[0]}")
    tasks = {
        "demo": demo,
        "test": test,
        "check": check,
        "ci": ci,
        "lowest": lowest,
        "settings": settings,
        "setup": lambda _: setup("dev"),
    }
    if len(sys.argv) < 2 or sys.argv[1] not in tasks:
        raise SystemExit(__doc__)
    tasks[sys.argv[1]](sys.argv[2:])


if __name__ == "__main__":
    main()
