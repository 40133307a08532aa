"""Results as notebooks show them: compact HTML that needs no file beside it and keeps to the notebook's own colors."""

from __future__ import annotations

import base64
import dataclasses
import html
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from netdissect.bounds import format_value as shown_in_a_sentence
from netdissect.concepts import display_name
from netdissect.errors import SettingsError
from netdissect.report import figures, strips
from netdissect.report.category_colors import FILL_COLORS, assign_color_slots
from netdissect.results.layer_result import LayerResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netdissect.protocols import ImageSource
    from netdissect.results.detectors import Detectors
    from netdissect.results.run_result import RunResult
    from netdissect.results.units import UnitRow

_MAX_ROWS = 8
_CELL = "padding:2px 12px 2px 0;text-align:left"
_NUMBER = "padding:2px 12px 2px 0;text-align:right;font-variant-numeric:tabular-nums"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ShownLayer(LayerResult):
    """A layer that a notebook shows as its headline, its bar graph and its best units.

    Attributes:
        threshold: IoU from which a unit counts as a detector.
        input_size: height and width of the network's input.
        source: gives exemplar images by their row; None shows none.
    """

    threshold: float = 0.04
    input_size: tuple[int, int] = (1, 1)
    source: ImageSource | None = None

    def unit(self, number: int) -> ShownUnit:
        """Return a unit by its number, counted from 1 as in the result CSV and the report.

        Raises:
            SettingsError: if the layer has no such unit.
        """
        given: object = number
        if not hasattr(given, "__index__") or not 1 <= number <= self.layer.units:
            raise SettingsError(
                f"{self.name} has the units 1 to {self.layer.units} (channels 0 to {self.layer.units - 1}), not "
                f"{shown_in_a_sentence(number)}"
            )
        return ShownUnit(self, number)

    def _repr_html_(self) -> str:
        found = self.detectors(self.threshold)
        rows = "".join(_render_unit_row(row, self.threshold) for row in self.units[:_MAX_ROWS])
        return _wrap_block(
            f"<p><b>{_escape(self.name)}</b>: {found.describe()}</p>"
            + _render_bar_graph(found)
            + _render_table(("unit", "IoU", "category", "concept"), rows)
            + _render_rest(len(self.units) - _MAX_ROWS, "units")
        )


@dataclasses.dataclass(frozen=True, eq=False)
class ShownUnit:
    """One unit, as a notebook shows it: its images, its name, its best concepts.

    Attributes:
        layer: its layer.
        number: counted from 1.
    """

    layer: ShownLayer
    number: int

    @property
    def channel(self) -> int:
        """The unit's position in the layer, counted from 0."""
        return self.number - 1

    @cached_property
    def row(self) -> UnitRow:
        """The unit's row of the result table."""
        return next(row for row in self.layer.units if row.unit == self.number)

    @cached_property
    def profile(self) -> list[tuple[str, str, float]]:
        """Every concept that intersects the unit's mask as (category, concept, IoU), best first."""
        scores = self.layer.iou[self.channel]
        concepts = self.layer.vocabulary.concepts
        order = sorted(range(len(concepts)), key=lambda column: -scores[column])
        return [(concepts[c].category, concepts[c].name, float(scores[c])) for c in order if scores[c] > 0]

    def strip(self, most: int = 8) -> bytes | None:
        """Return its strongest images, darkened outside its mask, as a JPEG file; None where there are none."""
        source, layer = self.layer.source, self.layer
        if source is None:
            return None
        files = {
            int(row): source.read_image_file(int(row))
            for row in layer.exemplars.images[self.channel][:most]
            if row >= 0
        }
        if not files or any(data is None for data in files.values()):
            return None
        return strips.encode_strip(layer, self.channel, layer.input_size, lambda row: files[row] or b"", most=most)

    def __repr__(self) -> str:
        row = self.row
        return f"unit {self.number} of {self.layer.name}: {display_name(row.label) or 'no concept'} ({row.category}), IoU {row.score:.4f}"

    def _repr_html_(self) -> str:
        row, threshold = self.row, self.layer.threshold
        name = _escape(display_name(row.label)) if row.label else "no concept"
        below = "" if row.label and row.score >= threshold else f", below the cut of {threshold:g}"
        data = self.strip()
        picture = (
            ""
            if data is None
            else f'<img alt="" style="max-width:100%" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">'
        )
        best = "".join(
            f'<tr><td style="{_CELL}">{_render_swatch(category, self.layer.vocabulary.categories)}{_escape(display_name(label))}</td>'
            f'<td style="{_CELL}">{_escape(category)}</td><td style="{_NUMBER}">{iou:.3f}</td></tr>'
            for category, label, iou in self.profile[:_MAX_ROWS]
        )
        return _wrap_block(
            f"<p>{_escape(self.layer.name)}, unit {self.number} (channel {self.channel} counted from 0): <b>{name}</b>"
            f"{f' ({_escape(row.category)})' if row.category else ''}, IoU {row.score:.3f}{below}</p>"
            + picture
            + _render_table(("concept", "category", "IoU"), best)
        )


