"""Everything that is drawn for a run: images, figures, pages (METHOD, § 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.io import atomic
from netdissect.report import cache_owner, figures, image_cache, label_cache, strips
from netdissect.report.html import page

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.protocols import ImageSource, Progress
    from netdissect.results.run_result import RunResult

#: The report's first page, written last, in the run's folder.
INDEX = "html/index.html"
#: The report as one file, in the run's folder.
SINGLE_FILE = "report.html"


def has_report(folder: Path) -> bool:
    """Say whether the report lies in a run's folder."""
    return atomic.is_regular_below(folder, INDEX)


def write_report(
    result: RunResult, folder: Path, source: ImageSource, progress: Progress, *, single_file: bool = False
) -> Path:
    """Write the report of a run into ``folder/html``.

    Args:
        result: the run.
        folder: its folder.
        source: the probe set's images and labels; what an earlier report left in the folder is used first, so that
            a report can be drawn again when the probe set is gone.
        progress: shown how far it is.
        single_file: also write ``folder/report.html``, the whole report as one file.

    Returns:
        the first page; the single file where it was asked for.

    Raises:
        DataNotFoundError: if an image is neither in the folder nor given.
    """
    html = folder / "html"
    image = html / "image"
    probe = image_cache.cache_images(result, cache_owner.pictures_in(html), source)
    gallery = label_cache.cache_labels(result, cache_owner.labels_in(html), source)
    threshold = result.settings.threshold
    units = sum(layer.layer.units for layer in result.layers.values())
    progress.start("pictures", units)
    for layer in result.layers.values():
        strips.write_strips(layer, result.network.input_size, probe, image, progress)
        figures.draw_bar_graph(layer.detectors(threshold), image / f"{layer.layer.file_stem}-bargraph.svg")
    figures.draw_layer_graph(result.detectors(threshold), image / "layer-graph.svg")
    index = page.write_pages(result, html, probe, gallery)
    if single_file:
        return page.write_single_file(result, folder / SINGLE_FILE, probe, gallery, cache_owner.labels_in(html))
    return index
