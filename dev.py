#!/usr/bin/env python3
"""Set up this checkout and run one task in it; needs only Python and a package index.

    python3 dev.py demo     install the package in .venv and dissect the bundled network
    python3 dev.py test     install what the tests need and run all of them
    python3 dev.py check    ruff, codespell, mypy --strict, import-linter
    python3 dev.py ci       check, then test, with the same random examples every time
    python3 dev.py settings rewrite docs/settings.md and the settings in run.schema.json
    python3 dev.py docs     build the documentation site into build/site; --serve shows it while you write
    python3 dev.py setup    install only
    python3 dev.py errors   rewrite docs/errors.md where an error message changed (read the diff before committing)
    python3 dev.py lowest   test everything that opens users' files with the lowest versions allowed, in .venv-lowest

Further arguments are passed on: `python3 dev.py test -k tally`, `python3 dev.py demo --out /tmp/demo`.

Tests run in two lanes, one after the other: first most tests, on all CPU cores; then those marked `processes`, which kill
or pause processes or read a clock, with two workers. Both always run, and the last line counts both.
"""

from __future__ import annotations

import ast
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
#: Tests that `lowest` runs: everything that opens users' files, and the cache of compiled kernels.
LOWEST = (
    "tests/security", "tests/fuzz", "tests/unit/io", "tests/unit/networks", "tests/unit/probe_sets", "tests/unit/results",
    "tests/unit/test_compiled.py",
)  # fmt: skip
#: What marks tests of the second lane, in a test's file.
OF_SECOND_LANE = re.compile(r"\bmark\.(processes|cluster)\b")
#: What installs everything else.
UV = "uv"
#: What pip's settings are called in uv, and what separates several values.
OF_UV = {
    "index-url": ("UV_DEFAULT_INDEX", " "), "extra-index-url": ("UV_INDEX", " "), "find-links": ("UV_FIND_LINKS", ","),
    "constraint": ("UV_CONSTRAINT", " "), "cert": ("SSL_CERT_FILE", " "), "trusted-host": ("UV_INSECURE_HOST", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "), "default-timeout": ("UV_HTTP_TIMEOUT", " "),
}  # fmt: skip
#: pip's settings that change nothing of what is installed.
OF_PIP_ALONE = ("disable-pip-version-check", "root-user-action", "no-input", "progress-bar", "quiet", "verbose", "no-color",
                "no-cache-dir", "cache-dir", "require-virtualenv", "config-file")  # fmt: skip
#: The test that CI runs while the checks leave a core idle.
WARMING = "test_a_run_and_its_report_make_no_requests"
#: Pytest's exit code if no test was selected.
NOTHING_CHOSEN = 5
#: Tests that `lowest` leaves out: they need files that only later versions write.
LATER = (
    "tests/unit/networks/sources/onnx/test_graph.py::test_files_of_torchs_exporter_know_the_modules",
    "tests/unit/networks/sources/onnx/test_network.py::test_a_file_for_a_single_image_is_given_one_at_a_time",
    "tests/unit/networks/sources/test_transformers.py::test_the_feature_maps_of_a_backbone_are_layers[3]",
)


def setup(extra: str) -> None:
    """Install the package in .venv, editable, with the versions of constraints.txt, unless it is up to date."""
    install(VENV, ROOT / "constraints.txt", extra)


def install(venv_: Path, constraints: Path, extra: str, *tools: str) -> None:
    """Install the package, editable, and tools in a virtual environment, unless it is up to date."""
    key = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + constraints.read_bytes()).hexdigest()
    done = venv_ / f"netdissect-{extra or 'core'}"
    if done.exists() and done.read_text() == key:
        return
    print(f"setting up {venv_} (a few minutes the first time)", flush=True)
    if not (venv_ / BIN / "python").exists() and not (venv_ / BIN / "python.exe").exists():
        venv.create(venv_, with_pip=True)
    target = f"{ROOT}[{extra}]" if extra else str(ROOT)
    if not install_with_uv(venv_, constraints, "-e", target, *tools):
        pip = ("python", "-m", "pip", "install", "--quiet", "--no-compile", "-c", str(constraints))  # half the time
        # torch is installed first and alone, so that constraints.txt decides its build.
        run(*pip, "torch", of=venv_)
        run(*pip, "-e", target, *tools, of=venv_)
    done.write_text(key)


def install_with_uv(venv_: Path, constraints: Path, *packages: str) -> bool:
    """Install packages with uv, which pip installs first, in a fifth of pip's time; return False, and say why, if pip must do it."""
    python = str(venv_ / BIN / "python")
    pip = [python, "-m", "pip"]
    listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False).stdout
    try:
        settings = translate_pip_settings(listed)
    except ValueError as error:
        print(f"pip installs, because uv does not know its setting {error}", flush=True)
        return False
    if subprocess.run([*pip, "install", "--quiet", "-c", str(ROOT / "constraints.txt"), UV], check=False).returncode:
        print("pip installs, because uv cannot be installed here", flush=True)
        return False
    words = [str(venv_ / BIN / "uv"), "pip", "install", "--quiet", "--python", python, "-c", str(constraints)]
    if subprocess.run([*words, *packages], cwd=ROOT, env={**settings, **os.environ}, check=False).returncode:
        print("pip installs, because uv failed", flush=True)
        return False
    return True


