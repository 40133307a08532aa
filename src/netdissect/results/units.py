"""Units as rows of a table that sorts, selects and converts to pandas and Arrow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from netdissect.concepts import display_name
from netdissect.errors import SettingsError, UnknownColumnError, suggest_nearest
from netdissect.results.formulas import FormulaFigures
from netdissect.results.table import Column, Kind, Table, collect_columns
from netdissect.results.trust import UnitTrust
from netdissect.wording import count_noun

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

#: Title of the paper's score.
IOU_TITLE = "IoU"
#: Columns of every unit, of its trust where that was measured, of its formula where one was searched, and of every category; each
#: with what it holds, and whether values may be missing.
UNIT_KINDS: dict[str, tuple[Kind, bool]] = {
    "layer": ("text", False), "unit": ("integer", False), "channel": ("integer", False), "category": ("text", False),
    "label": ("text", False), "score": ("number", False), "iou": ("number", False), "is_detector": ("flag", False), "threshold": ("number", False),
}  # fmt: skip
TRUST_KINDS: dict[str, tuple[Kind, bool]] = {
    name: ("texts", False) if name == "labels" else ("number", True) for name in UnitTrust().as_dict()
}
FORMULA_KINDS: dict[str, tuple[Kind, bool]] = dict.fromkeys(FormulaFigures().as_dict(), ("number", True)) | {
    "formula": ("text", True), "length": ("integer", True), "proved": ("flag", True), "beyond_chance": ("flag", True)
}  # fmt: skip
CATEGORY_KINDS: dict[str, tuple[Kind, bool]] = {
    "label": ("text", False), "truth": ("integer", False), "activation": ("integer", False), "intersect": ("integer", False),
    "iou": ("number", False), "score": ("number", False),
}  # fmt: skip
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class CategoryBest:
    """A unit's best concept within one category, with its counts.

    Attributes:
        category: the category.
        label: the concept; empty when none has a score above 0.
        truth: G, labeled pixels of the concept.
        activation: A, pixels of the unit's mask on images that have the category.
        intersect: I, pixels of the mask that are labeled with the concept.
        iou: I / (A + G − I).
        score: the score by which the concept was chosen: `iou` where the run's score is IoU.
    """

    category: str
    label: str
    truth: int
    activation: int
    intersect: int
    iou: float
    score: float = math.nan

    def __post_init__(self) -> None:
        if math.isnan(self.score):
            object.__setattr__(self, "score", self.iou)


@dataclass(frozen=True, slots=True, repr=False)
class UnitRow:
    """One unit of a layer and its label.

    Attributes:
        unit: its number, counted from 1 as in the result CSV and the reports; `channel` is its position in arrays.
        category: category of its label; empty for a unit without a label.
        label: the concept with the best score, as in ``label.csv``; empty if no concept has a score above 0.
        score: score of the label: its IoU, or the run's own score.
        threshold: T, the activation from which the unit's mask is made; NaN if read from a CSV table.
        profile: the best concept of every category, in the order of ``category.csv``.
        trust: how far the label can be trusted; None if the run has no trust tables.
        formula: the unit's best formula; None if none were searched in its layer.
        layer: name of its layer; empty if read from a CSV table.
        score_title: what `score` is called, such as ``"IoU"``.
        detection_threshold: score from which it counts as a detector.
    """

    unit: int
    category: str
    label: str
    score: float
    threshold: float
    profile: tuple[CategoryBest, ...]
    trust: UnitTrust | None = None
    formula: FormulaFigures | None = None
    layer: str = ""
    score_title: str = IOU_TITLE
    detection_threshold: float = 0.04

    @property
    def channel(self) -> int:
        """The unit's position in the layer, counted from 0: its row in every array of the result, its channel in torch."""
        return self.unit - 1

    @property
    def iou(self) -> float:
        """IoU of the label: the score, where the run's score is IoU; 0 for a unit without a label."""
        if self.score_title == IOU_TITLE:
            return self.score
        return next((best.iou for best in self.profile if best.category == self.category and self.label), 0.0)

    @property
    def is_detector(self) -> bool:
        """Whether the score of the label reaches the detection threshold, as `LayerResult.detectors` counts by label."""
        return bool(self.label) and self.score >= self.detection_threshold

    def __getitem__(self, field: str) -> Any:
        """Return a field by the name of its column, such as ``row["object-iou"]``.

        Raises:
            UnknownColumnError: if the unit has no such field.
        """
        fields = self.as_dict()
        if field not in fields:
            raise UnknownColumnError(f"a unit has no field {field!r}: {suggest_nearest(str(field), fields)}")
        return fields[field]

    def as_dict(self) -> dict[str, Any]:
        """Return the row under the names of the columns of `UnitTable`."""
        return self._list_fields(has_trust=self.trust is not None, has_formula=self.formula is not None)

    def _list_fields(self, *, has_trust: bool, has_formula: bool) -> dict[str, Any]:
        row: dict[str, Any] = {name: getattr(self, name) for name in UNIT_KINDS}
        row |= (self.trust or UnitTrust()).as_dict() if has_trust else {}
        row |= (self.formula or FormulaFigures()).as_dict() if has_formula else {}
        names = list(CATEGORY_KINDS)[: None if self.score_title != IOU_TITLE else -1]
        for best in self.profile:
            row |= {f"{best.category}-{name}": getattr(best, name) for name in names}
        return row

    def __repr__(self) -> str:
        of_layer = f" of {self.layer}" if self.layer else ""
        q = "" if self.trust is None or self.trust.q is None else f", q {self.trust.q:.4f}"
        word = "detector" if self.is_detector else "no detector"
        return (
            f"unit {self.unit} (channel {self.channel}){of_layer}: {display_name(self.label) or 'no concept'}"
            f"{f' ({self.category})' if self.category else ''}, {self.score_title} {self.score:.4f}{q}, {word}; "
            ".as_dict() has every field"
        )


