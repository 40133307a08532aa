"""Draw results in notebooks, as reports and as model cards, with the images of their run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from netdissect.errors import RunError
from netdissect.progress import show_progress
from netdissect.report import notebook, strips
from netdissect.report.card import write_model_card
from netdissect.report.embedded_page import EmbeddedPage, embed_report, embed_unit_page
from netdissect.report.report_writer import write_report
from netdissect.report.site import publish_report

if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from pathlib import Path

    from netdissect.concepts import Labels
    from netdissect.protocols import ConceptSource, ImageSource, Progress
    from netdissect.report.figures.run_plots import LayerPlots, RunPlots
    from netdissect.report.figures.style import FigureWidth
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result
    from netdissect.results.unit_result import UnitResult


class RunImages:
    """The images and labels of a run by row in ``index.csv``: an `ImageSource`.

    Args:
        find_probe_set: returns the probe set, or None if it is not available; called once, when it is needed.
        cache: images and labels that an earlier report has cached, which are used first.
    """

    def __init__(self, find_probe_set: Callable[[], ConceptSource | None], cache: ImageSource | None = None) -> None:
        self._find_probe_set = find_probe_set
        self._cache = cache

    @cached_property
    def probe_set(self) -> ConceptSource | None:
        """The probe set; None if it is not available."""
        return self._find_probe_set()

    def read_image_file(self, row: int) -> bytes | None:
        """Return the bytes of an image file; None if it is not available."""
        cached = self._cache.read_image_file(row) if self._cache is not None else None
        if cached is None and self.probe_set is not None:
            return self.probe_set.read_image_file(self._positions[row])
        return cached

    def read_labels(self, row: int) -> Labels | None:
        """Return the labels of an image; None if they are not available."""
        cached = self._cache.read_labels(row) if self._cache is not None else None
        if cached is None and self.probe_set is not None:
            return self.probe_set.read_labels(self._positions[row])
        return cached

    @cached_property
    def _positions(self) -> dict[int, int]:
        source = self.probe_set
        return {source.row(index): index for index in range(len(source))} if source is not None else {}


@dataclass(frozen=True, eq=False)
class ReportPresenter:
    """Draws the results of one run: the `Presenter` that every result of ``netdissect.api`` has.

    Attributes:
        images: the run's images and labels.
        threshold: score from which a unit counts as a detector.
        input_size: height and width of the network's input.
        run: the run without a presenter; None draws no pages of units.
    """

    images: RunImages
    threshold: float
    input_size: tuple[int, int]
    run: Result | None = None

    def render_run(self, run: Result) -> str:
        """Return a run as HTML for a notebook."""
        return notebook.render_run(run)

    def render_layer(self, layer: LayerResult) -> str:
        """Return a layer as HTML for a notebook."""
        return notebook.render_layer(layer, self.threshold, self.input_size, self.images.read_image_file)

    def render_unit(self, unit: UnitResult) -> str:
        """Return a unit as HTML for a notebook."""
        return notebook.render_unit(unit, self.threshold, self.input_size, self.images.read_image_file)

    def embed_unit_page(self, unit: UnitResult, height: int) -> EmbeddedPage:
        """Return the page of a unit in a frame of a height in pixels, which a notebook shows."""
        if self.run is None:
            raise RunError("the page of a unit needs its run: load it with netdissect.load")
        return embed_unit_page(self.run, unit.layer, unit.channel, self.images, height)

    def embed_report(self, layer: str | None, height: int) -> EmbeddedPage:
        """Return the report, open at a layer, in a frame of a height in pixels, which a notebook shows."""
        if self.run is None:
            raise RunError("the report needs its run: load it with netdissect.load")
        return embed_report(self.run, layer, self.images, height)

    def plot_run(self, run: Result) -> RunPlots:
        """Return the figures of a run on matplotlib's axes."""
        from netdissect.report.figures.run_plots import RunPlots

        return RunPlots(run, self.threshold)

    def plot_layer(self, layer: LayerResult) -> LayerPlots:
        """Return the figures of a layer on matplotlib's axes."""
        from netdissect.report.figures.run_plots import LayerPlots

        return LayerPlots(layer, self.threshold)

    def write_figures(self, run: Result, folder: Path, width: FigureWidth, written: Container[str]) -> list[Path]:
        """Write every figure of a run into its folder, which the caller has locked."""
        from netdissect.report.figures.run_figures import write_run_figures

        return write_run_figures(run, folder, width, written)

    def draw_strip(self, unit: UnitResult, most: int) -> bytes | None:
        """Return a unit's first `most` exemplars as a JPEG file; None if an image is not available."""
        rows = [int(row) for row in unit.layer.exemplars.images[unit.channel][:most] if row >= 0]
        files = {row: self.images.read_image_file(row) for row in rows}
        if not files or any(data is None for data in files.values()):
            return None
        return strips.encode_strip(unit.layer, unit.channel, self.input_size, lambda row: files[row] or b"", most=most)

    def write_report(
        self,
        run: Result,
        folder: Path,
        progress: Progress | bool,
        *,
        single_file: bool = False,
        lite: bool = False,
        classic: bool | None = None,
    ) -> Path:
        """Write the images and the HTML report into a run's folder."""
        with show_progress(progress) as shown:
            return write_report(run, folder, self.images, shown, single_file=single_file, lite=lite, classic=classic)

    def publish_report(self, run: Result, html: Path, folder: Path, address: str) -> Path:
        """Copy the report in `html` into a folder as a static site; return the site's first page."""
        return publish_report(run, html, folder, self.images.read_image_file, address)

    def write_model_card(self, run: Result, folder: Path) -> Path:
        """Write ``model-card.md`` and its figure into a folder; return the path of ``model-card.md``."""
        return write_model_card(run, folder)

    def read_image_file(self, row: int) -> bytes | None:
        """Return an exemplar's image file by its row in ``index.csv``; None if it is not available."""
        return self.images.read_image_file(row)

    def open_probe_set(self) -> ConceptSource | None:
        """Return the run's probe set; None if it is not available."""
        return self.images.probe_set
