"""The command that tries hostile input, settings and places: its table is whole, and a dozen attempts survive."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from benchmarks.hostile import judge
from benchmarks.hostile.attempts import ATTEMPTS, Attempt, gives, refused

#: One attempt of most kinds.
SMOKE = (
    "labelme's two names for nothing", "JSON that is deep", "sizes that are stale", "a name that is a path out of the folder",
    "--seed -1", "a file outside", "a plane that is a bomb", "a pickle named net.pth", "run.json is cut short",
    "--out is somebody's folder", "a .tar with a link out", "data=7",
)  # fmt: skip


def test_the_table_has_hundreds_of_attempts_of_every_kind():
    kinds = Counter(one.kind for one in ATTEMPTS)
    assert sum(kinds.values()) >= 500
    assert len(kinds) >= 20
    assert set(SMOKE) <= {one.name for one in ATTEMPTS}


def _broken(place):
    def call():
        raise ValueError("deep inside")

    return call


def _litters(place):
    def call():
        (place.folder / "letter.txt").write_text("not mine")

    return call


def _changes(place):
    theirs = place.theirs()

    def call():
        (theirs / "letter.txt").write_text("not mine")

    return call


def _try_all():
    """Print what did not survive; in a process of its own, whose children find no threads missing."""
    chosen = [next(one for one in ATTEMPTS if one.name == name) for name in SMOKE]
    data_7 = next(one for one in ATTEMPTS if one.name == "data=7")
    bad = [
        Attempt("judge", "a traceback", _broken, refused(".")),
        Attempt("judge", "a file beside it", _litters, gives()),
        Attempt("judge", "somebody's file", _changes, gives()),
        Attempt("judge", "a wrong value", lambda _: lambda: "7 is not 8", gives()),
        Attempt("judge", "another sentence", data_7.make, refused("fish")),
        Attempt("judge", "success where refusal was expected", lambda _: lambda: None, refused(".")),
    ]
    failed, skipped = judge.survive([*chosen, *bad], at_once=2, seconds=100)
    found = {one.name: why for one, why in failed.items()}
    print(json.dumps([found, {one.name: why for one, why in skipped.items()}]))


@pytest.mark.slow
@pytest.mark.processes
def test_a_dozen_attempts_survive_and_what_does_not_is_noticed():
    root = Path(__file__).resolve().parents[2]
    code = "from tests.security import test_hostile; test_hostile._try_all()"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    said, skipped = json.loads(done.stdout.splitlines()[-1])
    assert not skipped
    assert said.pop("a traceback") == "a traceback, ValueError: deep inside"
    assert said.pop("a file beside it").startswith("changed around it: letter.txt")
    assert said.pop("somebody's file").startswith("changed around it: theirs/letter.txt")
    assert said.pop("a wrong value") == "WRONG: 7 is not 8"
    assert said.pop("another sentence").startswith("another sentence than /fish/")
    assert said.pop("success where refusal was expected").startswith("left with 0")
    assert said == {}
