"""The table of attempts (kind, name, function that prepares one, expected result), and what preparing one needs."""

from __future__ import annotations

import csv
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

#: What an attempt carries out: words of the command line, a function to call in Python, or a `FreshProcess`.
Action = Any
#: From the attempt's folder and what was printed, what is wrong; None if nothing is.
Check = Callable[["AttemptFolder", str], str | None]


@dataclass(frozen=True)
class FreshProcess:
    """A newly started interpreter, for attempts that are decided before Python runs: users, mounts, limits, streams.

    Attributes:
        words: arguments of netdissect.
        around: command that starts the interpreter: setpriv, unshare, sh.
        python: options of the interpreter.
        env: variables to set, or (None) to remove.
        working_folder: the current folder. Default: the attempt's empty one.
    """

    words: Sequence[object]
    around: Sequence[str] = ()
    python: Sequence[str] = ()
    env: Mapping[str, str | None] = field(default_factory=dict)
    working_folder: Path | None = None

    def make_command(self) -> list[str]:
        """Return the whole command."""
        return [*self.around, sys.executable, *self.python, "-m", "netdissect", *map(str, self.words)]


@dataclass(frozen=True)
class Expected:
    """What counts as survived.

    Attributes:
        sentence: pattern of the error, if it may be refused.
        check: looks at the result, if it may succeed.
    """

    sentence: str | None = None
    check: Check | None = None


@dataclass(frozen=True)
class Attempt:
    """One line of the table."""

    kind: str
    name: str
    make: Callable[[AttemptFolder], Action]
    expected: Expected


#: All of them, in the order of the files.
ATTEMPTS: list[Attempt] = []


def expect_error(sentence: str) -> Expected:
    """Expect exit code 2 and one sentence that matches a pattern."""
    return Expected(sentence=sentence)


def expect_success(check: Check = lambda *_: None) -> Expected:
    """Expect exit code 0 and a result that passes a check."""
    return Expected(check=check)


def expect_either(sentence: str, check: Check = lambda *_: None) -> Expected:
    """Expect a right result or a sentence: which one depends on the machine."""
    return Expected(sentence, check)


def add_attempt(
    kind: str, name: str, expected: Expected
) -> Callable[[Callable[[AttemptFolder], Action]], Callable[[AttemptFolder], Action]]:
    """Return a decorator that adds an attempt to the table; the decorated function prepares it."""

    def add(make: Callable[[AttemptFolder], Action]) -> Callable[[AttemptFolder], Action]:
        if any((known.kind, known.name) == (kind, name) for known in ATTEMPTS):
            raise ValueError(f"{kind}: {name} is in the table twice")
        ATTEMPTS.append(Attempt(kind, name, make, expected))
        return make

    return add


def check_printed(pattern: str) -> Check:
    """Return a check that looks for a pattern in what was printed."""

    def check(_: AttemptFolder, printed: str) -> str | None:
        return None if re.search(pattern, " ".join(printed.split())) else f"{pattern!r} was not printed"

    return check


def check_concepts(**coverages: float) -> Check:
    """Return a check for exactly these concepts (colors aside) with these coverages; _ in a name is a space."""

    def check(folder: AttemptFolder, _: str) -> str | None:
        rows = [row for row in read_rows(folder.out) if not row["category"].startswith("color")]
        found = {row["name"]: float(row["coverage"]) for row in rows}
        right = {name.replace("_", " "): share for name, share in coverages.items()}
        close = found.keys() == right.keys() and all(abs(found[name] - right[name]) < 0.012 for name in right)
        return None if close else f"concepts are {found}, expected {right}"

    return check


def read_rows(folder: Path, name: str = "label.csv") -> list[dict[str, Any]]:
    """Return the rows of a CSV table."""
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class SkipAttempt(Exception):  # noqa: N818 - no error
    """Raised with the reason where an attempt cannot be made on this machine."""


@dataclass
class AttemptFolder:
    """The folder of one attempt: its input files, and `out` for its results.

    Attributes:
        path: the folder. `here` in it is empty, and is the current folder of commands.
        base: folder with a probe set, a network and a finished run to copy.
    """

    path: Path
    base: Path

    def __post_init__(self) -> None:
        for name in ("here", "tmp", "home"):
            (self.path / name).mkdir(parents=True)

    @property
    def out(self) -> Path:
        """Folder for results, which does not exist yet."""
        return self.path / "out"

    @property
    def probe_set(self) -> Path:
        """A copy of a probe set of 6 images of 32 x 32 pixels."""
        return self._copy("set")

    @property
    def network(self) -> Path:
        """The stem of a copy of a Caffe network with the layers conv1 and conv2."""
        return self._copy("net") / "small"

    @property
    def finished_run(self) -> Path:
        """A copy of a finished run with its report."""
        return self._copy("run")

    def _copy(self, name: str) -> Path:
        target = self.path / name
        if not target.exists():
            shutil.copytree(self.base / name, target)
        return target

    def make_run_command(
        self, *more: object, model: object = None, data: object = None, layers: object = "conv1"
    ) -> list[object]:
        """Return the arguments of a dissection."""
        words = ["run", self.network if model is None else model, "--layers", layers, "--data"]
        return [*words, self.probe_set if data is None else data, "--out", self.out, "--no-pictures", *more]

    def write(self, name: str, data: bytes | str) -> Path:
        """Write a file."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def edit_table(self, name: str, old: str, new: str) -> list[object]:
        """Replace text in a table of the probe set; return the arguments of a dissection."""
        path = self.probe_set / name
        text = path.read_text(encoding="utf-8")
        if old not in text:
            raise ValueError(f"{old!r} is not in {path}")
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return self.make_run_command()

    def write_foreign_files(self) -> Path:
        """Write a folder of files of another owner, with names that a run could take for its own; return its path."""
        for name in ("run.json", "html/index.html", "html/data/mine.js", ".thesis.part", "deep/.draft.part",
                     ".work/notes", "conv1-result.csv", "conv1.parquet", "letter.txt"):  # fmt: skip
            self.write(f"theirs/{name}", f"mine: {name}")
        return self.path / "theirs"

    def hash_files(self) -> dict[str, str]:
        """Return the kind and hash of everything in the folder that an attempt may not change, by name."""
        skipped = {self.path / name for name in ("out", "home", "tmp")}
        found = {}
        for top, folders, files in os.walk(self.path):
            folders[:] = [name for name in folders if Path(top, name) not in skipped]
            for name in (*folders, *files):
                path = Path(top, name)
                found[os.fsdecode(os.path.relpath(path, self.path))] = _hash_file(path)
        left = (path.name for path in (self.path / "tmp").iterdir())
        found["tmp"] = " ".join(sorted(name for name in left if not name.startswith("torchinductor_")))  # torch's cache
        return found


def _hash_file(path: Path) -> str:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return f"link to {os.readlink(path)}"  # noqa: PTH115 - the text of the link
    if not stat.S_ISREG(mode):
        return f"{stat.S_IFMT(mode):o}"
    return hashlib.sha256(path.read_bytes()).hexdigest()
