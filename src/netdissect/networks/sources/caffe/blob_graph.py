"""The graph of layers and blobs, where layers may work in place.

A layer works in place if a bottom and a top have the same name. Every write creates a new *version* of the blob, a
number here. A layer reads the latest version before it; a probe reads the last version.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class BlobStep:
    """One layer of the graph.

    Attributes:
        module: key of its module.
        kind: its type.
        bottoms: the versions it reads.
        tops: the versions it writes.
    """

    module: str
    kind: str
    bottoms: tuple[int, ...]
    tops: tuple[int, ...]


@dataclass(slots=True)
class BlobGraph:
    """The layers in order, over versions of blobs.

    Attributes:
        blobs: name of the blob of every version.
        steps: the layers in order.
        last: blob → its last version.
        first_writers: blob → type of the layer that wrote it first.
        inputs: version → blob, for the network's inputs.
        writer: version → index of the step that writes it.
    """

    blobs: list[str] = field(default_factory=list)
    steps: list[BlobStep] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=dict)
    first_writers: dict[str, str] = field(default_factory=dict)
    inputs: dict[int, str] = field(default_factory=dict)
    writer: dict[int, int] = field(default_factory=dict)

    def add_input(self, blob: str) -> int:
        """Add an input of the network."""
        version = self._write(blob, "Input")
        self.inputs[version] = blob
        return version

    def add_step(self, module: str, kind: str, bottoms: Iterable[str], tops: Iterable[str]) -> BlobStep:
        """Add a layer after all others; bottoms that no layer writes are left out."""
        read = tuple(self.last[blob] for blob in bottoms if blob in self.last)
        step = BlobStep(module, kind, read, tuple(self._write(blob, kind) for blob in tops))
        for version in step.tops:
            self.writer[version] = len(self.steps)
        self.steps.append(step)
        return step

    def find_ends(self, *, but: frozenset[str]) -> list[str]:
        """Return the blobs whose last version no layer reads; layers in `but` count neither as readers nor as writers."""
        read = {version for step in self.steps if step.module not in but for version in step.bottoms}
        written = {version for step in self.steps if step.module not in but for version in step.tops}
        return [blob for blob, version in self.last.items() if version in written and version not in read]

    def find_steps(self, versions: Iterable[int]) -> list[BlobStep]:
        """Return the steps that these versions depend on, in order."""
        waiting, found = list(versions), set()
        while waiting:
            number = self.writer.get(waiting.pop())
            if number is not None and number not in found:
                found.add(number)
                waiting.extend(self.steps[number].bottoms)
        return [self.steps[number] for number in sorted(found)]

    def find_inputs(self, versions: Iterable[int]) -> list[int]:
        """Return the inputs that these versions depend on, in order."""
        versions = list(versions)
        read = {version for step in self.find_steps(versions) for version in step.bottoms}
        return [version for version in self.inputs if version in read or version in versions]

    def plan(self, versions: Sequence[int] | None) -> list[tuple[BlobStep, tuple[int, ...]]]:
        """Return the steps to run for some versions, each with the versions that are no longer read after it.

        Args:
            versions: the versions; None runs all steps and keeps no version.
        """
        steps = self.steps if versions is None else self.find_steps(versions)
        last_use = {version: number for number, step in enumerate(steps) for version in (*step.tops, *step.bottoms)}
        outputs = set(versions or ())
        done: list[list[int]] = [[] for _ in steps]
        for version, number in last_use.items():
            if version not in outputs:
                done[number].append(version)
        return [(step, tuple(unread)) for step, unread in zip(steps, done, strict=True)]

    def _write(self, blob: str, kind: str) -> int:
        self.blobs.append(blob)
        self.last[blob] = len(self.blobs) - 1
        self.first_writers.setdefault(blob, kind)
        return self.last[blob]
