"""Emergence graph: in which layer each concept is first detected, and by how many units of each layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.concepts import CATEGORY_ORDER, display_name
from netdissect.report.figures import style
from netdissect.report.figures.layer_graph import name_layers
from netdissect.report.figures.series import HUES, mix_with_white

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netdissect.report.figures.style import FigureWidth
    from netdissect.results.run_result import Result

#: Concepts that are drawn, at most: those with most units.
MOST_EMERGING = 40
#: Lines of text of a row, and of everything else.
_ROW, _REST = 1.15, 5.0
#: Points across of the largest dot, in letters of 8 points, and share of white of the palest.
_LARGEST, _PALEST = 8.5, 0.65


@dataclass(frozen=True)
class EmergingConcept:
    """A concept that units of a run detect.

    Attributes:
        category: its category.
        name: its name.
        units: number of detectors of each layer of the run.
        scores: best score of each layer, 0 without a detector.
    """

    category: str
    name: str
    units: tuple[int, ...]
    scores: tuple[float, ...]


def find_emergence(result: Result, threshold: float) -> list[EmergingConcept]:
    """Return the concepts that units detect by label, sorted by their first layer, category and falling number of units."""
    names = list(result.layers)
    units: dict[tuple[str, str], list[int]] = {}
    scores: dict[tuple[str, str], list[float]] = {}
    for at, layer in enumerate(result.layers.values()):
        for row in layer.units:
            if row.label and row.score >= threshold:
                key = (row.category, row.label)
                units.setdefault(key, [0] * len(names))[at] += 1
                best = scores.setdefault(key, [0.0] * len(names))
                best[at] = max(best[at], row.score)
    found = [EmergingConcept(*key, tuple(counts), tuple(scores[key])) for key, counts in units.items()]
    order = {kind: at for at, kind in enumerate(CATEGORY_ORDER)}
    return sorted(
        found,
        key=lambda item: (
            _find_first(item),
            order.get(item.category, len(order)),
            item.category,
            -sum(item.units),
            item.name,
        ),
    )


def draw_emergence(result: Result, path: Path, width: FigureWidth = "text") -> None:
    """Draw which concepts emerge in which layer; write the numbers of all concepts as CSV.

    Args:
        result: the run.
        path: the figure.
        width: where the figure is set.
    """
    threshold = result.settings.threshold
    found = find_emergence(result, threshold)
    shown = min(len(found), MOST_EMERGING)
    with style.open_figure(width, _REST + _ROW * max(shown, 3)) as (figure, (axes,)):
        plot_emergence(axes, found, list(result.layers), MOST_EMERGING)
        style.save_figure(figure, path)
    rows = [
        (item.category, item.name, layer, units, f"{score:.4f}")
        for item in found
        for layer, units, score in zip(result.layers, item.units, item.scores, strict=True)
        if units
    ]
    style.write_numbers(path, ("category", "concept", "layer", "units", "best-score"), rows)


def plot_emergence(axes: Any, concepts: Sequence[EmergingConcept], layers: Sequence[str], most: int) -> None:
    """Draw a row per concept: the area of a dot is a number of units, its darkness their best score.

    Args:
        axes: where to draw.
        concepts: of `find_emergence`.
        layers: names of the layers, first to last.
        most: the most concepts, those with most units.
    """
    kept = sorted(concepts, key=lambda item: -sum(item.units))[:most]
    rows = [item for item in concepts if item in kept]
    texts = style.get_text_colors(list(dict.fromkeys(item.category for item in rows)))
    biggest = max((max(item.units) for item in rows), default=1)
    best = max((max(item.scores) for item in rows), default=1.0) or 1.0
    for at, item in enumerate(rows):
        places = [place for place, units in enumerate(item.units) if units]
        axes.plot([places[0], places[-1]], [at, at], color=style.RULE, zorder=1)
        across = [style.scale_points(_LARGEST) * max(0.22, np.sqrt(item.units[place] / biggest)) for place in places]
        colors = [mix_with_white(HUES[0], _PALEST * (1 - item.scores[place] / best)) for place in places]
        axes.scatter(places, [at] * len(places), s=np.square(across), c=colors, lw=0, zorder=2)
    name_layers(axes, layers)
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(rows)), [style.fit_name(axes, display_name(item.name)) for item in rows])
    for label, item in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_color(texts[item.category])
    for label in axes.get_xticklabels():
        label.set_ha("left" if label.get_rotation() else "center")
    axes.tick_params(axis="both", length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_ylim(max(len(rows), 1) - 0.4, -0.6)
    said = f"area: units, most {biggest}; darkness: best score, up to {best:.2f}"
    cut = "" if len(rows) == len(concepts) else f"\n{len(rows)} of {len(concepts)} concepts"
    axes.set_xlabel(said + cut if rows else "no unit detects a concept")


def _find_first(item: EmergingConcept) -> int:
    return next(at for at, units in enumerate(item.units) if units)
