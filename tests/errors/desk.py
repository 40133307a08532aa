"""Where mistakes are made: fresh copies of a probe set, a network and a finished run, and the list of all mistakes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests import made_up_runs

import netdissect as nd
from netdissect.results import files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: What makes a mistake, by the words for it in docs/errors.md: it returns what is typed, or something to call.
MISTAKES: dict[str, Callable[[Desk], object]] = {}


def mistake(words: str):
    """Register a mistake under its words."""

    def register(make):
        assert words not in MISTAKES, words
        MISTAKES[words] = make
        return make

    return register


@dataclass
class Desk:
    """A folder to make a mistake in."""

    folder: Path
    pristine: Path
    patch: object  # pytest's monkeypatch

    def _copy(self, name: str) -> Path:
        target = self.folder / name
        if not target.exists():
            shutil.copytree(self.pristine / name, target)
        return target

    @property
    def data(self) -> Path:
        """A probe set of 6 images."""
        return self._copy("set")

    @property
    def net(self) -> Path:
        """The stem of a Caffe network with the layers conv1 and conv2."""
        return self._copy("net") / "small"

    @property
    def finished(self) -> Path:
        """A finished run with its report."""
        return self._copy("run")

    def add_trust(self) -> None:
        """Give the finished run trust tables, which few images do not give."""
        result = nd.load(self.finished)
        layers = {name: replace(layer, trust=made_up_runs.make_trust(layer)) for name, layer in result.layers.items()}
        files.save_run(replace(result, layers=layers), self.finished)

    def run(self, *more: object, model: object = None, data: object = None, layers: object = "conv1") -> list[object]:
        """Return what is typed to dissect."""
        given = model if model is not None else self.net
        words = ["run", given, "--layers", layers, "--data", self.data if data is None else data, "--out", self.out]
        return [*words, "--no-pictures", *more]

    @property
    def out(self) -> Path:
        """Where a run is to be written."""
        return self.folder / "out"

    def table(self, name: str, old: str, new: str, *, count: int = 1) -> list[object]:
        """Replace text in a table of the probe set; return what is typed."""
        path = self.data / name
        text = path.read_text()
        assert old in text, (name, old, text)
        path.write_text(text.replace(old, new, count))
        return self.run()

    def write(self, name: str, data: bytes) -> list[object]:
        """Write a file of the probe set; return what is typed."""
        (self.data / name).write_bytes(data)
        return self.run()


def cut(path: Path, share: float = 0.5) -> None:
    """Cut a file short."""
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])


def flip(path: Path, place: float = 0.5) -> None:
    """Flip a bit of a file."""
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x20
    path.write_bytes(bytes(data))
