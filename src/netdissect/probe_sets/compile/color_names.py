"""Name the color of every pixel: one of the eleven basic color names (van de Weijer et al. 2009).

The published table gives the most probable name for every RGB // 8. It can be read from a file. The built-in table is
computed by a small model of integers that was fitted to it, and is the same on every machine
(benchmarks/fit_color_names.py fits the model and prints how often it agrees).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io.arrays import parse_npy
from netdissect.io.reading import read_bytes
from netdissect.probe_sets.compile import matlab
from netdissect.probe_sets.source import hash_parts

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: The eleven names; a name's label is its position plus 1.
COLOR_NAMES = ("black", "blue", "brown", "grey", "green", "orange", "pink", "purple", "red", "white", "yellow")

#: The share of the published table's 32,768 cells on which the built-in model agrees with it.
AGREEMENT = 0.9954

#: Bytes of the largest table as .npy: numbers of 64 bits, and the header.
_MAX_TABLE_BYTES = 32**3 * 8 + (1 << 14)


@dataclass(frozen=True, eq=False)
class ColorNames:
    """A table of color names.

    Attributes:
        table: color label of every RGB // 8, uint8, shape (32, 32, 32), 1..11.
        about: its origin, for README.txt.
    """

    table: NDArray[np.uint8]
    about: str

    def label_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the color label of every pixel, uint8, shape (h, w), 1..11.

        Args:
            pixels: RGB, uint8, shape (h, w, 3).
        """
        return self.table.reshape(-1).take(_quantize(pixels))

    def count_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return how many pixels have each color label, int64, shape (12,); no pixel has label 0.

        Counting cells of the table and naming them afterwards is much faster than naming pixels.
        """
        cells = np.bincount(_quantize(pixels).ravel(), minlength=self.table.size)
        counted = np.zeros(len(COLOR_NAMES) + 1, np.int64)
        np.add.at(counted, self.table.ravel(), cells)
        return counted

    def fingerprint(self) -> str:
        """Return a hash of the table."""
        return hash_parts("colors", self.table.tobytes())


def _quantize(pixels: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Return the table cell of every pixel: RGB // 8 as one number, red in the highest bits."""
    cells = (pixels[..., 0] >> 3).astype(np.uint16)
    for channel in (1, 2):
        cells <<= 5
        cells |= pixels[..., channel] >> 3
    return cells


def get_color_name(label: int) -> str:
    """Return the name of a color label as Broden spells it.

    >>> get_color_name(1), get_color_name(11)
    ('black-c', 'yellow-c')
    """
    return f"{COLOR_NAMES[label - 1]}-c"


@cache
def load_built_in_colors() -> ColorNames:
    """Return the table that the built-in model computes."""
    model = json.loads(resources.files("netdissect.probe_sets.compile").joinpath("color_names.json").read_text("utf-8"))
    about = (
        f"eleven color names by the built-in model, which agrees with the published table (van de Weijer et al. 2009) "
        f"in {100 * AGREEMENT:.1f} % of its cells"
    )
    return ColorNames((evaluate_color_model(model).argmax(axis=1) + 1).astype(np.uint8).reshape(32, 32, 32), about)


def evaluate_color_model(model: dict[str, Any]) -> NDArray[np.int64]:
    """Return the scores of the eleven names for all 32,768 cells, int64, shape (32768, 11).

    Args:
        model: ``layers``, each with integer ``weights`` (outputs x inputs) and ``biases``; a hidden layer also has
            ``shift``: its outputs are shifted right by so many bits, then negative ones become 0.
    """
    axis = 2 * np.arange(32, dtype=np.int64) - 31
    values = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    for layer in model["layers"]:
        values = values @ np.array(layer["weights"], np.int64).T + np.array(layer["biases"], np.int64)
        if "shift" in layer:
            values = np.maximum(values >> layer["shift"], 0)
    return values


def read_color_table(path: Path) -> ColorNames:
    """Read the published table: ``w2color.npy`` (32 x 32 x 32, 0..10) or ``w2c.mat`` (32768 x 11 probabilities).

    Raises:
        DataNotFoundError: if the file is missing.
        DataFileError: if it is neither.
    """
    if path.suffix == ".mat":
        chances = np.asarray(matlab.read_mat_variable(path, "w2c"))
        if chances.shape == (32768, 14):  # some releases have R, G and B in the first columns
            chances = chances[:, 3:]
        if chances.shape != (32768, 11) or chances.dtype.kind not in "uif" or not np.isfinite(chances).all():
            raise DataFileError(
                f"{path}: expected 32768 x 11 probabilities as w2c, got {chances.dtype} {chances.shape}, or not finite"
            )
        # In the rows of w2c, red varies fastest.
        names = chances.argmax(axis=1).reshape(32, 32, 32).swapaxes(0, 2)
    else:
        names = _read_color_npy(path)
    if names.shape != (32, 32, 32) or names.dtype.kind not in "ui" or not 0 <= names.min() <= names.max() <= 10:
        raise DataFileError(
            f"{path}: expected a table of 32 x 32 x 32 whole numbers from 0 to 10, got {names.dtype} {names.shape}"
        )
    return ColorNames((names + 1).astype(np.uint8), f"eleven color names by the table {path.name}")


def _read_color_npy(path: Path) -> NDArray[Any]:
    """Read an array of 32 x 32 x 32 whole numbers."""
    try:
        data = read_bytes(path, most=_MAX_TABLE_BYTES)
    except FileNotFoundError as error:
        raise DataNotFoundError(f"there is no color table {path}") from error
    except OSError as error:
        raise DataFileError(f"{path} cannot be read as a color table: {error.strerror}") from error
    try:
        found = parse_npy(data)
    except ValueError as error:
        raise DataFileError(f"{path}: expected a .npy table of 32 x 32 x 32 color names ({error})") from error
    if found.shape != (32, 32, 32) or found.dtype.kind not in "ui":
        raise DataFileError(
            f"{path}: expected a table of 32 x 32 x 32 whole numbers from 0 to 10, got {found.dtype} {found.shape} in "
            f"{len(data):,} bytes"
        )
    return found
