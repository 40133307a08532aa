"""Panels: sections that other packages add to the report's pages of a layer or a unit (provisional).

A panel returns plain data and figures. The page shows the data as text and the figures as images, so a panel can add
neither markup nor scripts to the report, and the report loads nothing from outside.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from netdissect.errors import SettingsError, root_message
from netdissect.io import atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from netdissect.results.layer_result import LayerResult

#: Entry-point group under which an installed package names its panels.
ENTRY_POINTS = "netdissect.panels"
#: Folder of the figures, in the report's folder.
FIGURE_FOLDER = "image/panels"
_LOG = logging.getLogger("netdissect")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_ENDINGS = {b"\x89PNG": "png", b"\xff\xd8": "jpg", b"<svg": "svg", b"<?xml": "svg"}


@dataclass(frozen=True)
class PanelContent:
    """What a panel shows; all of it is optional (provisional).

    Attributes:
        text: a paragraph.
        table: rows of a table, the first of which is its header.
        figure: an image file: PNG, JPEG or SVG.
        alt: what the figure shows, in words, for readers who cannot see it.
    """

    text: str = ""
    table: Sequence[Sequence[object]] = ()
    figure: bytes = b""
    alt: str = ""


@dataclass(frozen=True)
class ReportPanel:
    """A section of the report that is computed from the result of a layer (provisional).

    Attributes:
        name: used in file names: at most 40 lower-case letters, digits, ``-`` and ``_``.
        title: heading of the section.
        layer: returns what the page of a layer shows; None shows nothing.
        unit: takes the layer and a unit's channel (counted from 0), and returns what the page of that unit shows.
    """

    name: str
    title: str
    layer: Callable[[LayerResult], PanelContent | None] | None = None
    unit: Callable[[LayerResult, int], PanelContent | None] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise SettingsError(
                f"the name of a panel must be at most 40 lower-case letters, digits, - and _, not {self.name!r}"
            )
        if not isinstance(self.title, str) or not self.title.strip():
            raise SettingsError(f"the title of panel {self.name} must be a few words, not {self.title!r}")
        if not (callable(self.layer) or callable(self.unit)):
            raise SettingsError(f"panel {self.name} needs a function: layer=, unit= or both")


@dataclass(frozen=True)
class LayerPanels:
    """The panels of a layer as the page reads them.

    Attributes:
        layer: panels of the layer's page.
        units: panels of each unit's page; empty if there are none.
        figures: paths of all figures, relative to the report's folder.
    """

    layer: list[dict[str, Any]]
    units: list[list[dict[str, Any]]]
    figures: list[str]


_REGISTRY: dict[str, ReportPanel] = {}


def register_report_panel(panel: ReportPanel) -> None:
    """Add a panel to every report that this process writes (provisional).

    A package adds its panels to the reports of all processes through the entry-point group ``netdissect.panels``, with a
    `ReportPanel` as the entry point's object. A panel of the same name is replaced.

    Raises:
        SettingsError: if it is not a `ReportPanel`.

    Example:
        >>> def describe(layer):
        ...     return PanelContent(text=f"{layer.cells:,} cells set the thresholds.")
        >>> register_report_panel(ReportPanel("cells", "Sample size", layer=describe))
        >>> [panel.title for panel in find_panels()]
        ['Sample size']
        >>> del _REGISTRY["cells"]
    """
    if not isinstance(panel, ReportPanel):
        raise SettingsError(f"register_report_panel takes a netdissect.ReportPanel, not {type(panel).__name__}")
    _REGISTRY[panel.name] = panel


def find_panels() -> list[ReportPanel]:
    """Return all panels, registered ones and those of installed packages, by name."""
    panels = {panel.name: panel for panel in map(_load_panel, metadata.entry_points(group=ENTRY_POINTS))} | _REGISTRY
    return [panels[name] for name in sorted(panels)]


def _load_panel(entry: metadata.EntryPoint) -> ReportPanel:
    """Return an installed package's panel; if it cannot be loaded, return a panel whose text in the report says why."""
    try:
        panel = entry.load()
        if not isinstance(panel, ReportPanel):
            raise TypeError(f"expected {entry.value} to be a netdissect.ReportPanel, got {type(panel).__name__}")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - code of another package
        reason = error

        def fail(_: LayerResult) -> PanelContent:
            raise reason

        return ReportPanel(re.sub(r"[^a-z0-9_-]", "-", f"x-{entry.name.lower()}")[:40], entry.name, layer=fail)
    return panel


def write_panels(layers: Iterable[LayerResult], folder: Path) -> list[LayerPanels]:
    """Compute the panels of every layer and write their figures.

    A panel that fails is replaced with a sentence in the report, and a warning is logged.

    Args:
        layers: the layers of the run.
        folder: the report's folder.
    """
    panels = find_panels()
    return [_write_layer_panels(layer, panels, folder) for layer in layers]


def _write_layer_panels(layer: LayerResult, panels: Sequence[ReportPanel], folder: Path) -> LayerPanels:
    found = LayerPanels([], [[] for _ in range(layer.layer.units)], [])
    for panel in panels:
        stem = f"{layer.layer.file_stem}-{panel.name}"
        errors = []
        if panel.layer is not None:
            content, error = _compute(panel.layer, layer)
            errors.append(error)
            found.layer.extend(_write_content(panel, content, stem, folder, found.figures))
        if panel.unit is not None:
            for channel, facts in enumerate(found.units):
                content, error = _compute(panel.unit, layer, channel)
                errors.append(error)
                facts.extend(_write_content(panel, content, f"{stem}-{channel:04d}", folder, found.figures))
        failed = [error for error in errors if error]
        if failed:
            _LOG.warning("panel %s of the report fails for layer %s: %s", panel.name, layer.name, failed[0])
    return found


def _compute(function: Callable[..., PanelContent | None], *arguments: object) -> tuple[PanelContent | None, str]:
    """Call a panel's function; return what the panel shows, and why the function failed (``""`` if it did not)."""
    try:
        content = function(*arguments)
        if content is not None and not isinstance(content, PanelContent):
            raise TypeError(f"expected a netdissect.PanelContent or None, got {type(content).__name__}")
        if content is not None:
            content = PanelContent(str(content.text), _format_table(content.table), content.figure, str(content.alt))
            _find_ending(content.figure)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - code of another package
        reason = f"{type(error).__name__}: {root_message(error)}"
        return PanelContent(f"This panel could not be drawn ({reason})."), reason
    return content, ""


def _format_table(table: Sequence[Sequence[object]]) -> list[list[str]]:
    return [[f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row] for row in table]


def _find_ending(figure: bytes) -> str:
    """Return the file name ending of a figure.

    Raises:
        TypeError: if it is not an image file.
    """
    if isinstance(figure, bytes):
        for start, ending in _ENDINGS.items():
            if figure.startswith(start):
                return ending
    if figure:
        raise TypeError("expected a figure as the bytes of a PNG, JPEG or SVG file")
    return ""


def _write_content(
    panel: ReportPanel, content: PanelContent | None, stem: str, folder: Path, figures: list[str]
) -> list[dict[str, Any]]:
    """Write a panel's figure; return a list of the panel's data for the page, empty if there is nothing to show."""
    if content is None:
        return []
    figure = ""
    if content.figure:
        figure = f"{FIGURE_FOLDER}/{stem}.{_find_ending(content.figure)}"
        atomic.write_bytes(folder / figure, content.figure)
        figures.append(figure)
    return [{"title": panel.title, "text": content.text, "table": content.table, "figure": figure, "alt": content.alt}]
