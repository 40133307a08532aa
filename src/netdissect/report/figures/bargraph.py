"""Bar graph of a layer: number of units per concept, grouped by category (the released code's figure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netdissect.concepts import display_name, sort_categories
from netdissect.report.figures import style
from netdissect.report.figures.headings import add_headings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdissect.report.figures.style import FigureWidth
    from netdissect.results.detectors import Detectors

#: Sizes of a letter between two bars, whose names are rotated, and beside them.
_PITCH, _BESIDE = 1.2, 4.0
#: The most lines of bars; concepts beyond them, with the fewest units, are in the CSV only.
_MOST_LINES = 5
#: Bars' widths between two categories.
_GAP = 0.7


class ConceptBar(NamedTuple):
    """A bar: its category, its concept, the number of units and their standard deviation, None if it was not measured."""

    category: str
    concept: str
    units: int
    error: float | None


def draw_bar_graph(
    found: Detectors,
    path: Path,
    deviations: Mapping[tuple[str, str], float] | None = None,
    width: FigureWidth = "text",
) -> None:
    """Draw the number of units per concept, sorted by category, falling number and name; write the numbers as CSV.

    Bars that do not fit into a line go on in the next.

    Args:
        found: the layer's detectors.
        path: the figure.
        deviations: standard deviation of the number of units per (category, label), drawn as error bars; None for none.
        width: where the figure is set.
    """
    bars = list_bars(found, deviations)
    room = int((style.count_letters(width) - _BESIDE) / _PITCH)
    lines = divide_bars(keep_most(bars, room * _MOST_LINES), room)
    with style.open_figure(width, 4.5 + 11.5 * len(lines), rows=len(lines)) as (figure, panels):
        for axes, line in zip(panels, lines, strict=True):
            plot_bars(axes, line, room)
        top = max((bar.units + (bar.error or 0) for bar in bars), default=1)
        for axes in panels:
            axes.set_ylim(0, top * 1.03)
        add_bar_headings(panels[0], found, sum(map(len, lines)))
        style.save_figure(figure, path)
    if deviations is None:
        style.write_numbers(path, ("category", "concept", "units"), [bar[:3] for bar in bars])
    else:
        rows = [(*bar[:3], f"{bar.error:.4f}") for bar in bars]
        style.write_numbers(path, ("category", "concept", "units", "units-sd"), rows)


def list_bars(found: Detectors, deviations: Mapping[tuple[str, str], float] | None) -> list[ConceptBar]:
    """Return a bar for every concept, sorted by category, falling number of units and name."""
    return [
        ConceptBar(category, label, units, None if deviations is None else deviations.get((category, label), 0.0))
        for category in sort_categories(category for category, _ in found.concepts)
        for (kind, label), units in sorted(found.concepts.items(), key=lambda item: (-item[1], item[0][1]))
        if kind == category
    ]


def count_places(axes: Any) -> int:
    """Return how many bars have room on axes, with their names below."""
    import matplotlib as mpl

    letters = axes.get_window_extent().width * 72 / axes.figure.dpi / mpl.rcParams["font.size"]
    return max(int(letters / _PITCH), 1)


def keep_most(bars: Sequence[ConceptBar], most: int) -> list[ConceptBar]:
    """Return the bars with the most units, in their order."""
    kept = sorted(range(len(bars)), key=lambda at: (-bars[at].units, at))[: max(most, 1)]
    return [bars[at] for at in sorted(kept)]


def divide_bars(bars: Sequence[ConceptBar], room: int) -> list[list[ConceptBar]]:
    """Return the bars of each line; there is at least one line.

    Args:
        bars: all bars.
        room: how many bars a line has room for; a gap between categories takes as much as one.
    """
    lines: list[list[ConceptBar]] = [[]]
    left = float(room)
    for bar in bars:
        line = lines[-1]
        needed = 1 + (_GAP if line and line[-1].category != bar.category else 0)
        if needed > left and line:
            lines.append([])
            left, needed = float(room), 1
        lines[-1].append(bar)
        left -= needed
    return lines


def plot_bars(axes: Any, bars: Sequence[ConceptBar], room: int | None = None) -> None:
    """Draw bars on axes, with their names below.

    Args:
        axes: where to draw.
        bars: the bars.
        room: width of the axes in bars; None takes as much as the bars need.
    """
    fills = style.get_fill_colors(list(dict.fromkeys(bar.category for bar in bars)))
    left, places = 0.0, []
    for index, bar in enumerate(bars):
        left += _GAP if index and bars[index - 1].category != bar.category else 0.0
        places.append(left)
        left += 1
    axes.bar(places, [bar.units for bar in bars], width=0.78, color=[fills[bar.category] for bar in bars], lw=0)
    for place, bar in zip(places, bars, strict=True):
        if bar.error is not None:
            below = min(bar.error, bar.units)
            axes.errorbar(place, bar.units, [[below], [bar.error]], fmt="none", **style.make_error_style())
    axes.set_xticks(places, [style.fit_name(axes, display_name(bar.concept)) for bar in bars], rotation=90)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("units")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_xlim(-0.8, max(room or 0, left) - 0.2)


def add_bar_headings(axes: Any, found: Detectors, shown: int) -> None:
    """Write the number of units of every category above the bars, and what is not shown.

    Args:
        axes: the first line of bars.
        found: the layer's detectors.
        shown: number of concepts that have a bar.
    """
    kinds = sort_categories(category for category, _ in found.concepts)
    fills, texts, units = style.get_fill_colors(kinds), style.get_text_colors(kinds), found.units_by_category
    words = [(f"{style.fit_name(axes, kind)} {units[kind]}", texts[kind], fills[kind]) for kind in kinds]
    if shown < len(found.concepts):
        words.append(
            (f"{len(found.concepts) - shown} more concepts with few units are not shown", style.SOFT, style.IDLE)
        )
    add_headings(axes, words)
    if not kinds:
        words_of_none = f"no unit reaches {found.score_title} {found.threshold:g}"
        axes.text(0.5, 0.5, words_of_none, transform=axes.transAxes, ha="center")
        axes.set_yticks([])
