"""Render results as compact HTML for notebooks, self-contained and in the notebook's own colors."""

from __future__ import annotations

import base64
import html
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from netdissect.concepts import display_name
from netdissect.report import figures
from netdissect.report.category_colors import FILL_COLORS, assign_color_slots

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from netdissect.results.detectors import Detectors
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result
    from netdissect.results.unit_result import UnitResult
    from netdissect.results.units import UnitRow

_MAX_ROWS = 8
_CELL = "padding:2px 12px 2px 0;text-align:left"
_NUMBER = "padding:2px 12px 2px 0;text-align:right;font-variant-numeric:tabular-nums"


def render_layer(layer: LayerResult, threshold: float) -> str:
    """Return the HTML of a layer: its counts of detectors, its bar graph and its best units."""
    found = layer.detectors(threshold)
    rows = "".join(_render_unit_row(row, threshold) for row in layer.units[:_MAX_ROWS])
    return _wrap_block(
        f"<p><b>{_escape(layer.name)}</b>: {_escape(found.describe())}</p>"
        + _render_bar_graph(found)
        + _render_table(("unit", layer.score_title, "category", "concept"), rows, numbers=("unit", layer.score_title))
        + _render_rest(len(layer.units) - _MAX_ROWS, "units")
    )


def render_unit(unit: UnitResult, threshold: float) -> str:
    """Return the HTML of a unit: its name, its exemplars and its best concepts."""
    layer, row, title = unit.layer, unit.row, unit.layer.score_title
    name = _escape(display_name(row.label)) if row.label else "no concept"
    below = "" if row.label and row.score >= threshold else f", below the threshold of {threshold:g}"
    data = unit.strip()
    image = (
        ""
        if data is None
        else f'<img alt="" style="max-width:100%" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">'
    )
    best = "".join(
        f'<tr><td style="{_CELL}">{_render_swatch(category, layer.vocabulary.categories)}{_escape(display_name(label))}</td>'
        f'<td style="{_CELL}">{_escape(category)}</td><td style="{_NUMBER}">{score:.3f}</td></tr>'
        for category, label, score in unit.profile[:_MAX_ROWS]
    )
    return _wrap_block(
        f"<p>{_escape(layer.name)}, unit {unit.number} (channel {unit.channel} counted from 0): <b>{name}</b>"
        f"{f' ({_escape(row.category)})' if row.category else ''}, {_escape(title)} {row.score:.3f}{below}</p>"
        + image
        + _render_table(("concept", "category", title), best, numbers=(title,))
    )


def render_run(run: Result) -> str:
    """Return the HTML of a run: a table of its layers, and the bar graph of the last layer."""
    threshold = run.settings.threshold
    by_label: Mapping[str, Detectors] = run.detectors(threshold)
    by_category = run.detectors(threshold, "category")
    rows = "".join(
        f'<tr><td style="{_CELL}">{_escape(name)}</td>'
        + "".join(
            f'<td style="{_NUMBER}">{cell:,}</td>'
            for cell in (found.total, found.units, found.unique, by_category[name].unique)
        )
        + "</tr>"
        for name, found in by_label.items()
    )
    graph = _render_bar_graph(list(by_label.values())[-1]) if by_label else ""
    return _wrap_block(
        f"<p><b>{_escape(run.network.name)}</b> over {run.probe_set.images:,} images of {_escape(run.probe_set.name)}, "
        f"{_escape(run.score_title)} ≥ {threshold:g}</p>"
        + _render_table(
            ("layer", "units", "detectors", "unique, by label", "unique, by category"),
            rows,
            numbers=("units", "detectors"),
        )
        + graph
    )


def _render_unit_row(row: UnitRow, threshold: float) -> str:
    style = "" if row.label and row.score >= threshold else ' style="opacity:.6"'
    return (
        f'<tr{style}><td style="{_NUMBER}">{row.unit}</td><td style="{_NUMBER}">{row.score:.3f}</td>'
        f'<td style="{_CELL}">{_escape(row.category)}</td><td style="{_CELL}">{_escape(display_name(row.label)) or "no concept"}</td></tr>'
    )


def _render_table(heads: Sequence[str], rows: str, *, numbers: Collection[str]) -> str:
    cells = "".join(
        f'<th style="{_NUMBER if head in numbers else _CELL};font-weight:600">{_escape(head)}</th>' for head in heads
    )
    return f'<table style="border-collapse:collapse"><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>'


def _render_rest(number: int, noun: str) -> str:
    return f"<p>… {number} {noun} more</p>" if number > 0 else ""


def _render_bar_graph(found: Detectors) -> str:
    """Return the bar graph as an image on a white background, which is legible on dark pages too."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.svg"
        figures.draw_bar_graph(found, path)
        data = base64.b64encode(path.read_bytes()).decode()
    return (
        f'<img alt="units per concept" style="background:#fff;max-width:100%" src="data:image/svg+xml;base64,{data}">'
    )


def _render_swatch(category: str, categories: Sequence[str]) -> str:
    color = FILL_COLORS[assign_color_slots(categories).get(category, "other")]
    return f'<span style="display:inline-block;width:.7em;height:.7em;margin-right:.5em;background:{color}"></span>'


def _escape(words: str) -> str:
    return html.escape(words)


def _wrap_block(inside: str) -> str:
    return f'<div class="netdissect">{inside}</div>'
