"""Who reads and who writes which blob, when layers may write over what they read.

A layer works in place if a bottom and a top of it have one name. Every writing makes a new *version* of the blob, a
number here; a reader gets the version written last before it, and a probe gets the last of all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class BlobStep:
    """One layer at work.

    Attributes:
        module: its key among the network's modules.
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
        blobs: for every version the name of its blob.
        steps: the layers in order.
        last: blob → its last version.
        made_by: blob → type of the layer that wrote it first.
    """

    blobs: list[str] = field(default_factory=list)
    steps: list[BlobStep] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=dict)
    made_by: dict[str, str] = field(default_factory=dict)
    inputs: dict[int, str] = field(default_factory=dict)
    writer: dict[int, int] = field(default_factory=dict)

    def add_input(self, blob: str) -> int:
        """Add a blob that comes from outside."""
        version = self._write(blob, "Input")
        self.inputs[version] = blob
        return version

    def add_step(self, module: str, kind: str, bottoms: Iterable[str], tops: Iterable[str]) -> BlobStep:
        """Add a layer after all others; bottoms that nobody wrote are left out."""
        read = tuple(self.last[blob] for blob in bottoms if blob in self.last)
        step = BlobStep(module, kind, read, tuple(self._write(blob, kind) for blob in tops))
        for version in step.tops:
            self.writer[version] = len(self.steps)
        self.steps.append(step)
        return step

    def ends(self, *, but: frozenset[str]) -> list[str]:
        """Return the blobs whose last version nobody reads, those of layers in `but` left out on both sides."""
        read = {version for step in self.steps if step.module not in but for version in step.bottoms}
        written = {version for step in self.steps if step.module not in but for version in step.tops}
        return [blob for blob, version in self.last.items() if version in written and version not in read]

    def needed(self, versions: Iterable[int]) -> list[BlobStep]:
        """Return the steps on which these versions depend, in order."""
        waiting, seen = list(versions), set()
        while waiting:
            number = self.writer.get(waiting.pop())
            if number is not None and number not in seen:
                seen.add(number)
                waiting.extend(self.steps[number].bottoms)
        return [self.steps[number] for number in sorted(seen)]

    def inputs_of(self, versions: Iterable[int]) -> list[int]:
        """Return the inputs on which these versions depend, in order."""
        versions = list(versions)
        read = {version for step in self.needed(versions) for version in step.bottoms}
        return [version for version in self.inputs if version in read or version in versions]

    def plan(self, wanted: Sequence[int] | None) -> list[tuple[BlobStep, tuple[int, ...]]]:
        """Return the steps on which the wanted versions depend, each with the versions to forget after it.

        None wants nothing, but all steps.
        """
        steps = self.steps if wanted is None else self.needed(wanted)
        last_use = {version: number for number, step in enumerate(steps) for version in (*step.tops, *step.bottoms)}
        kept = set(wanted or ())
        done: list[list[int]] = [[] for _ in steps]
        for version, number in last_use.items():
            if version not in kept:
                done[number].append(version)
        return [(step, tuple(versions)) for step, versions in zip(steps, done, strict=True)]

    def _write(self, blob: str, kind: str) -> int:
        self.blobs.append(blob)
        self.last[blob] = len(self.blobs) - 1
        self.made_by.setdefault(blob, kind)
        return self.last[blob]
