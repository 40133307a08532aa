"""Write every figure of a run into its folder, for a paper or a slide, with their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.errors import FolderTakenError
from netdissect.report.figures import style
from netdissect.report.figures.ablation_graph import draw_ablation_graph
from netdissect.report.figures.bargraph import draw_bar_graph
from netdissect.report.figures.detector_graph import draw_detector_graph
from netdissect.report.figures.emergence_graph import draw_emergence
from netdissect.report.figures.layer_graph import draw_layer_graph
from netdissect.report.figures.run_plots import plot_layer_scores
from netdissect.results.count_deviations import find_category_deviations, find_concept_deviations

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from netdissect.report.figures.style import FigureWidth
    from netdissect.results.run_result import Result

#: Folder of the figures, in the run's folder.
FIGURES = "figures"


def write_run_figures(result: Result, folder: Path, width: FigureWidth, written: Container[str] = ()) -> list[Path]:
    """Write every figure of a run as SVG, PDF and PNG, and their numbers as CSV.

    Args:
        result: the run.
        folder: the run's folder; figures are written into its ``figures/``.
        width: where they are set.
        written: files that netdissect wrote into the run's folder, by their paths in it.

    Returns:
        the SVG files.

    Raises:
        FolderTakenError: if ``figures/`` has other files, which nothing may replace.
    """
    inside = folder / FIGURES
    others = [path.name for path in sorted(inside.iterdir())] if inside.is_dir() else []
    taken = next((name for name in others if f"{FIGURES}/{name}" not in written), None)
    if taken is not None:
        raise FolderTakenError(
            f"{inside / taken} was not written by netdissect: move it, so that the figures have a folder of their own"
        )
    threshold = result.settings.threshold
    paths = {name: inside / f"{name}.svg" for name in ("layers", "detectors", "scores", "emergence")}
    draw_layer_graph(result.detectors(threshold), paths["layers"], find_category_deviations(result, threshold), width)
    draw_detector_graph(result, paths["detectors"], width)
    _draw_scores(result, paths["scores"], width)
    draw_emergence(result, paths["emergence"], width)
    found = list(paths.values())
    for layer in result.layers.values():
        path = inside / f"{layer.layer.file_stem}-concepts.svg"
        draw_bar_graph(layer.detectors(threshold), path, find_concept_deviations(layer, threshold), width)
        found.append(path)
        if layer.ablation is not None and (layer.ablation.concepts or layer.ablation.curves):
            found.append(inside / f"{layer.layer.file_stem}-ablation.svg")
            draw_ablation_graph(layer.ablation, found[-1], width)
    return found


def _draw_scores(result: Result, path: Path, width: FigureWidth) -> None:
    """Draw the share of each layer's units that reach each score; write the numbers as CSV."""
    layers = list(result.layers.values())
    with style.open_figure(width, 18) as (figure, (axes,)):
        plot_layer_scores(axes, layers, result.settings.threshold, result.controls)
        style.save_figure(figure, path)
    rows = [
        (layer.name, row.unit, row.category, row.label, repr(row.score))
        for layer in layers
        for row in sorted(layer.units, key=lambda row: row.unit)
    ]
    style.write_numbers(path, ("layer", "unit", "category", "label", "score"), rows)