def translate_pip_settings(listed: str) -> dict[str, str]:
    r"""Return the environment variables with which uv does what `pip config list` says; raise ValueError at a setting it lacks.

    >>> translate_pip_settings("global.timeout='9'\n:env:.find-links='/w /v'\nglobal.find-links='/u'")
    {'UV_INDEX_STRATEGY': 'unsafe-best-match', 'UV_HTTP_TIMEOUT': '9', 'UV_FIND_LINKS': '/w,/v'}
    >>> translate_pip_settings("global.no-binary='all'")
    Traceback (most recent call last):
    ValueError: no-binary
    """
    chosen = {"UV_INDEX_STRATEGY": "unsafe-best-match"}  # as pip does: the best version of all indexes
    lines = [line.partition("=") for line in listed.splitlines() if "=" in line]
    for place, _, value in sorted(lines, key=lambda line: line[0].startswith(":env:")):  # the environment decides
        section, _, name = place.rpartition(".")
        if section not in (":env:", "global", "install") or name in OF_PIP_ALONE:
            continue
        if name not in OF_UV:
            raise ValueError(name)
        variable, separator = OF_UV[name]
        chosen[variable] = separator.join(str(ast.literal_eval(value)).split())
    return chosen


def run(program: str, *arguments: str, of: Path = VENV) -> None:
    """Run a program of a virtual environment; exit with its code if it fails."""
    code = subprocess.run([str(of / BIN / program), *arguments], cwd=ROOT, check=False).returncode
    if code:
        raise SystemExit(code)


def demo(arguments: list[str]) -> None:
    """Dissect the bundled network on the bundled probe set."""
    setup("")
    run("netdissect", "demo", *arguments)


def test(arguments: list[str]) -> None:
    """Run both lanes of the suite, or the tests that the arguments select; exit with 1 if a test fails."""
    setup("dev")
    chosen = any((ROOT / word.partition("::")[0]).exists() for word in arguments)
    files = [] if chosen else list_second_lane()
    lanes = [["-n", "auto", "-m", "not processes"], ["-n", "2", "-m", "processes", *files]]
    if any(word.startswith("-m") for word in arguments):
        lanes = [["-n", "auto"]]  # a marker of the user replaces the lanes
    codes, ends = zip(*[lane([*options, *arguments]) for options in lanes], strict=True)
    print(closing_line(ends), flush=True)
    bad = [code for code in codes if code not in (0, NOTHING_CHOSEN)]
    if bad or set(codes) == {NOTHING_CHOSEN}:
        raise SystemExit(bad[0] if bad else NOTHING_CHOSEN)


def list_second_lane() -> list[str]:
    """Return the test files of which tests belong to the second lane: collecting all files takes half a minute."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(file) for file in files if OF_SECOND_LANE.search(file.read_text(encoding="utf-8"))]


def lane(arguments: list[str]) -> tuple[int, str]:
    """Run pytest and print its output; return its exit code and last line."""
    words = [str(VENV / BIN / "python"), "-m", "pytest", "--dist", "worksteal", *arguments]
    last = ""
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, errors="replace") as running:
        for line in running.stdout or ():
            print(line, end="", flush=True)
            last = line.strip() or last
    return running.returncode, last


def closing_line(ends: Iterable[str]) -> str:
    """Return one line in pytest's form that adds up the counts and seconds of the lanes' last lines.

    >>> closing_line(["= 3 failed, 90 passed in 60.50s (0:01:00) =", "8 passed, 2 skipped, 90 deselected in 4.25s"])
    '==== 3 failed, 98 passed, 2 skipped in 64.75s ===='
    """
    counts: dict[str, int] = {}
    seconds = 0.0
    for end in ends:
        for number, what in re.findall(r"(\d+) (failed|passed|skipped|xfailed|xpassed|warnings?|errors?)\b", end):
            counts[what] = counts.get(what, 0) + int(number)
        seconds += sum(float(took) for took in re.findall(r" in ([\d.]+)s", end))
    summary = ", ".join(f"{counts[what]} {what}" for what in sorted(counts)) or "no tests ran"
    return f"==== {summary} in {seconds:.2f}s ===="


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
    """Run the tests of LOWEST with the versions of constraints-lowest.txt; warnings of old libraries are no errors."""
    extras, tools = (
        "torchvision,timm,hf,onnx,ray,pandas,sklearn",
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
    """Rewrite docs/settings.md and run.schema.json from the declarations of the settings."""
    setup("")
    run("python", "-m", "tests.settings_page")


def docs(arguments: list[str]) -> None:
    """Build the documentation site, with warnings as errors, or serve it on this machine with ``--serve``."""
    setup("docs")
    os.environ["NO_MKDOCS_2_WARNING"] = "1"
    run(
        "mkdocs",
        *(["serve"] if "--serve" in arguments else ["build"]),
        "--strict",
        *(word for word in arguments if word != "--serve"),
    )


def ci(arguments: list[str]) -> None:
    """Run every check and the whole suite, with the same random examples every time."""
    os.environ["CI"] = "true"
    setup("dev")
    # The checks leave a core idle. Meanwhile one test compiles all that tests import, and the kernels of a run, once and not in
    # every process.
    words = [str(VENV / BIN / "python"), "-m", "pytest", "-q", "-p", "no:xdist", "-k", WARMING]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as compiling:
        try:
            check([])
        except BaseException:
            compiling.kill()
            raise
    test(arguments)


def main() -> None:
    """Run the task that the first argument names."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else every process compiles all that was installed uncompiled
    if sys.version_info < LEAST:
        raise SystemExit(f"netdissect needs Python {LEAST[0]}.{LEAST[1]} or newer; this is {sys.version.split()[0]}")
    tasks = {
        "demo": demo,
        "docs": docs,
        "test": test,
        "check": check,
        "ci": ci,
        "errors": errors,
        "lowest": lowest,
        "settings": settings,
        "setup": lambda _: setup("dev"),
    }
    if len(sys.argv) < 2 or sys.argv[1] not in tasks:
        raise SystemExit(__doc__)
    tasks[sys.argv[1]](sys.argv[2:])


if __name__ == "__main__":
    main()
