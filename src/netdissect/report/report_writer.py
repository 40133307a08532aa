"""Write the report of a run: cached images, figures, pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.io import atomic
from netdissect.report import figures
from netdissect.report.cache import ReportCache
from netdissect.report.html import classic_pages, lite_page, page, single_page
from netdissect.report.html.page_data import PageData
from netdissect.report.panels import write_panels
from netdissect.results.count_deviations import find_category_deviations, find_concept_deviations

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.protocols import ImageSource, Progress
    from netdissect.results.run_result import Result

#: The report's first page, written last, in the run's folder.
INDEX = "html/index.html"
#: The report as one file, in the run's folder.
SINGLE_FILE = "report.html"
#: The smaller single file, in the run's folder.
LITE_FILE = "report-lite.html"


def has_report(folder: Path, classic: Result | None = None) -> bool:
    """Return whether a run's folder has a report; one with the released code's pages, if their run is given."""
    drawn = atomic.is_regular_below(folder, INDEX)
    return drawn and (classic is None or classic_pages.has_classic_pages(classic, folder / "html"))


def write_report(
    result: Result,
    folder: Path,
    source: ImageSource,
    progress: Progress,
    *,
    single_file: bool = False,
    lite: bool = False,
    classic: bool | None = None,
) -> Path:
    """Write the report of a run into ``folder/html``.

    Args:
        result: the run.
        folder: its folder.
        source: the probe set's images and labels; those that an earlier report has cached in the folder are used first,
            so that a report can be redrawn without the probe set.
        progress: shows how far the report is.
        single_file: also write ``folder/report.html``, the whole report as one file.
        lite: also write ``folder/report-lite.html``, a smaller single file to send.
        classic: also write the released code's pages, a strip for every unit; False removes those of an earlier report, and None
            writes them if the run's settings ask for them or an earlier report has them.

    Returns:
        the first page; or the single file, the smaller one, if requested.

    Raises:
        DataNotFoundError: if an image is neither cached nor in the source.
    """
    html = folder / "html"
    cache = ReportCache(result, folder)
    images = cache.cache_images(source)
    if classic is None:
        classic = result.settings.classic or classic_pages.has_classic_pages(result, html)
    data = PageData(result, images, cache.cache_labels(source), write_panels(result.layers.values(), html), classic)
    _draw_figures(result, html / "image")
    if classic:
        classic_pages.write_classic_pages(result, images, html, progress)
    else:
        classic_pages.remove_classic_pages(result, html)
    index = page.write_pages(data, html)
    if single_file:
        index = single_page.write_single_file(data, html, folder / SINGLE_FILE)
    if lite:
        index = lite_page.write_lite_file(data, html, folder / LITE_FILE)
    return index


def _draw_figures(result: Result, folder: Path) -> None:
    """Draw the bar graph of every layer, and the layer graph."""
    threshold = result.settings.threshold
    for layer in result.layers.values():
        graph = folder / f"{layer.layer.file_stem}-bargraph.svg"
        figures.draw_bar_graph(layer.detectors(threshold), graph, find_concept_deviations(layer, threshold))
    deviations = find_category_deviations(result, threshold)
    figures.draw_layer_graph(result.detectors(threshold), folder / "layer-graph.svg", deviations)
