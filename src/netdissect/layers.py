"""Describe a probed layer: its name, units, grid and field map, and the names of its files."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from netdissect.errors import SettingsError
from netdissect.io.names import MAX_NAME_BYTES, find_name_problem
from netdissect.io.text import escape_line

if TYPE_CHECKING:
    from collections.abc import Sequence


#: All files of a run except those of its layers.
_RUN_FILES = (
    "run.json", "files.txt", "report.html", "model-card.md", "model-card.png", "rotation.svg", "rotation.png", "rotation.csv",
    "html/index.html", "html/app", "html/data", "html/image", "html/image/probe", "html/image/layer-graph.svg",
    "html/image/layer-graph.png", "html/image/layer-graph.csv", "html/image/layer-graph.pdf", "rotation.pdf",
    *(f"figures/{name}.svg" for name in ("layers", "detectors", "scores", "emergence")),
)  # fmt: skip
#: All files of a layer, by its stem.
_LAYER_FILES = (
    "{}-result.csv", "{}.parquet", "{}.npz", "{}-image-maxima.parquet", "{}-trust.csv", "{}-trust.parquet", "{}-trust.npz",
    "html/{}.html", "html/image/{}-bargraph.svg", "html/image/{}-bargraph.png", "html/image/{}-bargraph.csv",
    "html/image/{}-bargraph.pdf", "figures/{}-concepts.svg", "figures/{}-ablation.svg",
)  # fmt: skip


class FieldMap(NamedTuple):
    """The receptive fields of a layer's cells, in input pixels, each as (y, x).

    Along an axis, cell i sees the pixels ``offset + i·step … offset + i·step + size - 1`` (docs/method.md, § 2; paper, § 3.2).
    """

    offset: tuple[float, float]
    size: tuple[float, float]
    step: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer to dissect.

    Attributes:
        name: its name in the network.
        units: number of units U.
        grid: cells per image, (h, w).
        field: the receptive fields of its cells.
        geometry: ``"receptive-field"`` if `field` was traced through the network; ``"grid"`` if `field` says only where the
            cells are, as after attention, or divides the input evenly between them (docs/method.md, § 2).
        kind: its type, such as ``"Conv2d"``.
        note: what a reader of the result should know, such as "class token left out"; may be empty.
        shape: shape of its output for one image, such as (197, 768) for tokens.
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
        """The name as it appears in the names of the layer's files: ``/`` becomes ``-``.

        >>> Layer("fire9/concat", 1, (1, 1), FieldMap((0, 0), (1, 1), (1, 1)), "grid").file_stem
        'fire9-concat'
        """
        return make_file_stem(self.name)


def make_file_stem(layer: str) -> str:
    """Return a layer's name as it is used in the names of its files, on every system.

    Characters that are not allowed in file names become ``-``, and so does a dot at the beginning. A name that a system
    reserves for a device gets an extra ``-``; one that is too long is cut and gets a hash.

    >>> make_file_stem("fire9/concat"), make_file_stem("aux"), len(make_file_stem("a" * 300))
    ('fire9-concat', 'aux-', 200)
    """
    stem = "".join(
        "-" if char in '/\\:*?"<>|' or unicodedata.category(char) in ("Cc", "Cs") else char for char in layer
    )
    stem = f"-{stem[1:]}" if stem.startswith(".") else stem
    if not stem.strip("-. "):
        stem = stem.replace(".", "-").replace(" ", "-")
    head, dot, rest = stem.partition(".")
    if len(head) <= MAX_NAME_BYTES and head and find_name_problem(head.strip()) is not None:
        stem = f"{head}-{dot}{rest}"
    if stem.endswith((".", " ")):
        stem = f"{stem}-"
    if len(stem.encode()) > MAX_NAME_BYTES:
        digest = hashlib.blake2b(stem.encode(), digest_size=4).hexdigest()
        stem = f"{stem.encode()[: MAX_NAME_BYTES - 9].decode(errors='ignore')}-{digest}"
    return stem


def check_file_stems(layers: Sequence[str]) -> None:
    """Check that all files of a run have valid and different names, on every system.

    Raises:
        SettingsError: if two layers would be written to the same file, such as ``a/b`` and ``a-b``, or a layer to a file
            that the run itself writes.
    """
    first = {_fold_name(name): "" for name in _RUN_FILES}
    for layer in dict.fromkeys(layers):
        stem = make_file_stem(layer)
        problem = find_name_problem(stem)
        if problem is not None:
            raise SettingsError(
                f"the layer {escape_line(layer)!r} cannot be used in file names: {problem}; give it another name"
            )
        for name in (form.format(stem) for form in _LAYER_FILES):
            other = first.setdefault(_fold_name(name), layer)
            if not other and other != layer:
                raise SettingsError(
                    f"the layer {layer} would be written as {name}, which is a file of the report: give the layer "
                    f"another name"
                )
            if other != layer:
                raise SettingsError(
                    f"the layers {other} and {layer} would both be written as {name}: dissect them one by one, each into a "
                    f"folder of its own"
                )


def _fold_name(name: str) -> str:
    """Return the form of a file name that is equal for names which some file system treats as the same.

    Such file systems ignore case and Unicode normalization.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
