"""Measure how many small changes of the core the tests detect: ``python -m benchmarks mutants [-- --sites 220 …]``.

Cosmic Ray makes the changes (``pip install -c constraints.txt cosmic-ray``). Of the places that it finds, a seeded sample
is tried, one change each, in a copy of the checkout: first the tests of the module's room, then, if none failed, the
tests of whole runs. Undetected changes are printed as a diff and recorded in a file; docs/testing.md discusses them.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
#: Modules that are changed, as patterns below src/netdissect.
MODULES = (
    "engine/*.py", "geometry/*.py", "results/*.py", "stats/*.py", "io/images.py", "probe_sets/broden/label_pngs.py",
    "probe_sets/broden/png_decoder.py", "probe_sets/broden/reader.py",
)  # fmt: skip
BRODEN_TESTS = "tests/unit/probe_sets/broden"
#: Tests of a room, run after those with the module's own name, in this order until one fails.
ROOMS = {
    "engine": ["tests/unit/engine", "tests/laws", "tests/oracle"],
    "geometry": ["tests/unit/geometry", "tests/unit/engine", "tests/oracle"],
    "results": ["tests/unit/results", "tests/unit/engine"],
    "stats": ["tests/unit/stats", "tests/laws", "tests/unit/engine"],
    "probe_sets": [BRODEN_TESTS],
    "io": ["tests/unit/io", f"{BRODEN_TESTS}/test_reader.py"],
}
_DAMAGED_FILES = ["tests/unit/results/test_impossible.py", "tests/unit/results/test_records.py"]
#: Tests of a module that have another name than it.
EXTRA_TESTS = {
    "results/run_match.py": ["tests/unit/run/test_folders.py"],
    "results/run_folder.py": ["tests/unit/run/test_folders.py"],
    "results/parquet_sizes.py": _DAMAGED_FILES,
    "results/table_files.py": _DAMAGED_FILES,
    "results/record.py": _DAMAGED_FILES,
}
#: Tests of whole runs, run if no test of the room failed.
WHOLE_RUNS = (
    "tests/unit/test_api.py",
    "tests/unit/run",
    "tests/unit/report",
    "tests/unit/experiments",
    "tests/unit/cli",
)
#: CPU seconds after which tests that do not end count as failed (of a room, of whole runs), and seconds of wall time.
ROOM_SECONDS, WHOLE_RUNS_SECONDS, WALL_SECONDS = 90, 600, 600
#: Cosmic Ray's operators that are not used: identity of small objects, and decorators.
SKIPPED_OPERATORS = ("_Is", "_IsNot", "RemoveDecorator")
DETECTED, DETECTED_BY_RUNS, TIMED_OUT, UNDETECTED = "detected", "by whole runs", "timed out", "undetected"


class Site(NamedTuple):
    """A place in a module and the changes that Cosmic Ray can make there (operator, occurrence)."""

    module: str
    start: tuple[int, int]
    end: tuple[int, int]
    family: str
    changes: tuple[tuple[str, int], ...]


def main(words: list[str]) -> None:
    """Replace this process by one that has imported none of the other benchmarks."""
    os.execv(sys.executable, [sys.executable, "-m", "benchmarks.mutants", *words])  # noqa: S606 - this program


def measure(words: list[str]) -> None:
    """Try a sample of changes and print how many were detected."""
    options = _parse_options(words)
    chosen = sample_changes(list(find_sites()), options.sites, options.seed)
    if options.list:
        print("\n".join(f"{site.module}:{site.start[0]} {name}" for site, (name, _) in chosen))
        return
    import_libraries()
    done = {} if options.fresh else _read_outcomes(options.out)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder) / "checkout"
        copy_checkout(copy)
        _require_passing_tests(copy, {site.module.partition("/")[0]: site.module for site, _ in chosen}.values())
        began = time.monotonic()
        for number, (site, change) in enumerate(chosen, start=1):
            key = f"{site.module}:{site.start[0]}:{site.start[1]} {change[0]}#{change[1]}"
            if key in done or (time.monotonic() - began) / 60 > options.minutes:
                continue
            found = try_change(copy, site, change)
            done[key] = {"module": site.module, **found}
            with options.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, **done[key]}) + "\n")
            print(f"{number}/{len(chosen)} {found['seconds']:5.0f} s {found['outcome']:>13}  {key}", flush=True)
            if found["outcome"] == UNDETECTED:
                print(found["diff"], flush=True)
    print_report(done)


def _require_passing_tests(copy: Path, modules: Iterable[str]) -> None:
    """Exit if the tests of these modules or of whole runs fail before anything is changed."""
    for tests, seconds in [
        *((list_tests(module, copy), ROOM_SECONDS) for module in sorted(modules)), (WHOLE_RUNS, WHOLE_RUNS_SECONDS),
    ]:  # fmt: skip
        if run_forked(partial(_run_tests, copy, tests), seconds) != UNDETECTED:
            raise SystemExit(f"these tests fail before anything is changed: {' '.join(tests)}")


def _parse_options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks mutants --")
    parser.add_argument("--sites", type=int, default=220, help="number of places, one change each")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample")
    parser.add_argument("--minutes", type=float, default=24 * 60, help="start no new change after this time")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("mutants.jsonl"),
        help="file of outcomes; changes that it has are not tried again",
    )
    parser.add_argument("--fresh", action="store_true", help="try changes that the file has again")
    parser.add_argument("--list", action="store_true", help="only print what would be changed")
    return parser.parse_args(words)


def find_sites() -> Iterator[Site]:
    """Yield the places that Cosmic Ray can change, except annotations, decorators and TYPE_CHECKING blocks."""
    import parso.python.tree  # noqa: F401 - Cosmic Ray cannot be imported before it
    from cosmic_ray import plugins
    from cosmic_ray.ast import ast_nodes, get_ast

    operators = {
        name: plugins.get_operator(name)()
        for name in plugins.operator_names()
        if not name.endswith(SKIPPED_OPERATORS) and not plugins.get_operator(name).arguments()
    }
    for pattern in MODULES:
        for path in sorted((ROOT / "src/netdissect").glob(pattern)):
            text = path.read_text(encoding="utf-8")
            without = list(_find_ignored_spans(text))
            nodes = list(ast_nodes(get_ast(text)))
            found: dict[tuple[Any, ...], list[tuple[str, int]]] = {}
            for name, operator in operators.items():
                places = [place for node in nodes for place in operator.mutation_positions(node)]
                for occurrence, (start, end) in enumerate(places):
                    if not any(first <= start and end <= last for first, last in without):
                        family = name.partition("/")[2].partition("_")[0]
                        found.setdefault((start, end, family), []).append((name, occurrence))
            module = str(path.relative_to(ROOT / "src/netdissect"))
            for (start, end, family), changes in sorted(found.items()):
                yield Site(module, start, end, family, tuple(changes))


def _find_ignored_spans(text: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield the spans (start, end) of a module that have no effect when it runs."""
    for node in ast.walk(ast.parse(text)):
        parts: list[Any] = [
            *getattr(node, "decorator_list", ()),
            getattr(node, "annotation", None),
            getattr(node, "returns", None),
        ]
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            parts.append(node)
        for part in parts:
            if isinstance(part, ast.AST):
                yield (part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset)  # type: ignore[attr-defined]


