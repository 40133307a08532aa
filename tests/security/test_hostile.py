"""`python -m benchmarks hostile`: its table is complete, a dozen attempts are survived, and failures are noticed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from benchmarks.hostile import judge
from benchmarks.hostile.attempts import ATTEMPTS, Attempt, expect_error, expect_success

#: One attempt of most kinds.
SMOKE = (
    "labelme's two names without a label", "JSON that is deep", "sizes that are stale", "a name that is a path out of the folder",
    "--seed -1", "a file outside", "a plane that is a bomb", "a pickle named net.pth", "run.json is cut short",
    "--out is somebody's folder", "a .tar with a link out", "data=7",
)  # fmt: skip


def test_the_table_has_hundreds_of_attempts_of_every_kind():
    kinds = Counter(one.kind for one in ATTEMPTS)
    assert sum(kinds.values()) >= 500
    assert len(kinds) >= 20
    assert set(SMOKE) <= {one.name for one in ATTEMPTS}


def _raise(folder):
    def call():
        raise ValueError("deep inside")

    return call


def _add_file(folder):
    def call():
        (folder.path / "letter.txt").write_text("not mine")

    return call


def _change_foreign_file(folder):
    theirs = folder.write_foreign_files()

    def call():
        (theirs / "letter.txt").write_text("not mine")

    return call


def _run_smoke_test():
    """Print as JSON what was not survived; called in a process without threads, because it forks."""
    chosen = [next(one for one in ATTEMPTS if one.name == name) for name in SMOKE]
    data_7 = next(one for one in ATTEMPTS if one.name == "data=7")
    bad = [
        Attempt("judge", "a traceback", _raise, expect_error(".")),
        Attempt("judge", "a file beside it", _add_file, expect_success()),
        Attempt("judge", "somebody's file", _change_foreign_file, expect_success()),
        Attempt("judge", "a wrong value", lambda _: lambda: "7 is not 8", expect_success()),
        Attempt("judge", "another sentence", data_7.make, expect_error("fish")),
        Attempt("judge", "success where refusal was expected", lambda _: lambda: None, expect_error(".")),
    ]
    failed, skipped = judge.run_attempts([*chosen, *bad], at_once=2, seconds=100)
    found = {one.name: why for one, why in failed.items()}
    print(json.dumps([found, {one.name: why for one, why in skipped.items()}]))


@pytest.mark.slow
@pytest.mark.processes
def test_a_dozen_attempts_survive_and_what_does_not_is_noticed():
    root = Path(__file__).resolve().parents[2]
    code = "from tests.security import test_hostile; test_hostile._run_smoke_test()"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    failures, skipped = json.loads(done.stdout.splitlines()[-1])
    assert not skipped
    assert failures.pop("a traceback") == "a traceback, ValueError: deep inside"
    assert failures.pop("a file beside it").startswith("it changed letter.txt")
    assert failures.pop("somebody's file").startswith("it changed theirs/letter.txt")
    assert failures.pop("a wrong value") == "WRONG: 7 is not 8"
    assert failures.pop("another sentence").startswith("expected a sentence that matches /fish/")
    assert failures.pop("success where refusal was expected").startswith("exit code 0")
    assert failures == {}
