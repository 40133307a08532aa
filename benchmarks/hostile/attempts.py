"""The table of attempts: what kind, what name, who makes it, what is expected."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: What a maker hands over: words of the command line, something to call in Python, or a process to start.
Tried = Any
#: Given the attempt's folder and what was printed, what is wrong; None if nothing is.
Check = Callable[["Place", str], str | None]


@dataclass(frozen=True)
class Cold:
    """A process of its own from the start: of what is decided before Python's first line.

    Attributes:
        words: what netdissect is given.
        around: what stands before the interpreter: setpriv, unshare, sh.
        python: options of the interpreter.
        env: variables that are set, or (None) removed.
        folder: the folder it starts in; the attempt's own empty one if not given.
    """

    words: Sequence[object]
    around: Sequence[str] = ()
    python: Sequence[str] = ()
    env: Mapping[str, str | None] = field(default_factory=dict)
    folder: Path | None = None


@dataclass(frozen=True)
class Expected:
    """What counts as survived.

    Attributes:
        sentence: a pattern of the one sentence, if it may be refused.
        check: looks at the result, if it may succeed.
    """

    sentence: str | None = None
    check: Check | None = None


@dataclass(frozen=True)
class Attempt:
    """One line of the table."""

    kind: str
    name: str
    make: Callable[[Place], Tried]
    expected: Expected


#: All of them, in the order they were written.
ATTEMPTS: list[Attempt] = []


def refused(sentence: str) -> Expected:
    """Expect code 2 and one sentence that this pattern is found in."""
    return Expected(sentence=sentence)


def gives(check: Check = lambda *_: None) -> Expected:
    """Expect code 0 and a right result."""
    return Expected(check=check)


def either(sentence: str, check: Check = lambda *_: None) -> Expected:
    """Expect the right result or the sentence: which one depends on the machine."""
    return Expected(sentence, check)


def attempt(kind: str, name: str, expected: Expected) -> Callable[[Callable[[Place], Tried]], Callable[[Place], Tried]]:
    """Add what the decorated function makes to the table."""

    def add(make: Callable[[Place], Tried]) -> Callable[[Place], Tried]:
        if any((known.kind, known.name) == (kind, name) for known in ATTEMPTS):
            raise ValueError(f"{kind}: {name} stands there twice")
        ATTEMPTS.append(Attempt(kind, name, make, expected))
        return make

    return add


def says(pattern: str) -> Check:
    """Look for a pattern in what was printed."""

    def check(_: Place, printed: str) -> str | None:
        return None if re.search(pattern, " ".join(printed.split())) else f"{pattern!r} was not said"

    return check


class Skipped(Exception):  # noqa: N818 - no error
    """Cannot be tried on this machine; the reason."""


@dataclass
class Place:
    """A folder of an attempt: what is brought lies in it, what is written goes to `out`.

    Attributes:
        folder: the folder; `here` in it is empty, and is where commands start.
        base: finished things to copy from: a set, a network, a run.
    """

    folder: Path
    base: Path

    def __post_init__(self) -> None:
        for name in ("here", "tmp", "home"):
            (self.folder / name).mkdir(parents=True)

    @property
    def out(self) -> Path:
        """Where results are written; not there yet."""
        return self.folder / "out"

    @property
    def set(self) -> Path:
        """A copy of a probe set of 6 images, 32 pixels a side."""
        return self._copy("set")

    @property
    def net(self) -> Path:
        """The stem of a copy of a Caffe network with the layers conv1 and conv2."""
        return self._copy("net") / "small"

    @property
    def ran(self) -> Path:
        """A copy of a finished run with its report."""
        return self._copy("run")

    def _copy(self, name: str) -> Path:
        target = self.folder / name
        if not target.exists():
            shutil.copytree(self.base / name, target)
        return target

    def run(self, *more: object, model: object = None, data: object = None, layers: object = "conv1") -> list[object]:
        """Return the words of a dissection."""
        words = ["run", self.net if model is None else model, "--layers", layers, "--data"]
        return [*words, self.set if data is None else data, "--out", self.out, "--no-pictures", *more]

    def write(self, name: str, data: bytes | str) -> Path:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def table(self, name: str, old: str, new: str) -> list[object]:
        """Replace text in a table of the set; return the words of a dissection."""
        path = self.set / name
        text = path.read_text(encoding="utf-8")
        if old not in text:
            raise ValueError(f"{old!r} is not in {path}")
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return self.run()

    def theirs(self, folder: Path | None = None) -> Path:
        """Return a folder full of somebody else's files, of names that a run might think its own."""
        folder = folder or self.folder / "theirs"
        for name in ("run.json", "html/index.html", "html/data/mine.js", ".thesis.part", "deep/.draft.part",
                     ".work/notes", "conv1-result.csv", "conv1.parquet", "letter.txt"):  # fmt: skip
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"mine: {name}", encoding="utf-8")
        return folder

    def digest(self) -> dict[str, str]:
        """Return what lies around: every name with its kind and a hash of what is in it."""
        aside = {self.folder / name for name in ("out", "home", "tmp")}
        found = {}
        for top, folders, files in os.walk(self.folder):
            folders[:] = [name for name in folders if Path(top, name) not in aside]
            for name in (*folders, *files):
                path = Path(top, name)
                found[os.fsdecode(os.path.relpath(path, self.folder))] = _hash(path)
        left = (path.name for path in (self.folder / "tmp").iterdir())
        found["tmp"] = " ".join(sorted(name for name in left if not name.startswith("torchinductor_")))  # torch's cache
        return found


def _hash(path: Path) -> str:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return f"link to {os.readlink(path)}"  # noqa: PTH115 - the text of the link
    if not stat.S_ISREG(mode):
        return f"{stat.S_IFMT(mode):o}"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def command(cold: Cold) -> list[str]:
    """Return the words that start a cold process."""
    return [*cold.around, sys.executable, *cold.python, "-m", "netdissect", *map(str, cold.words)]


def table_of(folder: Path, name: str = "label.csv") -> list[dict[str, Any]]:
    """Return the rows of a table."""
    import csv

    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def concepts(**wanted: float) -> Check:
    """Expect these concepts (and no others but colors) with these coverages, spaces written as _."""

    def check(place: Place, _: str) -> str | None:
        rows = [row for row in table_of(place.out) if not row["category"].startswith("color")]
        found = {row["name"]: float(row["coverage"]) for row in rows}
        right = {name.replace("_", " "): share for name, share in wanted.items()}
        close = found.keys() == right.keys() and all(abs(found[name] - right[name]) < 0.012 for name in right)
        return None if close else f"concepts are {found}, expected {right}"

    return check