def sample_changes(found: list[Site], count: int, seed: int) -> list[tuple[Site, tuple[str, int]]]:
    """Draw places evenly, with one change of each; a larger sample of the same seed begins with the smaller one."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    draw.shuffle(found)
    return [(site, draw.choice(site.changes)) for site in found][:count]


def copy_checkout(copy: Path) -> None:
    """Copy what tests need; without ../shared, tests that read reference data are skipped."""
    for name in ("src", "tests", "benchmarks", "docs"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("*.pyc"))
    for name in ("pyproject.toml", "dev.py"):
        shutil.copy(ROOT / name, copy)


def try_change(copy: Path, site: Site, change: tuple[str, int]) -> dict[str, Any]:
    """Change a place in the copy, run the tests, and undo the change."""
    from cosmic_ray import plugins
    from cosmic_ray.mutating import mutate_code

    path = copy / "src/netdissect" / site.module
    before = path.read_text(encoding="utf-8")
    after = mutate_code(before, plugins.get_operator(change[0])(), change[1])
    assert after is not None
    assert after != before
    lines = difflib.unified_diff(before.split("\n"), after.split("\n"), lineterm="", n=0)
    diff = "\n".join([f"--- {site.module}", *list(lines)[2:]])
    began = time.monotonic()
    with restore_file(path):
        path.write_text(after, encoding="utf-8")
        outcome = run_forked(lambda: _run_tests(copy, list_tests(site.module, copy)))
        if outcome == UNDETECTED and run_forked(lambda: _run_tests(copy, WHOLE_RUNS), WHOLE_RUNS_SECONDS) != UNDETECTED:
            outcome = DETECTED_BY_RUNS
    return {"outcome": outcome, "seconds": round(time.monotonic() - began, 1), "diff": diff}


@contextlib.contextmanager
def restore_file(path: Path) -> Iterator[None]:
    """Restore a module on exit, with its time stamp and compiled kernels, so that none is compiled again."""
    kernels = f"{path.stem}.*.nb[ic]"
    kept = {file: file.read_bytes() for file in (path, *(path.parent / "__pycache__").glob(kernels))}
    age = path.stat()
    try:
        yield
    finally:
        for file in (path.parent / "__pycache__").glob(kernels):
            file.unlink()
        for file, data in kept.items():
            file.write_bytes(data)
        os.utime(path, ns=(age.st_atime_ns, age.st_mtime_ns))


def list_tests(module: str, folder: Path) -> list[str]:
    """Return the tests of a module, those with its own name first."""
    parent, _, name = module.rpartition("/")
    own = [f"tests/unit/{parent}/test_{name}", *EXTRA_TESTS.get(module, [])]
    return [*(test for test in own if (folder / test).exists()), *ROOMS[module.partition("/")[0]]]


def _run_tests(copy: Path, tests: Sequence[str]) -> int:
    import pytest

    os.chdir(copy)
    os.environ |= {"CI": "true", "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(copy / "src"), str(copy)]
    for name in [name for name in sys.modules if name.partition(".")[0] in ("netdissect", "tests", "benchmarks")]:
        del sys.modules[name]
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--assert=plain", "--hypothesis-profile=quick"]
    options += ["-m", "not processes and not slow"]
    return int(pytest.main([*options, "-c", "pyproject.toml", *tests]))


def run_forked(function: Callable[[], int], seconds: int = ROOM_SECONDS) -> str:
    """Call a function in a forked process; return the outcome that its exit code, or its time limit, stands for.

    Args:
        function: returns pytest's exit code.
        seconds: CPU seconds that it may take.
    """
    pid = os.fork()
    if pid == 0:
        code = 3
        try:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            quiet = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(quiet, stream)
            code = function()
        finally:
            os._exit(code)
    until = time.monotonic() + WALL_SECONDS
    while time.monotonic() < until:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            if code in (-signal.SIGXCPU, -signal.SIGKILL):
                return TIMED_OUT
            return UNDETECTED if code == 0 else DETECTED
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return TIMED_OUT


def import_libraries() -> None:
    """Import the libraries that tests need before processes are forked, but no module of the project."""
    import hypothesis  # noqa: F401
    import numba  # noqa: F401
    import PIL.Image
    import pyarrow.parquet
    import pytest  # noqa: F401
    import scipy.linalg
    import scipy.optimize
    import torch

    torch.set_num_threads(1)
    assert PIL.Image
    assert pyarrow.parquet
    assert scipy.linalg
    assert scipy.optimize


def _read_outcomes(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    return {entry.pop("key"): entry for entry in map(json.loads, path.read_text(encoding="utf-8").splitlines())}


def print_report(done: dict[str, dict[str, Any]]) -> None:
    """Print how many changes were detected, by room."""
    print(f"\n{'room':<10} changes {DETECTED} {DETECTED_BY_RUNS} {TIMED_OUT} {UNDETECTED}")
    rooms = Counter((entry["module"].partition("/")[0], entry["outcome"]) for entry in done.values())
    for room in [*sorted({room for room, _ in rooms}), "all"]:
        counts = [
            sum(n for (r, o), n in rooms.items() if room in (r, "all") and o == outcome)
            for outcome in (DETECTED, DETECTED_BY_RUNS, TIMED_OUT, UNDETECTED)
        ]
        print(f"{room:<10} {sum(counts):>7} {counts[0]:>8} {counts[1]:>13} {counts[2]:>9} {counts[3]:>10}")
    detected = sum(entry["outcome"] != UNDETECTED for entry in done.values())
    print(f"{detected} of {len(done)} changes were detected ({100 * detected / max(1, len(done)):.1f} %)")


if __name__ == "__main__":
    measure(sys.argv[1:])
