"""Write the pages of the report, which open from disk and load nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from typing import TYPE_CHECKING, Any

import jinja2

from netdissect.concepts import display_name
from netdissect.io import atomic
from netdissect.io.text import ESCAPE_UNENCODABLE
from netdissect.report.cache import read_cached_file
from netdissect.report.html import masthead, page_data, script_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from netdissect.report.html.page_data import PageData

#: Scripts in the order the page runs them; the early ones set the theme before anything is drawn.
_EARLY_SCRIPTS = ("data.js", "format.js", "dom.js", "theme.js")
_LATE_SCRIPTS = (
    "pages.js",
    "terms.js",
    "unit-sets.js",
    "run-switch.js",
    "trust.js",
    "formulas.js",
    "run.js",
    "atlas-data.js",
    "probe-data.js",
    "interpolate.js",
    "masks.js",
    "labels.js",
    "state.js",
    "missing.js",
    "history.js",
    "words.js",
    "search-index.js",
    "search-results.js",
    "search-box.js",
    "filter.js",
    "exemplars.js",
    "layers.js",
    "threshold.js",
    "concept-graph.js",
    "toolbar.js",
    "card.js",
    "card-grid.js",
    "similar-units.js",
    "pointer-answer.js",
    "image-tile.js",
    "concept-profile.js",
    "activations.js",
    "unit-trust.js",
    "unit-formula.js",
    "ablation.js",
    "class-curves.js",
    "short-names.js",
    "story.js",
    "lead.js",
    "how-to-read.js",
    "unit-squares.js",
    "emergence.js",
    "network-page.js",
    "unit-page.js",
    "concept-plot.js",
    "concept-page.js",
    "units-page.js",
    "compare-data.js",
    "compare-page.js",
    "panels.js",
    "share.js",
    "unit-image.js",
    "print.js",
    "keyboard.js",
    "main.js",
)
#: Style sheets, in this order: of all pages, then of single ones.
_STYLES = (
    "style.css",
    "search.css",
    "terms.css",
    "units.css",
    "unit.css",
    "share.css",
    "compare.css",
    "network.css",
)
_FONTS = ("source-serif-4", "source-serif-4-italic", "source-sans-3", "source-sans-3-bold")
_CLOSED = "default-src 'none'; base-uri 'none'; form-action 'none'"
#: Content-Security-Policy of pages in a folder. Some browsers ignore ``'self'`` for pages opened from disk and need ``file:``.
FOLDER_POLICY = (
    f"{_CLOSED}; script-src 'self' file:; style-src 'self' file:; img-src 'self' file:; font-src 'self' file:"
)
#: Names of data files that a report writes.
_DATA_FILE = re.compile(
    r"(run|names|concepts|atlas|probe|story|layer-\d+(-counts|-trust|-formulas|-ablation|-panels|-masks-\d+)?)\.js"
)
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
#: The last sentence of every page.
METHOD = "Method: Bau, Zhou, Khosla, Oliva, Torralba: Network Dissection, CVPR 2017."
_KEYBOARD = (
    (("/",), "search concepts, units, layers and images"),
    (("f",), "filter the units of a layer by concept, number or formula"),
    (("←", "→", "↑", "↓"), "move between units; on a unit’s page, previous and next"),
    (("Enter",), "open"),
    (("Esc",), "clear the search, or go back"),
    (("m",), "mask style"),
    (("o",), "outline where the concept is labeled"),
    (("p",), "pin a unit to see it beside others"),
    (("b",), "count what is beyond chance only"),
    (("[", "]"), "previous and next layer"),
    ((",", "."), "lower and raise the threshold by 0.005"),
    (("d",), "dark or light"),
    (("?",), "this list"),
)


def write_pages(data: PageData, folder: Path) -> Path:
    """Write ``index.html`` and the files that it loads.

    Args:
        data: what the pages show.
        folder: the report's folder, ``html/`` in the run's.

    Returns:
        ``index.html``.
    """
    environment = make_environment()
    with atomic.write_together() as write:
        written = _write_page_files(data, folder, write)
    names = [path.name for path in (folder / "data").iterdir()]
    old = [f"data/{name}" for name in names if _DATA_FILE.fullmatch(name) and name not in written]
    atomic.remove_files_below(folder, old)
    index = folder / "index.html"
    html = environment.get_template("index.html").render(_describe_index(data), policy=FOLDER_POLICY)
    atomic.write_text(index, html)
    return index


def _write_page_files(data: PageData, folder: Path, write: Callable[[Path, bytes], None]) -> set[str]:
    """Write the files that ``index.html`` loads; return the names of the data files."""
    write_app(folder, write)
    return write_data_files(page_data.pack_page_data(data), folder / "data", write)


def write_app(folder: Path, write: Callable[[Path, bytes], None]) -> None:
    """Write the scripts, styles and fonts of the page into ``folder/app``."""
    fonts = (f"fonts/{font}.woff2" for font in _FONTS)
    for name in (*_EARLY_SCRIPTS, *_LATE_SCRIPTS, *_STYLES, *fonts, "fonts/OFL.txt"):
        write(folder / "app" / name, read_static_file(name))


def write_data_files(packed: Iterable[tuple[str, str]], folder: Path, write: Callable[[Path, bytes], None]) -> set[str]:
    """Write data files into a folder by key and packed arguments; return their names."""
    written = set()
    for key, text in packed:
        write(folder / f"{key}.js", script_data.format_script(text).encode(errors=ESCAPE_UNENCODABLE))
        written.add(f"{key}.js")
    return written


def render_compared_run(data: PageData, number: int) -> str:
    """Return the page of a run of a comparison, whose files are below ``runs/NUMBER/``; numbers start at 1."""
    values = {**_describe_index(data), "compared": number}
    return make_environment().get_template("index.html").render(values, policy=FOLDER_POLICY)


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
    write_parts(render_single_page(data, _embed_data(data, folder)), path)
    return path


def render_single_page(data: PageData, blocks: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """Yield the parts of a page that loads nothing.

    Args:
        data: what the page shows.
        blocks: id, type and text of every block of data; the text needs no escaping.
    """
    template = make_environment().get_template("single.html")
    assets = _embed_assets(_STYLES, _LATE_SCRIPTS)
    yield from template.stream(_describe_index(data), **assets, blocks=blocks)


def write_parts(parts: Iterable[str], path: Path) -> None:
    """Write the parts of a page into one file."""
    with atomic.open_replacement(path) as file:
        for part in parts:
            file.write(part.encode())


def render_standalone_page(template: str, styles: Sequence[str], scripts: Sequence[str], **values: Any) -> str:
    """Return a page in the report's style that loads nothing.

    Args:
        template: the file name of the template.
        styles: style sheets of the page, added to ``style.css``.
        scripts: scripts of the page, run after the report's early scripts.
        values: variables of the template, in addition to `policy`, `style`, `early_script`, `late_script` and `method`.
    """
    assets = _embed_assets((_STYLES[0], *styles), scripts)
    assets["policy"] = assets["policy"].replace("img-src blob:", "img-src data:")
    return make_environment().get_template(template).render(**assets, method=METHOD, **values)


def _embed_assets(styles: Sequence[str], scripts: Sequence[str]) -> dict[str, str]:
    """Return the styles and scripts, and a Content-Security-Policy that allows only these, by their hashes."""
    early, late = ("".join(read_static_file(name).decode() for name in names) for names in (_EARLY_SCRIPTS, scripts))
    style = "".join(read_static_file(name).decode() for name in styles)
    for font in _FONTS:
        coded = base64.b64encode(read_static_file(f"fonts/{font}.woff2")).decode()
        style = style.replace(f"fonts/{font}.woff2", f"data:font/woff2;base64,{coded}")
    policy = (
        f"{_CLOSED}; script-src {_hash_source(early)} {_hash_source(late)}; style-src {_hash_source(style)}; img-src blob:; "
        f"font-src data:"
    )
    return {"policy": policy, "style": style, "early_script": early, "late_script": late}


def _embed_data(data: PageData, folder: Path) -> Iterable[tuple[str, str, str]]:
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


def _hash_source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def read_static_file(name: str) -> bytes:
    """Return a file of the page."""
    return resources.files("netdissect.report.html").joinpath("static", name).read_bytes()


def make_environment() -> jinja2.Environment:
    """Return what fills the templates of the pages."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("netdissect.report.html", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["display"] = display_name
    environment.globals["count"] = lambda number: f"{number:,}"
    environment.globals["words"] = lambda number: _NUMBERS[number] if number < len(_NUMBERS) else str(number)
    return environment


def _describe_index(data: PageData) -> dict[str, Any]:
    """Return the values of the index template."""
    return {
        **masthead.describe_page(data.result),
        "classic": data.classic,
        "left_out": data.left_out,
        "method": METHOD,
        "compared": None,
        "keyboard": _KEYBOARD,
        "early": _EARLY_SCRIPTS,
        "late": _LATE_SCRIPTS,
        "styles": _STYLES,
    }
