"""A table as HTML, in the colors of the notebook that shows it."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.results.table import Table

#: Rows that are shown.
_MOST = 20
#: Kinds of columns whose values are set flush right.
_NUMBERS = ("integer", "number")


def render_table(table: Table, most: int = _MOST, *, columns: Sequence[str] | None = None) -> str:
    """Return the first rows of a table as HTML, numbers with four digits.

    Args:
        table: the table.
        most: the most rows.
        columns: names of the columns that are shown, without those that have no value at all; None shows all.
    """
    shown = [(name, table.get_column(name)) for name in columns or table.columns]
    if columns is not None:
        shown = [(name, column) for name, column in shown if any(value not in (None, "") for value in column.cells)]
    styles = [
        f"padding:2px 14px 2px 0;text-align:{'right' if column.kind in _NUMBERS else 'left'}" for _, column in shown
    ]
    head = "".join(
        f'<th style="{style};font-weight:600">{html.escape(name)}</th>'
        for style, (name, _) in zip(styles, shown, strict=True)
    )
    rows = [
        "".join(
            f'<td style="{style}">{html.escape(_format(value))}</td>' for style, value in zip(styles, row, strict=True)
        )
        for row in zip(*(column.cells[:most] for _, column in shown), strict=True)
    ]
    length = max((len(column.cells) for _, column in shown), default=0)
    rest = f"<p>… {length - most:,} rows more</p>" if length > most else ""
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        f'<div style="overflow-x:auto"><table style="border-collapse:collapse;font-variant-numeric:tabular-nums"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{rest}"
    )


def _format(value: Any) -> str:
    """Return a value as text; empty where it is missing.

    >>> [_format(value) for value in (None, 0.123456, 7, ("sky", "tree"))]
    ['', '0.1235', '7', 'sky, tree']
    """
    if value is None or value != value:  # noqa: PLR0124  # NaN
        return ""
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