def shown(layer: LayerResult, run: RunResult, source: ImageSource | None) -> ShownLayer:
    """Return a layer of a run so that a notebook can show it."""
    fields = {field.name: getattr(layer, field.name) for field in dataclasses.fields(LayerResult)}
    view = ShownLayer(**fields, threshold=run.settings.threshold, input_size=run.network.input_size, source=source)
    for name in ("iou", "best", "units"):  # what was computed need not be again
        if name in layer.__dict__:
            view.__dict__[name] = layer.__dict__[name]
    return view


def render_run(run: RunResult) -> str:
    """Return a run as a table of its layers and the bar graph of the last."""
    threshold = run.settings.threshold
    by_label: Mapping[str, Detectors] = run.detectors(threshold)
    by_category = run.detectors(threshold, "category")
    rows = "".join(
        f'<tr><td style="{_CELL}">{_escape(name)}</td>'
        + "".join(
            f'<td style="{_NUMBER}">{cell:,}</td>'
            for cell in (found.total, found.units, found.unique, by_category[name].unique)
        )
        + "</tr>"
        for name, found in by_label.items()
    )
    graph = _render_bar_graph(list(by_label.values())[-1]) if by_label else ""
    return _wrap_block(
        f"<p><b>{_escape(run.network.name)}</b> over {run.probe_set.images:,} images of {_escape(run.probe_set.name)}, IoU ≥ {threshold:g}</p>"
        + _render_table(("layer", "units", "detectors", "unique, by label", "unique, by category"), rows)
        + graph
    )


def _render_unit_row(row: UnitRow, threshold: float) -> str:
    style = "" if row.label and row.score >= threshold else ' style="opacity:.6"'
    return (
        f'<tr{style}><td style="{_NUMBER}">{row.unit}</td><td style="{_NUMBER}">{row.score:.3f}</td>'
        f'<td style="{_CELL}">{_escape(row.category)}</td><td style="{_CELL}">{_escape(display_name(row.label)) or "no concept"}</td></tr>'
    )


def _render_table(heads: Sequence[str], rows: str) -> str:
    cells = "".join(
        f'<th style="{_NUMBER if head in ("IoU", "unit", "units", "detectors") else _CELL};font-weight:600">{head}</th>'
        for head in heads
    )
    return f'<table style="border-collapse:collapse"><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>'


def _render_rest(number: int, noun: str) -> str:
    return f"<p>… {number} {noun} more</p>" if number > 0 else ""


def _render_bar_graph(found: Detectors) -> str:
    """Return the bar graph as an image on paper's color, so that it reads on a dark page too."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.svg"
        figures.draw_bar_graph(found, path)
        data = base64.b64encode(path.read_bytes()).decode()
    return (
        f'<img alt="units per concept" style="background:#fff;max-width:100%" src="data:image/svg+xml;base64,{data}">'
    )


def _render_swatch(category: str, categories: Sequence[str]) -> str:
    color = FILL_COLORS[assign_color_slots(categories).get(category, "other")]
    return f'<span style="display:inline-block;width:.7em;height:.7em;margin-right:.5em;background:{color}"></span>'


def _escape(words: str) -> str:
    return html.escape(words)


def _wrap_block(inside: str) -> str:
    return f'<div class="netdissect">{inside}</div>'
