"""A table of units as HTML, in the colors of the notebook that shows it."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from netdissect.concepts import display_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.results.units import UnitRow

#: Rows that are shown, and the width of a bar of the best score in em.
_MOST, _WIDTH = 20, 5
#: The least q that is shown as a number.
_LEAST_Q = 0.001
_LEFT = "padding:2px 14px 2px 0;text-align:left"
_RIGHT = "padding:2px 14px 2px 0;text-align:right;font-variant-numeric:tabular-nums"


def render_unit_table(rows: Sequence[UnitRow], score_title: str) -> str:
    """Return the first units as an HTML table: unit and channel, concept, category, score with a bar, interval and q where they are known."""
    shown = rows[:_MOST]
    best = max((row.score for row in shown), default=0) or 1
    measured = any(row.trust is not None and row.trust.low is not None for row in shown)
    tested = any(row.trust is not None and row.trust.q is not None for row in shown)
    heads = [
        ("unit", _RIGHT),
        ("channel", _RIGHT),
        ("concept", _LEFT),
        ("category", _LEFT),
        (score_title, _RIGHT),
        ("", _LEFT),
    ]
    heads += [("95 % interval", _LEFT)] * measured + [("q", _RIGHT)] * tested
    head = "".join(f'<th style="{style};font-weight:600">{html.escape(name)}</th>' for name, style in heads)
    body = "".join(_render_row(row, best, measured=measured, tested=tested) for row in shown)
    rest = f"<p>… {len(rows) - _MOST:,} units more</p>" if len(rows) > _MOST else ""
    return f'<table style="border-collapse:collapse"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}'


def _render_row(row: UnitRow, best: float, *, measured: bool, tested: bool) -> str:
    bar = f'<span style="display:inline-block;height:.6em;width:{_WIDTH * row.score / best:.2f}em;background:currentColor;opacity:.45"></span>'
    cells = [
        (str(row.unit), _RIGHT), (str(row.channel), _RIGHT), (html.escape(display_name(row.label)) or "no concept", _LEFT), (html.escape(row.category), _LEFT),
        (f"{row.score:.3f}", _RIGHT), (bar, _LEFT),
    ]  # fmt: skip
    low, high, q = (None if row.trust is None else getattr(row.trust, name) for name in ("low", "high", "q"))
    cells += [("" if low is None or high is None else f"{low:.3f}–{high:.3f}", _LEFT)] * measured
    cells += [("" if q is None else f"{q:.3f}" if q >= _LEAST_Q else f"&lt; {_LEAST_Q}", _RIGHT)] * tested
    return "<tr>" + "".join(f'<td style="{style}">{text}</td>' for text, style in cells) + "</tr>"
