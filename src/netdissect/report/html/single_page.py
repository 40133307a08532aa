"""Write the whole report as one file that loads nothing: its data and images are in blocks that no browser executes."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from netdissect.io import atomic
from netdissect.report.cache import read_cached_file
from netdissect.report.html import page, page_data, script_data

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from netdissect.report.html.page_data import PageData


def write_single_file(data: PageData, folder: Path, path: Path) -> Path:
    """Write the whole report as one file that loads nothing.

    Its Content-Security-Policy allows its own scripts and styles by their hashes and no others; data and images are in
    blocks that no browser executes.

    Args:
        data: what the report shows.
        folder: the report's folder, which has the panels' figures.
        path: the file.

    Returns:
        the file.
    """
    write_parts(render_single_page(data, embed_data(data, folder)), path)
    return path


def render_single_page(data: PageData, blocks: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """Yield the parts of a page that loads nothing.

    Args:
        data: what the page shows.
        blocks: id, type and text of every block of data; the text needs no escaping.
    """
    template = page.make_environment().get_template("single.html")
    assets = page.embed_assets()
    yield from template.stream(page.describe_data(data), **assets, blocks=blocks)


def write_parts(parts: Iterable[str], path: Path) -> None:
    """Write the parts of a page into one file."""
    with atomic.open_replacement(path) as file:
        for part in parts:
            file.write(part.encode())


def embed_data(data: PageData, folder: Path) -> Iterable[tuple[str, str, str]]:
    """Yield the id, type and text of every block of a single file.

    The text needs no escaping: it is JSON without ``<``, or base64.
    """
    for key, text in page_data.pack_page_data(data):
        yield f"data/{key}", "application/json", text
    for row, path in data.labels.files.items():
        text = read_cached_file(path).decode("ascii")
        yield f"data/labels/{row:06d}", "application/json", script_data.read_script_arguments(text)
    for path in data.images.values():
        yield f"image/probe/{path.name}", "text/plain", base64.b64encode(read_cached_file(path)).decode()
    yield from embed_figures(data, folder)


def embed_figures(data: PageData, folder: Path) -> Iterable[tuple[str, str, str]]:
    """Yield the id, type and text of the figures of the panels, which are in the report's folder."""
    for figure in (figure for panels in data.panels for figure in panels.figures):
        yield figure, "text/plain", base64.b64encode((folder / figure).read_bytes()).decode()
