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
from netdissect.results.ablation_findings import describe_ablation
from netdissect.results.findings import (
    describe_findings,
    describe_unconvincing,
    describe_unit_trust,
    format_probability,
    list_chance,
    list_counts,
    warn_of_small_sets,
)
from netdissect.results.formula_findings import describe_formulas, describe_unit_formula

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

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
    tested = layer.trust is not None and layer.trust.chance is not None
    explained = layer.formulas is not None
    rows = "".join(
        _render_unit_row(
            row, threshold, tested=tested, formula=_find_formula(layer, row.channel) if explained else None
        )
        for row in layer.units[:_MAX_ROWS]
    )
    heads = (
        "unit", layer.score_title, *(["q"] if tested else []), "category", "concept", *(["formula"] if explained else []),
    )  # fmt: skip
    said = [describe_unconvincing(layer, threshold), *describe_formulas(layer), *describe_ablation(layer)]
    return _wrap_block(
        f"<p><b>{_escape(layer.name)}</b>: {_escape(describe_findings(layer, threshold))}"
        + "".join(f"<br>{_escape(sentence)}" for sentence in said if sentence)
        + "</p>"
        + _render_bar_graph(found)
        + _render_table(heads, rows, numbers=("unit", layer.score_title, "q"))
        + _render_rest(len(layer.units) - _MAX_ROWS, "units")
    )


def render_unit(unit: UnitResult, threshold: float) -> str:
    """Return the HTML of a unit: its name, its exemplars and its best concepts."""
    layer, row, title = unit.layer, unit.row, unit.layer.score_title
    name = _escape(display_name(row.label)) if row.label else "no concept"
    below = "" if row.label and row.score >= threshold else f", below the threshold of {threshold:g}"
    trust, data = describe_unit_trust(unit.trust), unit.strip()
    found = describe_unit_formula(layer, unit.channel)
    formula = f"formula: {found}" if found else ""
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
        + "".join(f"<p>{_escape(sentence)}</p>" for sentence in (trust, formula) if sentence)
        + image
        + _render_table(("concept", "category", title), best, numbers=(title,))
    )


def render_run(run: Result) -> str:
    """Return the HTML of a run: a table of its layers, and the bar graph of the last layer."""
    threshold = run.settings.threshold
    tested = any(layer.trust is not None and layer.trust.chance is not None for layer in run.layers.values())
    rows = "".join(_render_layer_row(layer, threshold, tested=tested) for layer in run.layers.values())
    counts = ("units", "detectors", "unique, by label", "unique, by category")
    heads = (*counts, *(("beyond chance", "times chance") if tested else ()))
    last = list(run.layers.values())[-1:]
    return _wrap_block(
        f"<p><b>{_escape(run.network.name)}</b> over {run.probe_set.images:,} images of {_escape(run.probe_set.name)}, "
        f"{_escape(run.score_title)} ≥ {threshold:g}</p>"
        + _render_table(("layer", *heads), rows, numbers=heads)
        + "".join(f"<p>{_escape(warning)}</p>" for warning in warn_of_small_sets(run))
        + "".join(_render_bar_graph(layer.detectors(threshold)) for layer in last)
    )


def _render_layer_row(layer: LayerResult, threshold: float, *, tested: bool) -> str:
    cells = [
        f"{layer.layer.units:,}",
        *list_counts(layer, threshold),
        *(list_chance(layer, threshold) if tested else ()),
    ]
    numbers = "".join(f'<td style="{_NUMBER}">{cell}</td>' for cell in cells)
    return f'<tr><td style="{_CELL}">{_escape(layer.name)}</td>{numbers}</tr>'


def _find_formula(layer: LayerResult, channel: int) -> str:
    """Return a unit's formula in words; empty where none is beyond chance."""
    found = layer.formulas.units[channel] if layer.formulas is not None else None
    if found is None or found.formula is None or not found.is_beyond_chance:
        return ""
    return f"{found.formula.describe([display_name(name) for name in layer.vocabulary.names])} {found.iou:.3f}"


def _render_unit_row(row: UnitRow, threshold: float, *, tested: bool, formula: str | None) -> str:
    """Return the row of a unit's figures; `formula` None leaves that column out."""
    style = "" if row.label and row.score >= threshold else ' style="opacity:.6"'
    q = format_probability(None if row.trust is None else row.trust.q)
    return (
        f'<tr{style}><td style="{_NUMBER}">{row.unit}</td><td style="{_NUMBER}">{row.score:.3f}</td>'
        + f'<td style="{_NUMBER}">{_escape(q)}</td>' * tested
        + f'<td style="{_CELL}">{_escape(row.category)}</td><td style="{_CELL}">{_escape(display_name(row.label)) or "no concept"}</td>'
        + ("" if formula is None else f'<td style="{_CELL}">{_escape(formula)}</td>')
        + "</tr>"
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