class UnitTable(Table, Sequence[UnitRow]):
    """The units of a layer, best score first; equal scores by unit number.

    Read it row by row, or by column: ``units["label"]`` is a numpy array, ``units[units["score"] > 0.1]`` a table of some
    units, and ``units.to_pandas()`` a data frame. docs/api.md has a table of the columns.

    Attributes:
        score_title: what the score is called, such as ``"IoU"``.
    """

    def __init__(self, rows: Sequence[UnitRow], score_title: str = IOU_TITLE) -> None:
        self.score_title = score_title
        self._rows = tuple(sorted(rows, key=lambda row: (-row.score, row.unit)))

    def _select(self, rows: Iterable[UnitRow]) -> UnitTable:
        """Return a table of some rows in the order given."""
        found = UnitTable((), self.score_title)
        found._rows = tuple(rows)
        return found

    @overload
    def __getitem__(self, index: int) -> UnitRow: ...
    @overload
    def __getitem__(self, index: str) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, index: slice | Sequence[bool] | Sequence[int] | NDArray[Any]) -> UnitTable: ...
    def __getitem__(self, index: Any) -> UnitRow | UnitTable | NDArray[Any]:
        """Return the row at a position, a column by name, or a table of the rows that a slice, a mask or positions choose.

        Positions count from 0 in the order of the table; `LayerResult.unit` takes the number of a unit.

        Raises:
            UnknownColumnError: if there is no such column.
            SettingsError: if a mask has another length than the table.
        """
        if isinstance(index, str):
            return self.get_column(index).to_numpy()
        if isinstance(index, slice):
            return self._select(self._rows[index])
        if hasattr(index, "__index__") and not isinstance(index, (bool, np.ndarray)):
            row: UnitRow = self._rows[index]
            return row
        return self._select(self._rows[at] for at in _find_positions(index, len(self)))

    def __len__(self) -> int:
        return len(self._rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnitTable) and self._rows == other._rows

    def __hash__(self) -> int:
        return hash(self._rows)

    def sort_values(self, by: str | Sequence[str], *, ascending: bool = True) -> UnitTable:
        """Return the units in another order, as pandas does: equal rows keep their order, missing values come last.

        Args:
            by: a column, or several, the most important first.
            ascending: whether small values come first.

        Raises:
            UnknownColumnError: if there is no such column.
        """
        order = list(range(len(self)))
        for name in reversed([by] if isinstance(by, str) else by):
            values = self.get_column(name).cells
            missing = [value is None or value != value for value in values]  # noqa: PLR0124  # NaN
            there = [at for at in order if not missing[at]]
            there.sort(key=values.__getitem__, reverse=not ascending)
            order = [*there, *(at for at in order if missing[at])]
        return self._select(self._rows[at] for at in order)

    def head(self, n: int = 5) -> UnitTable:
        """Return the first `n` units."""
        return self[:n]

    def tail(self, n: int = 5) -> UnitTable:
        """Return the last `n` units."""
        return self[max(len(self) - n, 0) :]

    def query(self, expression: str) -> UnitTable:
        """Return the units for which an expression of columns is true, such as ``"score > 0.1 and category == 'object'"``.

        Args:
            expression: as `pandas.DataFrame.query` takes it: names with a hyphen in backquotes, and the caller's variables after an ``@``.

        Raises:
            MissingExtraError: if pandas is not installed.
            SettingsError: if pandas cannot read the expression.
        """
        frame = self.to_pandas()
        try:
            chosen = frame.query(expression, level=1).index  # the caller's variables
        except Exception as error:  # pandas raises many kinds
            raise SettingsError(
                f"query({expression!r}) cannot be read ({type(error).__name__}: {error}): expected columns of the table and values, as "
                "\"score > 0.1 and category == 'object'\""
            ) from error
        return self._select(self._rows[at] for at in chosen.tolist())

    def __repr__(self) -> str:
        layers = list(dict.fromkeys(row.layer for row in self._rows if row.layer))
        of_layer = f" (layer {layers[0]})" if len(layers) == 1 else f" ({len(layers)} layers)" if layers else ""
        return "\n".join([
            f"UnitTable of {count_noun(len(self), 'unit')}{of_layer}, score is {self.score_title}",
            *_align_rows(self._rows[:_SHOWN], with_layer=len(layers) > 1),
            *([f"… {len(self) - _SHOWN:,} more"] if len(self) > _SHOWN else []),
            'all columns: .columns, ["label"], .to_pandas(); choose: .sort_values("unit"), .head(), units[units["score"] > 0.1]',
        ])  # fmt: skip

    def _repr_html_(self) -> str:
        from netdissect.results.unit_table_html import render_unit_table

        return render_unit_table(self, self.score_title)

    def _make_columns(self) -> Mapping[str, Column]:
        trust = any(row.trust is not None for row in self._rows)
        formula = any(row.formula is not None for row in self._rows)
        kinds = UNIT_KINDS | (TRUST_KINDS if trust else {}) | (FORMULA_KINDS if formula else {})
        names = list(CATEGORY_KINDS)[: None if self.score_title != IOU_TITLE else -1]
        for category in dict.fromkeys(best.category for row in self._rows[:1] for best in row.profile):
            kinds |= {f"{category}-{name}": CATEGORY_KINDS[name] for name in names}
        return collect_columns((row._list_fields(has_trust=trust, has_formula=formula) for row in self._rows), kinds)  # noqa: SLF001


