"""How well a linear classifier tells classes apart by a layer's activations, beside what its units detect."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from netdissect.errors import RunFileError, RunNotFoundError
from netdissect.io import atomic, reading
from netdissect.io.json_files import parse_json
from netdissect.results.table import Column, Kind, Table, collect_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: The file of an answer in its run's folder; a table and figures have the same stem.
DISCRIMINATION_FILE = "discrimination.json"
_KIND = "netdissect discrimination"


#: Columns of an answer as a table, what each holds, and whether values may be missing.
DISCRIMINATION_KINDS: dict[str, tuple[Kind, bool]] = {
    "network": ("text", False), "layer": ("text", False), "units": ("integer", False), "accuracy": ("number", False),
    "accuracy_sd": ("number", False), "overall": ("number", False), "detectors": ("integer", False), "unique_detectors": ("integer", False),
    "unique_sd": ("number", True), "unique_objects": ("integer", False), "chance": ("number", False),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LayerDiscrimination:
    """One layer.

    Attributes:
        layer: its name.
        units: number of its units.
        accuracy: mean over classes of the share of images that are classified rightly when they are held out.
        accuracy_sd: its standard deviation over images.
        overall: share of all images that are classified rightly.
        detectors: number of units that detect a concept, by label.
        unique_detectors: number of different concepts that they detect.
        unique_sd: standard deviation of `unique_detectors` over resamples; None for a run without resamples.
        unique_objects: number of different objects among these concepts, as in the paper's figure.
    """

    layer: str
    units: int
    accuracy: float
    accuracy_sd: float
    overall: float
    detectors: int
    unique_detectors: int
    unique_sd: float | None
    unique_objects: int

    def describe(self) -> str:
        """Return the accuracy and the unique detectors in words."""
        spread = "" if self.unique_sd is None else f" ± {self.unique_sd:.1f}"
        return (
            f"{self.layer}: accuracy {100 * self.accuracy:.1f} ± {100 * self.accuracy_sd:.1f} %, "
            f"{self.unique_detectors}{spread} unique detectors"
        )


@dataclass(frozen=True)
class Discrimination(Table):
    """What `netdissect.discriminate` measures (paper, § 3.6).

    Attributes:
        network: the network's name.
        data: what the images are called.
        fingerprint: hash of the images, their labels and the classes.
        images: number of images.
        classes: number of classes.
        folds: number of parts of the images, each held out once.
        seed: seed of the division into folds.
        threshold: score from which a unit is a detector.
        layers: the layers, in the order of the run.
        notes: what a reader should know.
    """

    network: str
    data: str
    fingerprint: str
    images: int
    classes: int
    folds: int
    seed: int
    threshold: float
    layers: tuple[LayerDiscrimination, ...]
    notes: tuple[str, ...] = ()

    @property
    def chance(self) -> float:
        """The expected accuracy of any classifier that does not see the images: one over the number of classes."""
        return 1 / self.classes

    def describe(self) -> list[str]:
        """Return the answer in sentences."""
        head = (
            f"linear classifier on {self.images:,} images of {self.classes:,} classes of {self.data}, {self.folds} folds; "
            f"chance is {100 * self.chance:.1f} %"
        )
        return [head, *(f"  {layer.describe()}" for layer in self.layers)]

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row per layer."""
        return [{"network": self.network, **asdict(layer), "chance": self.chance} for layer in self.layers]

    def _make_columns(self) -> Mapping[str, Column]:
        return collect_columns(self.to_rows(), DISCRIMINATION_KINDS)

    def save(self, folder: Path, beside: Sequence[Discrimination] = ()) -> None:
        """Write ``discrimination.json``, and ``discrimination.csv`` with the layers of other networks below its own."""
        record = {"kind": _KIND, **asdict(self), "chance": self.chance}
        text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
        rows, out = [row for answer in (self, *beside) for row in answer.to_rows()], io.StringIO()
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        atomic.write_text((folder / DISCRIMINATION_FILE).with_suffix(".csv"), out.getvalue())
        atomic.write_text(folder / DISCRIMINATION_FILE, f"{text}\n")


def read_discrimination(folder: Path) -> Discrimination:
    """Read the answer that a run's folder holds.

    Raises:
        RunNotFoundError: if it holds none.
        RunFileError: if its file is damaged.
    """
    path = folder / DISCRIMINATION_FILE
    try:
        record = parse_json(reading.read_bytes(path, most=2**26))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RunNotFoundError(
            f"{folder} holds no {DISCRIMINATION_FILE}: run netdissect discriminate {folder}"
        ) from error
    except (OSError, ValueError) as error:
        raise RunFileError(f"{path} cannot be read ({error}): run netdissect discriminate again") from error
    try:
        if record.pop("kind") != _KIND:
            raise ValueError("it is of another kind")
        record.pop("chance")
        layers = tuple(
            LayerDiscrimination(**_check_types(LayerDiscrimination, layer)) for layer in record.pop("layers")
        )
        found = Discrimination(
            layers=layers, notes=tuple(map(str, record.pop("notes"))), **_check_types(Discrimination, record)
        )
        if found.classes < 1 or not layers:
            raise ValueError("it has no classes or layers")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunFileError(f"{path} is damaged ({error}): run netdissect discriminate again") from error
    return found


def _check_types(record: type, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a dataclass's fields; raise ValueError or TypeError if one has another type."""
    kinds = {item.name: str(item.type) for item in fields(record)}
    for name, value in values.items():
        kind = kinds[name]
        if kind == "str":
            right = isinstance(value, str)
        elif kind == "int":
            right = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        else:
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            right = (number and math.isfinite(value)) or (value is None and "None" in kind)
        if not right:
            raise ValueError(f"{name} is {value!r}")
    return values
