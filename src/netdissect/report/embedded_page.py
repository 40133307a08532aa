"""The page of one unit, or a whole report, as HTML in a frame, for notebooks: it needs no file and no server."""

from __future__ import annotations

import html
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from netdissect.report.cache import ReportCache
from netdissect.report.html import exemplar_data, lite_page, single_page
from netdissect.report.html.page_data import PageData
from netdissect.results.exemplar_groups import GROUP_SIZES
from netdissect.results.run_layers import Layers

if TYPE_CHECKING:
    from typing import Any

    from netdissect.protocols import ImageSource
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result


@dataclass(frozen=True, repr=False)
class EmbeddedPage:
    """A page in a frame, which a notebook shows.

    Attributes:
        page: the page, HTML that loads nothing.
        height: height of the frame in pixels.
        title: what it shows.
    """

    page: str
    height: int
    title: str

    def __repr__(self) -> str:
        return f"{self.title}: {len(self.page) / 1e6:.1f} MB of HTML, which a notebook shows"

    def _repr_html_(self) -> str:
        return (
            f'<iframe title="{html.escape(self.title)}" srcdoc="{html.escape(self.page)}" style="width:100%;height:{self.height}px;'
            f'border:1px solid color-mix(in srgb,currentColor 25%,transparent);border-radius:4px"></iframe>'
        )


def embed_unit_page(run: Result, layer: LayerResult, channel: int, source: ImageSource, height: int) -> EmbeddedPage:
    """Return the page of a unit with its own images; of the layer's other units it has all numbers and no images.

    Args:
        run: the run.
        layer: the unit's layer.
        channel: the unit, counted from 0.
        source: the run's images and labels.
        height: height of the frame in pixels.

    Raises:
        DataNotFoundError: if an image of the unit is not available.
    """
    rows = {int(row) for row in exemplar_data.collect_exemplars(layer)["images"][channel] if row >= 0}
    small = replace(
        run,
        layers=Layers({layer.name: _blank_other_units(layer, channel)}),
        image_names={row: name for row, name in run.image_names.items() if row in rows},
        presenter=None,
        analyses=None,
    )
    with tempfile.TemporaryDirectory(prefix="netdissect-") as folder:
        cache = ReportCache(small, Path(folder))
        data = PageData(small, cache.cache_images(source), cache.cache_labels(source))
        page = "".join(single_page.render_single_page(data, single_page.embed_data(data, Path(folder) / "html")))
    address = f"#/unit/{quote(layer.name, safe='')}/{channel + 1}"
    return EmbeddedPage(_open_at(page, address), height, f"unit {channel + 1} of {layer.name}")


def embed_report(run: Result, layer: str | None, source: ImageSource, height: int) -> EmbeddedPage:
    """Return the report of a run as one page of a few megabytes, with the exemplars that fit (docs/report.md).

    Args:
        run: the run.
        layer: the layer whose page is open first; None opens the first page.
        source: the run's images and labels.
        height: height of the frame in pixels.

    Raises:
        DataNotFoundError: if an exemplar's image is not available.
    """
    with tempfile.TemporaryDirectory(prefix="netdissect-") as name:
        folder = Path(name)
        cache = ReportCache(run, folder)
        data = PageData(run, cache.cache_images(source), cache.cache_labels(source))
        page = lite_page.write_lite_file(data, folder / "html", folder / "report.html").read_text(encoding="utf-8")
    if layer is None:
        return EmbeddedPage(page, height, f"report of {run.network.name}")
    return EmbeddedPage(
        _open_at(page, f"#/layer/{quote(layer, safe='')}"), height, f"layer {layer} of {run.network.name}"
    )


def _open_at(page: str, address: str) -> str:
    """Return a page that opens at an address within it."""
    return page.replace('<html lang="en"', f'<html lang="en" data-open="{html.escape(address)}"', 1)


def _blank_other_units(layer: LayerResult, channel: int) -> LayerResult:
    """Return a layer whose other units have no grids, which take most of a page's room."""

    def blank(part: Any) -> Any:
        grids = np.full_like(part.grids, -1)
        grids[channel] = part.grids[channel]
        return replace(part, grids=grids)

    groups = layer.groups
    if groups is not None:
        kept: dict[str, Any] = {name: blank(getattr(groups, name)) for name in GROUP_SIZES}
        groups = replace(groups, **kept)
    return replace(layer, exemplars=blank(layer.exemplars), groups=groups, presenter=None)