def _find_positions(index: Any, length: int) -> NDArray[np.int64]:
    """Return the positions that a mask or a list of positions chooses; a missing value of a mask chooses nothing.

    Raises:
        SettingsError: if it is neither, or a mask has another length than the table.
    """
    chosen = np.asarray(index)
    if chosen.dtype == object and all(
        value is None or isinstance(value, (bool, np.bool_)) for value in chosen.tolist()
    ):
        chosen = np.array([bool(value) for value in chosen.tolist()], np.bool_)
    if chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "biu"):
        raise SettingsError(
            f"units[...] takes a position, a slice, a column such as 'label', or a mask such as units['score'] > 0.1, not {index!r:.60}; "
            "several columns at once are units.to_pandas()[[…]]"
        )
    if chosen.dtype.kind == "b":
        if len(chosen) != length:
            raise SettingsError(f"a mask of {len(chosen):,} values does not fit a table of {length:,} units")
        return np.flatnonzero(chosen)
    return chosen.astype(np.int64)


def _align_rows(rows: Sequence[UnitRow], *, with_layer: bool) -> list[str]:
    """Return the first columns of units as aligned lines, below their headings; none without units."""
    if not rows:
        return []
    tested = any(row.trust is not None and row.trust.q is not None for row in rows)
    cells = [("layer", "unit", "channel", "label", "category", "score", "q", "is_detector")]
    for row in rows:
        q = None if row.trust is None else row.trust.q
        cells.append((
            row.layer, str(row.unit), str(row.channel), row.label or "-", row.category, f"{row.score:.4f}",
            "" if q is None else f"{q:.4f}", str(row.is_detector),
        ))  # fmt: skip
    shown = [at for at in range(8) if (at != 0 or with_layer) and (at != 6 or tested)]
    widths = {at: max(len(row[at]) for row in cells) for at in shown}
    left = (0, 3, 4)
    return [
        "  ".join(row[at].ljust(widths[at]) if at in left else row[at].rjust(widths[at]) for at in shown)
        for row in cells
    ]
