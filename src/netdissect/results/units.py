"""Units as rows of the result table, which converts to pandas and Arrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from netdissect.optional_libraries import import_optional

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from netdissect.results.formulas import FormulaFigures
    from netdissect.results.trust import UnitTrust


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
        other_score: the score by which the concept was chosen; None if that is IoU.
    """

    category: str
    label: str
    truth: int
    activation: int
    intersect: int
    iou: float
    other_score: float | None = None

    @property
    def score(self) -> float:
        """The score by which the concept was chosen."""
        return self.iou if self.other_score is None else self.other_score


@dataclass(frozen=True, slots=True)
class UnitRow:
    """One unit of a layer and its label.

    Attributes:
        unit: its number, counted from 1 as in the result CSV and the reports.
        category: category of its label; empty for a unit without a label.
        label: the concept with the best score, as in ``label.csv``; empty if no concept has a score above 0.
        score: score of the label: its IoU, or the run's own score.
        threshold: T, the activation from which the unit's mask is made; NaN if read from a CSV table.
        profile: the best concept of every category, in the order of ``category.csv``.
        trust: how far the label can be trusted; None if the run has no trust tables.
        formula: the unit's best formula; None if none were searched in its layer.
    """

    unit: int
    category: str
    label: str
    score: float
    threshold: float
    profile: tuple[CategoryBest, ...]
    trust: UnitTrust | None = None
    formula: FormulaFigures | None = None

    @property
    def channel(self) -> int:
        """The unit's position in the layer, counted from 0: its row in every array of the result."""
        return self.unit - 1

    def __getitem__(self, field: str) -> Any:
        """Return a field by its CSV name, such as ``row["object-iou"]``."""
        return self.as_dict()[field]

    def as_dict(self) -> dict[str, Any]:
        """Return the row under the CSV's column names, with `channel` and `threshold`, and its `UnitTrust` and `FormulaFigures` if it has them."""
        row: dict[str, Any] = {
            "unit": self.unit, "channel": self.channel, "category": self.category, "label": self.label,
            "score": self.score, "threshold": self.threshold,
        }  # fmt: skip
        for best in self.profile:
            row[f"{best.category}-label"] = best.label
            row[f"{best.category}-truth"] = best.truth
            row[f"{best.category}-activation"] = best.activation
            row[f"{best.category}-intersect"] = best.intersect
            row[f"{best.category}-iou"] = best.iou
            if best.other_score is not None:
                row[f"{best.category}-score"] = best.other_score
        for figures in (self.trust, self.formula):
            row |= {} if figures is None else figures.as_dict()
        return row


class UnitTable(Sequence[UnitRow]):
    """The units of a layer, best score first; equal scores by unit number.

    Attributes:
        score_title: what the score is called, such as ``"IoU"``.
    """

    def __init__(self, rows: Sequence[UnitRow], score_title: str = "IoU") -> None:
        self.score_title = score_title
        self._rows = tuple(sorted(rows, key=lambda row: (-row.score, row.unit)))

    @overload
    def __getitem__(self, index: int) -> UnitRow: ...
    @overload
    def __getitem__(self, index: slice) -> UnitTable: ...
    def __getitem__(self, index: int | slice) -> UnitRow | UnitTable:
        """Return the row at a position, or a table of several."""
        return UnitTable(self._rows[index], self.score_title) if isinstance(index, slice) else self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnitTable) and self._rows == other._rows

    def __hash__(self) -> int:
        return hash(self._rows)

    def __repr__(self) -> str:
        tested = any(row.trust is not None and row.trust.q is not None for row in self._rows)
        head = "\n".join(
            f"  {row.unit:5d}  {row.score:.4f}  {_format_q(row.trust) if tested else ''}{row.category:<9} {row.label or '-'}"
            for row in self._rows[:10]
        )
        more = f"\n  … {len(self) - 10} more" if len(self) > 10 else ""
        return f"{len(self)} units (unit, {self.score_title}, {'q, ' if tested else ''}category, label):\n{head}{more}"

    def _repr_html_(self) -> str:
        from netdissect.results.unit_table_html import render_unit_table

        return render_unit_table(self, self.score_title)

    def to_arrow(self) -> pa.Table:
        """Return the rows as a pyarrow Table, one column per CSV field, and one per figure of `UnitTrust` and `FormulaFigures`."""
        import pyarrow as pa

        rows = [row.as_dict() for row in self._rows]
        schema = pa.Table.from_pylist(rows).schema
        for position, field in enumerate(schema):  # columns without any value have no type
            empty = {pa.null(): pa.float64(), pa.list_(pa.null()): pa.list_(pa.string())}.get(field.type)
            schema = schema if empty is None else schema.set(position, field.with_type(empty))
        return pa.Table.from_pylist(rows, schema=schema)

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a pandas DataFrame, with NaN for figures of `UnitTrust` and `FormulaFigures` that are None.

        Raises:
            MissingExtraError: if pandas is not installed.
        """
        pandas = import_optional("pandas", extra="pandas", purpose="for data frames")
        frame: pd.DataFrame = pandas.DataFrame.from_records([row.as_dict() for row in self._rows])
        without_numbers = [name for name in frame if frame[name].isna().all()]  # these are None
        return frame.astype(dict.fromkeys(without_numbers, "float64"))


def _format_q(trust: UnitTrust | None) -> str:
    return f"{'' if trust is None or trust.q is None else f'{trust.q:.4f}':6}  "
