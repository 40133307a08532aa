"""Write the released code's pages: one for each layer, with the bar graph and a strip for every unit; without scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.io import atomic
from netdissect.io.text import ESCAPE_UNENCODABLE
from netdissect.report import strips
from netdissect.report.html import masthead, page
from netdissect.results import findings
from netdissect.results.ablation_findings import describe_ablation
from netdissect.results.formula_findings import describe_formulas

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netdissect.protocols import Progress
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result

_STYLE = "layer.css"


def write_classic_pages(result: Result, images: Mapping[int, Path], folder: Path, progress: Progress) -> None:
    """Write ``<layer>.html`` and its strips, ``image/<layer>-%04d.jpg``, for every layer.

    Args:
        result: the run.
        images: the image files by row in ``index.csv``.
        folder: the report's folder, ``html/`` in the run's.
        progress: advanced by one for each unit.
    """
    progress.start("strips", sum(layer.layer.units for layer in result.layers.values()))
    for layer in result.layers.values():
        strips.write_strips(layer, result.network.input_size, images, folder / "image", progress)
    environment = page.make_environment()
    with atomic.write_together() as write:
        write(folder / "app" / _STYLE, page.read_static_file(_STYLE))
        for layer in result.layers.values():
            found = {name: layer.detectors(result.settings.threshold, name) for name in ("label", "category")}
            html = environment.get_template("layer.html").render(
                run=result, layer=layer, threshold=result.settings.threshold, method=page.METHOD, policy=page.FOLDER_POLICY,
                skipped=masthead.list_skipped_images(result), found=found["label"], by_category=found["category"],
                findings=_list_findings(layer, result),
            )  # fmt: skip
            write(folder / f"{layer.layer.file_stem}.html", html.encode(errors=ESCAPE_UNENCODABLE))


def has_classic_pages(result: Result, folder: Path) -> bool:
    """Return whether a report's folder has the page of every layer."""
    stems = [layer.layer.file_stem for layer in result.layers.values()]
    return bool(stems) and all(atomic.is_regular_below(folder, f"{stem}.html") for stem in stems)


def remove_classic_pages(result: Result, folder: Path) -> None:
    """Remove what `write_classic_pages` wrote for an earlier report, which no longer shows the run as it is."""
    names = [f"app/{_STYLE}"]
    for layer in result.layers.values():
        stem = layer.layer.file_stem
        names += [f"{stem}.html", *(f"image/{stem}-{channel:04d}.jpg" for channel in range(layer.layer.units))]
    atomic.remove_files_below(folder, names)


def _list_findings(layer: LayerResult, result: Result) -> list[str]:
    """Return what was found of a layer besides its counts, as sentences without their full stops; none for a plain run."""
    threshold, said = result.settings.threshold, []
    if layer.trust is not None:
        warning = findings.warn_of_small_set(layer, result.probe_set.images, threshold)
        said += [
            findings.describe_findings(layer, threshold),
            findings.describe_unconvincing(layer, threshold),
            warning,
        ]
    said += [*describe_formulas(layer), *describe_ablation(layer)]
    return [sentence for sentence in said if sentence]
