"""A probed layer in words and numbers: what it is called, how many units it has, what its cells look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from netdissect.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence


class FieldMap(NamedTuple):
    """Where the cells of a layer look, in input pixels, each as (y, x).

    Cell i of an axis sees the pixels ``offset + i·step … offset + i·step + size - 1`` (METHOD, § 2; paper, § 3.2).
    """

    offset: tuple[float, float]
    size: tuple[float, float]
    step: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as it is probed.

    Attributes:
        name: as the network calls it.
        units: number of units U.
        grid: cells per image, (h, w).
        field: where the cells look.
        geometry: ``"receptive-field"`` when `field` was traced through the network; ``"grid"`` when it only says where
            the cells lie, as behind attention, or divides the input evenly (METHOD, § 2).
        kind: type of the layer, such as ``"Conv2d"``.
        note: what a reader should know, such as "class token left out"; may be empty.
        shape: of the output for one picture, as the network gives it, such as (197, 768) for tokens.
    """

    name: str
    units: int
    grid: tuple[int, int]
    field: FieldMap
    geometry: str
    kind: str = ""
    note: str = ""
    shape: tuple[int, ...] = ()

    @property
    def file_stem(self) -> str:
        """The name as it stands in file names: ``/`` becomes ``-``.

        >>> Layer("fire9/concat", 1, (1, 1), FieldMap((0, 0), (1, 1), (1, 1)), "grid").file_stem
        'fire9-concat'
        """
        return file_stem(self.name)


def file_stem(layer: str) -> str:
    """Return a layer's name as it stands in file names: nothing that a file system could take for a path."""
    stem = "".join("-" if char in '/\\:*?"<>|' or ord(char) < 32 else char for char in layer)
    return stem if stem.strip(".") else stem.replace(".", "-")


def check_stems(layers: Sequence[str]) -> None:
    """Make sure that no two layers of a run would be written to the same files, on any file system.

    Raises:
        SettingsError: naming two that would, such as ``a/b`` and ``a-b``.
    """
    first: dict[str, str] = {}
    for layer in layers:
        stem = file_stem(layer)
        other = first.setdefault(stem.casefold(), layer)
        if other != layer:
            raise SettingsError(
                f"the layers {other} and {layer} would both be written as {stem}-result.csv: dissect them one by one, "
                f"each into a folder of its own"
            )
