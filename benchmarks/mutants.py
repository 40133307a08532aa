"""How many small changes of the core the tests notice: ``python -m benchmarks mutants [-- --sites 220 --seed 0 …]``.

Cosmic Ray makes the changes (``pip install -c constraints.txt cosmic-ray``); a seeded sample of the places it finds is
tried, one change each, in a copy of the checkout, against the tests of the module's room, then the oracle and the laws
where they have a say, then the tests of whole runs. What survives is printed as a diff and kept in a file; docs/testing.md
says what became of them.
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
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
#: Modules that are changed, as patterns below src/netdissect.
MODULES = ("engine/*.py", "geometry/*.py", "results/*.py", "stats/*.py", "data/masks.py", "data/png.py", "data/broden.py",
           "io/images.py")  # fmt: skip
#: Tests of a room, besides those that carry the module's own name; they are run in this order until one fails.
ROOMS = {
    "engine": ["tests/unit/engine", "tests/laws", "tests/oracle"],
    "geometry": ["tests/unit/geometry", "tests/unit/engine", "tests/oracle"],
    "results": ["tests/unit/results", "tests/unit/engine"],
    "stats": ["tests/unit/stats", "tests/laws", "tests/unit/engine"],
    "data": ["tests/unit/probe_sets/test_masks.py", "tests/unit/probe_sets/test_png.py", "tests/unit/probe_sets/test_broden.py",
             "tests/unit/probe_sets/test_writer.py"],
    "io": ["tests/unit/io", "tests/unit/probe_sets/test_broden.py"],
}  # fmt: skip
#: Tests of modules whose own lie elsewhere.
EXTRA_TESTS = {
    "results/taken.py": ["tests/unit/run/test_folders.py"],
    "results/folder.py": ["tests/unit/run/test_folders.py"],
    "results/parquet.py": ["tests/unit/results/test_impossible.py", "tests/unit/results/test_records.py"],
    "results/tables.py": ["tests/unit/results/test_impossible.py", "tests/unit/results/test_records.py"],
    "results/record.py": ["tests/unit/results/test_impossible.py", "tests/unit/results/test_records.py"],
}
#: Tests of whole runs, asked about what no test of the room noticed.
WHOLE_RUNS = (
    "tests/unit/test_api.py",
    "tests/unit/run",
    "tests/unit/report",
    "tests/unit/experiments",
    "tests/unit/cli",
)
#: Processor seconds after which a test that does not end counts as one that noticed, and seconds on the wall.
PROCESSOR_SECONDS, WALL_SECONDS = 90, 600
#: As much for the tests of whole runs, which take longer.
WHOLE_RUNS_SECONDS = 600
#: Changes that no test is asked to notice: the identity of small objects, and what decorates a function.
SKIPPED_OPERATORS = ("_Is", "_IsNot", "RemoveDecorator")
DETECTED, DETECTED_BY_RUNS, TIMED_OUT, UNDETECTED = "noticed", "by whole runs", "timed out", "not noticed"


class Site(NamedTuple):
    """A place where the sources can be changed, and the changes that could be made there."""

    module: str
    start: tuple[int, int]
    end: tuple[int, int]
    family: str
    changes: tuple[tuple[str, int], ...]


def main(words: list[str]) -> None:
    """Go on in a process that loaded none of the other benchmarks, as the tests will have it."""
    os.execv(sys.executable, [sys.executable, "-m", "benchmarks.mutants", *words])  # noqa: S606 - it is this program


def measure(words: list[str]) -> None:
    """Change, test, count."""
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
        for module in sorted({site.module.partition("/")[0]: site.module for site, _ in chosen}.values()):
            if run_forked(lambda module=module: _run_tests(copy, list_tests(module, copy))) != UNDETECTED:  # type: ignore[misc]
                raise SystemExit(
                    f"the tests of {module} fail before anything is changed: {' '.join(list_tests(module, copy))}"
                )
        if run_forked(lambda: _run_tests(copy, WHOLE_RUNS), WHOLE_RUNS_SECONDS) != UNDETECTED:
            raise SystemExit(f"the tests of whole runs fail before anything is changed: {' '.join(WHOLE_RUNS)}")
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


def _parse_options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks mutants --")
    parser.add_argument("--sites", type=int, default=220, help="places to change, one change each")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--minutes", type=float, default=24 * 60, help="begin no new change after so long")
    parser.add_argument(
        "--out", type=Path, default=Path("mutants.jsonl"), help="where outcomes are kept, and gone on from"
    )
    parser.add_argument("--fresh", action="store_true", help="try again what stands in that file already")
    parser.add_argument("--list", action="store_true", help="say what would be changed")
    return parser.parse_args(words)


def find_sites() -> Iterator[Site]:
    """Find the places that Cosmic Ray can change, annotations, decorators and imports for checkers aside."""
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
    """Yield where a module says something that no run of it depends on."""
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
    """Draw places evenly, and of each one change; more places of the same seed begin with the same ones."""
    draw = random.Random(seed)  # noqa: S311 - it only has to be repeatable
    draw.shuffle(found)
    return [(site, draw.choice(site.changes)) for site in found][:count]


def copy_checkout(copy: Path) -> None:
    """Copy what tests need; the reference data is left where it is, and tests that read it are skipped."""
    for name in ("src", "tests", "benchmarks", "docs"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("*.pyc"))
    for name in ("pyproject.toml", "dev.py"):
        shutil.copy(ROOT / name, copy)


def try_change(copy: Path, site: Site, change: tuple[str, int]) -> dict[str, Any]:
    """Change a place in the copy, run the tests, and change it back."""
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
    """Leave a module as it was, its age and its compiled kernels too: they need not be compiled again."""
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
    """Return the tests that have a say about a module, those of its own name first."""
    room, name = module.split("/")
    own = [f"tests/unit/{room}/test_{name}", *EXTRA_TESTS.get(module, [])]
    return [*(test for test in own if (folder / test).exists()), *ROOMS[room]]


def _run_tests(copy: Path, tests: Sequence[str]) -> int:
    import pytest

    os.chdir(copy)
    os.environ |= {"CI": "true", "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(copy / "src"), str(copy)]
    for name in [name for name in sys.modules if name.partition(".")[0] in ("netdissect", "tests", "benchmarks")]:
        del sys.modules[name]
    options = [
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "--assert=plain",
        "--hypothesis-profile=quick",
        "-m",
        "not processes and not slow",
    ]
    return int(pytest.main([*options, "-c", "pyproject.toml", *tests]))


def run_forked(function: Callable[[], int], seconds: int = PROCESSOR_SECONDS) -> str:
    """Call a function in a process forked from this one; return what its exit code, or its lack of an end, means.

    Args:
        function: returns an exit code of pytest's.
        seconds: of a processor that it may take.
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
    """Import what every test needs once, before processes are forked; nothing of the project's own."""
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
    """Print how many changes were noticed, by room."""
    print(f"\n{'room':<10} changes noticed by whole runs timed out not noticed")
    rooms = Counter((entry["module"].partition("/")[0], entry["outcome"]) for entry in done.values())
    for room in [*sorted({room for room, _ in rooms}), "all"]:
        counts = [
            sum(n for (r, o), n in rooms.items() if room in (r, "all") and o == outcome)
            for outcome in (DETECTED, DETECTED_BY_RUNS, TIMED_OUT, UNDETECTED)
        ]
        print(f"{room:<10} {sum(counts):>7} {counts[0]:>7} {counts[1]:>13} {counts[2]:>9} {counts[3]:>11}")
    noticed = sum(entry["outcome"] != UNDETECTED for entry in done.values())
    print(f"{noticed} of {len(done)} changes were noticed ({100 * noticed / max(1, len(done)):.1f} %)")


if __name__ == "__main__":
    measure(sys.argv[1:])
