"""Run attempts, several at a time, in children of one process that has imported everything, and judge each result."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import machine
from benchmarks.hostile import (  # noqa: F401 - importing them fills the table
    archives,
    checkpoints,
    command_options,
    environments,
    importer_inputs,
    names,
    network_files,
    output_folders,
    prepared_files,
    probe_set_files,
    python_calls,
    run_files,
    trust_tables,
)
from benchmarks.hostile.attempts import ATTEMPTS, Attempt, AttemptFolder, SkipAttempt
from benchmarks.hostile.base import write_base
from benchmarks.hostile.children import RunningAttempt, output_files, start_attempt

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Seconds that an attempt may take.
WALL_SECONDS = 180


def main(words: list[str]) -> None:
    """Print how many attempts were survived, by kind; exit with 1 if one was not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks hostile --")
    parser.add_argument("--only", default="", help="run attempts in whose 'KIND: NAME' this pattern is found")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, default=WALL_SECONDS)
    options = parser.parse_args(words)
    chosen = [one for one in ATTEMPTS if re.search(options.only, f"{one.kind}: {one.name}")]
    machine.print_title(f"Hostile: {len(chosen)} attempts, each in a process with limits on memory and time")
    start = time.monotonic()
    failed, skipped = run_attempts(chosen, at_once=options.at_once, seconds=options.seconds)
    tried = Counter(one.kind for one in chosen)
    lost = Counter(one.kind for one in failed)
    left = Counter(one.kind for one in skipped)
    machine.print_table(
        ["kind", "tried", "survived", "cannot be tried here"],
        [[kind, n - left[kind], n - left[kind] - lost[kind], left[kind]] for kind, n in tried.items()],
    )
    for one, why in skipped.items():
        print(f"- cannot be tried here: {one.kind}: {one.name}: {why}")
    counted = len(chosen) - len(skipped)
    print(
        f"{counted} attempts, {counted - len(failed)} survived, {len(failed)} did not; {len(skipped)} cannot be tried "
        f"here; {time.monotonic() - start:.0f} seconds"
    )
    if failed:
        raise SystemExit(1)


def run_attempts(
    chosen: Sequence[Attempt], *, at_once: int = 2, seconds: float = WALL_SECONDS
) -> tuple[dict[Attempt, str], dict[Attempt, str]]:
    """Run attempts; return those that were not survived and those that cannot be tried here, with the reasons."""
    failed: dict[Attempt, str] = {}
    skipped: dict[Attempt, str] = {}
    top = Path(tempfile.mkdtemp(prefix="hostile-"))  # no TemporaryDirectory: children would remove it as they exit
    try:
        top.chmod(0o755)  # some attempts run as another user
        write_base(top / "base")
        waiting = list(enumerate(chosen))
        running: list[RunningAttempt] = []
        while waiting or running:
            while waiting and len(running) < at_once:
                number, one = waiting.pop(0)
                try:
                    running.append(start_attempt(one, AttemptFolder(top / f"{number}", top / "base"), seconds))
                except SkipAttempt as reason:
                    skipped[one] = str(reason)
            for run in list(running):
                ended = run.poll()
                if ended is not None:
                    running.remove(run)
                    why = judge_attempt(run, ended)
                    if why:
                        failed[run.attempt] = why
                        print(f"- NOT SURVIVED: {run.attempt.kind}: {run.attempt.name}: {why}", flush=True)
                    _remove_folder(run.folder.path)
            time.sleep(0.005)
    finally:
        _remove_folder(top)
    return failed, skipped


def judge_attempt(run: RunningAttempt, ended: int | str) -> str | None:
    """Return why an attempt was not survived; None if it was.

    Args:
        run: the attempt.
        ended: the exit code, or what ended the process.
    """
    folder, expected = run.folder, run.attempt.expected
    printed, complained = run.read_output()
    if isinstance(ended, str):
        return f"{ended}: {_get_last_line(complained)}"
    if "Traceback (most recent call last)" in complained + printed:
        return f"a traceback, {_get_last_line(complained)}"
    after = folder.hash_files()
    changed = sorted(name for name in run.before.keys() | after.keys() if run.before.get(name) != after.get(name))
    if changed:
        return f"it changed {', '.join(changed[:4])} (exit code {ended}, {_get_last_line(complained)})"
    if ended == 0 and expected.check is not None:
        if "WRONG: " in printed:
            return printed[printed.index("WRONG: ") :].strip()
        try:
            return expected.check(folder, printed + complained)
        except Exception as error:  # noqa: BLE001 - a result that the check cannot read is a wrong one
            return f"its result cannot be read: {type(error).__name__}: {error}"
    if ended != 2 or expected.sentence is None:
        return f"exit code {ended}: {_get_last_line(complained) or _get_last_line(printed)}"
    sentences = [line for line in complained.splitlines() if line.startswith("netdissect: ")]
    if not sentences or complained.strip().splitlines()[-1] != sentences[-1]:
        return f"no single sentence: {_get_last_line(complained)}"
    if not re.search(expected.sentence, sentences[-1]):
        return f"expected a sentence that matches /{expected.sentence}/, got: {sentences[-1]}"
    return None


def _get_last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:300] if lines else ""


def _remove_folder(folder: Path) -> None:
    for top, folders, _ in os.walk(folder):
        for name in folders:
            with contextlib.suppress(OSError):
                Path(top, name).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
    for path in output_files(folder):
        path.unlink(missing_ok=True)
