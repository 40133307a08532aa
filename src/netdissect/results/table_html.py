"""A table as HTML, in the colors of the notebook that shows it."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netdissect.results.table import Table

#: Rows that are shown.
_MOST = 20
#: Kinds of columns whose values are set flush right.
_NUMBERS = ("integer", "number")


def render_table(table: Table, most: int = _MOST) -> str:
    """Return the first rows of a table as HTML, numbers with four digits."""
    columns = [(name, table.get_column(name)) for name in table.columns]
    styles = [
        f"padding:2px 14px 2px 0;text-align:{'right' if column.kind in _NUMBERS else 'left'}" for _, column in columns
    ]
    head = "".join(
        f'<th style="{style};font-weight:600">{html.escape(name)}</th>'
        for style, (name, _) in zip(styles, columns, strict=True)
    )
    rows = [
        "".join(
            f'<td style="{style}">{html.escape(_format(value))}</td>' for style, value in zip(styles, row, strict=True)
        )
        for row in zip(*(column.cells[:most] for _, column in columns), strict=True)
    ]
    length = max((len(column.cells) for _, column in columns), default=0)
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
