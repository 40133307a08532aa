"""The preview of a published report, 1200 x 630 pixels, which other sites show beside a link to it."""

from __future__ import annotations

import io
import textwrap
from typing import TYPE_CHECKING

from netdissect.concepts import display_name
from netdissect.report.category_colors import PAPER_COLORS, TEXT_COLORS, assign_color_slots
from netdissect.report.figures.style import INK, SOFT, use_style
from netdissect.report.spotlight import draw_card_tiles
from netdissect.results.citation import format_source
from netdissect.results.detectors import format_count

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result
    from netdissect.results.units import UnitRow

_INCHES, _PIXELS_PER_INCH = (12.0, 6.3), 100
#: Letters of a line of the summary, at most.
_LINE = 88
#: Units that are shown, and the height of their images in pixels.
_UNITS, _HEIGHT = 5, 400
_LETTERS = 34


def summarize_run(result: Result) -> str:
    """Return what the last layer with detectors detects, as a sentence."""
    layer = next(reversed(list(result.layers.values())), None)
    probe = f"{result.probe_set.images:,} images of {result.probe_set.name}"
    if layer is None:
        return f"{result.network.name} over {probe}."
    found = layer.detectors(result.settings.threshold)
    spread = layer.count_spread(result.settings.threshold)
    units = format_count(found.units, None if spread is None else spread.units_sd)
    most = sorted(found.concepts.items(), key=lambda item: (-item[1], item[0][1]))[:3]
    named = ", ".join(f"{display_name(name)} ({number})" for (_, name), number in most)
    return f"{units} of {found.total:,} units of {layer.name} detect {found.unique:,} concepts in {probe}" + (
        f": most often {named}." if named else "."
    )


def draw_preview(result: Result, read_file: Callable[[int], bytes | None]) -> bytes:
    """Return the preview of a run as a PNG file: its name, what it found, and one image of each of its best units.

    Args:
        result: the run.
        read_file: returns an image file by its row in ``index.csv``, or None if it is not available.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with use_style("slide"):
        drawn = Figure(figsize=_INCHES, dpi=_PIXELS_PER_INCH, facecolor=PAPER_COLORS["light"])
        FigureCanvasAgg(drawn)
        drawn.text(0.047, 0.83, _shorten(result.network.name), size=46, weight="bold", color=INK)
        drawn.text(0.047, 0.655, textwrap.fill(summarize_run(result), _LINE), size=19, color=INK, va="center")
        shown = _list_shown(result, read_file)
        for position, (layer, row, tile) in enumerate(shown):
            axes = drawn.add_axes((0.047 + position * 0.1835, 0.17, 0.172, 0.36))
            axes.imshow(tile)
            axes.set_axis_off()
            slot = assign_color_slots(layer.vocabulary.categories)[row.category]
            drawn.text(0.047 + position * 0.1835, 0.165, f"{_shorten(display_name(row.label), 16)} {row.score:.3f}", size=15, color=TEXT_COLORS[slot], va="top")  # fmt: skip
        drawn.text(0.047, 0.045, f"Network Dissection, {format_source(result)}", size=14, color=SOFT)
        out = io.BytesIO()
        drawn.savefig(out, format="png", dpi=_PIXELS_PER_INCH, metadata={"Software": None})
    return out.getvalue()


def _list_shown(result: Result, read_file: Callable[[int], bytes | None]) -> list[tuple[LayerResult, UnitRow, Any]]:
    """Return layer, row and image of the best units of the last layer, one for each concept."""
    found: list[tuple[LayerResult, UnitRow, Any]] = []
    seen: set[str] = set()
    for layer in list(result.layers.values())[-1:]:
        for row in layer.units:
            if len(found) == _UNITS or not row.label or row.score < result.settings.threshold:
                break
            tiles = (
                []
                if row.label in seen
                else draw_card_tiles(layer, row.channel, result.network.input_size, read_file, _HEIGHT, 1)
            )
            if tiles:
                seen.add(row.label)
                found.append((layer, row, tiles[0]))
    return found


def _shorten(name: str, most: int = _LETTERS) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
