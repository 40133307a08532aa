"""Render results as compact HTML for notebooks, self-contained and in the notebook's own colors."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from netdissect.concepts import display_name
from netdissect.report.notebook_cards import render_card, render_category_bar, render_swatch, render_tiles
from netdissect.report.spotlight import draw_card_tiles, draw_spotlight
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
    from collections.abc import Callable, Collection, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result
    from netdissect.results.unit_result import UnitResult
    from netdissect.results.units import UnitRow

_MAX_ROWS = 8
#: Height of an image on a card, and of one of a unit's own, in CSS pixels.
_TILE, _LARGE = 54, 112
#: Height in pixels of an image on a card.
_DRAWN = 72
_CELL = "padding:2px 12px 2px 0;text-align:left"
_NUMBER = "padding:2px 12px 2px 0;text-align:right;font-variant-numeric:tabular-nums"


def render_layer(
    layer: LayerResult,
    threshold: float,
    input_size: tuple[int, int] = (1, 1),
    read_file: Callable[[int], bytes | None] | None = None,
) -> str:
    """Return the HTML of a layer: its counts of detectors, the share of each category, and its best units as cards.

    Args:
        layer: the layer.
        threshold: score from which a unit counts as a detector.
        input_size: height and width of the network's input.
        read_file: returns an image file by its row in ``index.csv``, or None if it is not available; None shows no images.
    """
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
        "unit", "channel", layer.score_title, *(["q"] if tested else []), "category", "concept", *(["formula"] if explained else []),
    )  # fmt: skip
    said = [describe_unconvincing(layer, threshold), *describe_formulas(layer), *describe_ablation(layer)]
    return _wrap_block(
        f"<p><b>{_escape(layer.name)}</b>: {_escape(describe_findings(layer, threshold))}"
        + "".join(f"<br>{_escape(sentence)}" for sentence in said if sentence)
        + "</p>"
        + render_category_bar(found, layer.vocabulary.categories)
        + _render_cards(layer, threshold, input_size, read_file)
        + f"<details><summary>Table of the first {min(_MAX_ROWS, len(layer.units))} units</summary>"
        + _render_table(heads, rows, numbers=("unit", "channel", layer.score_title, "q"))
        + "</details>"
        + _render_rest(len(layer.units) - _MAX_ROWS, "units")
    )


def _render_cards(
    layer: LayerResult, threshold: float, input_size: tuple[int, int], read_file: Callable[[int], bytes | None] | None
) -> str:
    """Return the cards of the best units of different concepts, then of the best others."""
    first = {row.label: row for row in reversed(layer.units) if row.label}
    chosen = sorted(layer.units, key=lambda row: (first.get(row.label) is not row, -row.score, row.unit))[:_MAX_ROWS]
    cards = [
        render_card(
            layer,
            row,
            draw_card_tiles(layer, row.channel, input_size, read_file, _DRAWN) if read_file is not None else [],
            threshold,
            _TILE,
        )
        for row in chosen
    ]
    return (
        f'<div style="display:grid;grid-template-columns:repeat(auto-fill,minmax(290px,1fr));gap:14px 22px;margin:14px 0">'
        f"{''.join(cards)}</div>"
    )


def render_unit(
    unit: UnitResult,
    threshold: float,
    input_size: tuple[int, int] = (1, 1),
    read_file: Callable[[int], bytes | None] | None = None,
) -> str:
    """Return the HTML of a unit: its name, its exemplars and its best concepts; see `render_layer`."""
    layer, row, title = unit.layer, unit.row, unit.layer.score_title
    name = _escape(display_name(row.label)) if row.label else "no concept"
    below = "" if row.label and row.score >= threshold else f", below the threshold of {threshold:g}"
    trust = describe_unit_trust(unit.trust)
    found = describe_unit_formula(layer, unit.channel)
    formula = f"formula: {found}" if found else ""
    tiles = _draw_strongest(unit, input_size, read_file) if read_file is not None else []
    best = "".join(
        f'<tr><td style="{_CELL}">{render_swatch(category, layer.vocabulary.categories)}{_escape(display_name(label))}</td>'
        f'<td style="{_CELL}">{_escape(category)}</td><td style="{_NUMBER}">{score:.3f}</td></tr>'
        for category, label, score in unit.profile[:_MAX_ROWS]
    )
    return _wrap_block(
        f"<p>{_escape(layer.name)}, unit {unit.number} (channel {unit.channel} counted from 0): <b>{name}</b>"
        f"{f' ({_escape(row.category)})' if row.category else ''}, {_escape(title)} {row.score:.3f}{below}</p>"
        + "".join(f"<p>{_escape(sentence)}</p>" for sentence in (trust, formula) if sentence)
        + render_tiles(tiles, _LARGE)
        + _render_table(("concept", "category", title), best, numbers=(title,))
    )


def _draw_strongest(
    unit: UnitResult, input_size: tuple[int, int], read_file: Callable[[int], bytes | None]
) -> list[NDArray[np.uint8]]:
    """Return the strongest exemplars of a unit with its mask; images that are not available are left out."""
    strongest = unit.layer.exemplars
    pairs = zip(strongest.images[unit.channel].tolist(), strongest.grids[unit.channel], strict=True)
    files = [(grid, read_file(row)) for row, grid in list(pairs)[:_MAX_ROWS] if row >= 0]
    return [draw_spotlight(unit.layer, grid, data, input_size, _LARGE) for grid, data in files if data is not None]


def render_run(run: Result) -> str:
    """Return the HTML of a run: a table of its layers, and the share of each category in every layer."""
    threshold = run.settings.threshold
    tested = any(layer.trust is not None and layer.trust.chance is not None for layer in run.layers.values())
    rows = "".join(_render_layer_row(layer, threshold, tested=tested) for layer in run.layers.values())
    counts = ("units", "detectors", "unique, by label", "unique, by category")
    heads = (*counts, *(("beyond chance", "times chance") if tested else ()))
    return _wrap_block(
        f"<p><b>{_escape(run.network.name)}</b> over {run.probe_set.images:,} images of {_escape(run.probe_set.name)}, "
        f"{_escape(run.score_title)} ≥ {threshold:g}</p>"
        + _render_table(("layer", *heads), rows, numbers=heads)
        + "".join(f"<p>{_escape(warning)}</p>" for warning in warn_of_small_sets(run))
        + "".join(
            f"<p>{_escape(layer.name)}</p>{render_category_bar(layer.detectors(threshold), layer.vocabulary.categories)}"
            for layer in run.layers.values()
        )
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
        f'<tr{style}><td style="{_NUMBER}">{row.unit}</td><td style="{_NUMBER}">{row.channel}</td><td style="{_NUMBER}">{row.score:.3f}</td>'
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


def _escape(words: str) -> str:
    return html.escape(words)


def _wrap_block(inside: str) -> str:
    return f'<div class="netdissect">{inside}</div>'
