"""Everything that is drawn for a run: pictures, figures, pages (METHOD, § 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.report import figures, overlays, pictures
from netdissect.report.html import page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from netdissect.protocols import Progress
    from netdissect.results.run import RunResult


def write(result: RunResult, folder: Path, picture_file: Callable[[int], bytes | None], progress: Progress) -> Path:
    """Write the report of a run into ``folder/html``.

    Args:
        result: the run.
        folder: its folder.
        picture_file: gives an exemplar picture's file by its row in ``index.csv``, or None where it has none; pictures
            that an earlier report left in the folder are used first.
        progress: shown how far it is.

    Returns:
        the first page.

    Raises:
        DataNotFoundError: if a picture is neither in the folder nor given.
    """
    html = folder / "html"
    (html / "image").mkdir(parents=True, exist_ok=True)
    probe = pictures.gather(result, html / "image" / "probe", picture_file)
    units = sum(layer.layer.units for layer in result.layers.values())
    progress.start("pictures", units)
    for layer in result.layers.values():
        overlays.write_strips(layer, result.network.input_size, probe, html / "image", progress)
        found = layer.detectors(result.settings.threshold)
        figures.bar_graph(found, html / "image" / f"{layer.layer.file_stem}-bargraph.svg")
    figures.layer_graph(result.detectors(result.settings.threshold), html / "image" / "layer-graph.svg")
    return page.write(result, html)
