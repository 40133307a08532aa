"""Cards of units and bars of categories for notebooks: with images, and legible on a light and on a dark background."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING

import simplejpeg

from netdissect.concepts import display_name, sort_categories
from netdissect.report.category_colors import FILL_COLORS, assign_color_slots
from netdissect.results.findings import format_probability

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.results.detectors import Detectors
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.units import UnitRow

_QUALITY = 64
#: A thin line in the color of the text, so that dark colors are seen on dark pages and light ones on light pages.
_EDGE = "box-shadow:0 0 0 1px color-mix(in srgb,currentColor 35%,transparent)"
_QUIET = "opacity:.72;font-size:.9em"


def render_tiles(tiles: Sequence[NDArray[np.uint8]], height: int) -> str:
    """Return images side by side, with gaps through which the page is seen.

    Args:
        tiles: the images, uint8, shape (H, W, 3).
        height: the height at which they are shown, in CSS pixels.
    """
    shown = []
    for tile in tiles:
        data = base64.b64encode(simplejpeg.encode_jpeg(tile, quality=_QUALITY, colorsubsampling="420")).decode()
        shown.append(
            f'<img alt="" height="{height}" style="height:{height}px;width:auto;margin:0;flex:none" src="data:image/jpeg;base64,{data}">'
        )
    return f'<div style="display:flex;flex-wrap:wrap;gap:3px">{"".join(shown)}</div>' if shown else ""


def render_card(
    layer: LayerResult, row: UnitRow, tiles: Sequence[NDArray[np.uint8]], threshold: float, height: int
) -> str:
    """Return the card of a unit: its name, score and q, and some of its images."""
    passes = bool(row.label) and row.score >= threshold
    color = pick_fill(row.category, layer.vocabulary.categories) if passes else "currentColor"
    name = html.escape(display_name(row.label)) or "no concept"
    q = "" if row.trust is None or row.trust.q is None else f", q {html.escape(format_probability(row.trust.q))}"
    low, high = (None, None) if row.trust is None else (row.trust.low, row.trust.high)
    deviation = "" if low is None or high is None else f" ± {(high - low) / 2:.3f}"
    return (
        f'<div style="border-top:3px solid {color};padding:5px 0 0;min-width:0"><div style="{_QUIET}">unit {row.unit} (channel {row.channel})'
        f"{f', {html.escape(row.category)}' if row.category else ''}{q}</div>"
        f'<div style="display:flex;justify-content:space-between;gap:8px;margin:0 0 5px"><b>{name if passes else f"closest: {name}"}</b>'
        f'<span style="font-variant-numeric:tabular-nums;white-space:nowrap">{row.score:.3f}{deviation}</span></div>'
        f"{render_tiles(tiles, height)}</div>"
    )


def render_category_bar(found: Detectors, categories: Sequence[str]) -> str:
    """Return the share of a layer's units that detect concepts of each category as one bar, with the numbers below it."""
    counts = [(kind, found.units_by_category.get(kind, 0)) for kind in sort_categories(categories)]
    parts = "".join(
        f'<span style="width:{100 * units / max(found.total, 1):.2f}%;background:{pick_fill(kind, categories)};{_EDGE}"></span>'
        for kind, units in counts
        if units
    )
    legend = "".join(
        f'<span style="margin-right:16px;white-space:nowrap">{render_swatch(kind, categories)}{html.escape(kind)} {units:,}</span>'
        for kind, units in counts
        if units
    )
    said = f"{found.units:,} of {found.total:,} units by category"
    return (
        f'<div role="img" aria-label="{html.escape(said)}" style="display:flex;gap:1px;height:12px;max-width:640px;margin:6px 0 4px;'
        f'background:color-mix(in srgb,currentColor 14%,transparent)">{parts}</div><div style="{_QUIET}">{legend}</div>'
    )


def render_swatch(category: str, categories: Sequence[str]) -> str:
    """Return a small square in the color of a category."""
    return (
        f'<span style="display:inline-block;width:.7em;height:.7em;margin-right:.5em;background:{pick_fill(category, categories)};'
        f'{_EDGE}"></span>'
    )


def pick_fill(category: str, categories: Sequence[str]) -> str:
    """Return the color of a category's areas."""
    return FILL_COLORS[assign_color_slots(categories).get(category, "other")]
