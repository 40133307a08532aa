"""The interface of what draws a result; `netdissect.report` implements it, and `netdissect.api` adds it to results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from netdissect.protocols import ConceptSource, Progress
    from netdissect.report.figures.run_plots import LayerPlots, RunPlots
    from netdissect.report.figures.style import FigureWidth
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result
    from netdissect.results.unit_result import UnitResult


class Displayed(Protocol):
    """What a notebook shows."""

    def _repr_html_(self) -> str: ...


class Presenter(Protocol):
    """Draws a run, its layers and its units. A result without a presenter is shown as text only."""

    def render_run(self, run: Result) -> str:
        """Return the HTML that a notebook shows for a run."""
        ...

    def render_layer(self, layer: LayerResult) -> str:
        """Return the HTML that a notebook shows for a layer."""
        ...

    def render_unit(self, unit: UnitResult) -> str:
        """Return the HTML that a notebook shows for a unit."""
        ...

    def plot_run(self, run: Result) -> RunPlots:
        """Return the figures of a run on matplotlib's axes."""
        ...

    def plot_layer(self, layer: LayerResult) -> LayerPlots:
        """Return the figures of a layer on matplotlib's axes."""
        ...

    def write_figures(self, run: Result, folder: Path, width: FigureWidth, written: Container[str]) -> list[Path]:
        """Write every figure of a run into its folder, which the caller has locked."""
        ...

    def embed_unit_page(self, unit: UnitResult, height: int) -> Displayed:
        """Return the report's page of a unit in a frame of a height in pixels, which a notebook shows."""
        ...

    def embed_report(self, layer: str | None, height: int) -> Displayed:
        """Return the report, open at a layer, in a frame of a height in pixels, which a notebook shows."""
        ...

    def draw_strip(self, unit: UnitResult, most: int) -> bytes | None:
        """Return a unit's first `most` exemplars as a JPEG file; None if their images are not available."""
        ...

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
        """Write the images and the HTML report into a run's folder, which the caller has locked."""
        ...

    def publish_report(self, run: Result, html: Path, folder: Path, address: str) -> Path:
        """Copy the report in `html` into a folder as a static site; return the site's first page."""
        ...

    def write_model_card(self, run: Result, folder: Path) -> Path:
        """Write ``model-card.md`` and its figure into a folder; return the path of ``model-card.md``."""
        ...

    def read_image_file(self, row: int) -> bytes | None:
        """Return an exemplar's image file by its row in ``index.csv``; None if it is not available."""
        ...

    def open_probe_set(self) -> ConceptSource | None:
        """Return the run's probe set; None if it is not available."""
        ...
