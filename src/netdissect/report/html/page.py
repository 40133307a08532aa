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
from netdissect.report.html import masthead, page_data, script_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from netdissect.report.html.page_data import PageData
    from netdissect.results.run_result import Result

#: Scripts in the order the page runs them; the early ones set the theme before anything is drawn.
_EARLY_SCRIPTS = ("embedded.js", "data.js", "format.js", "dom.js", "theme.js")
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
    "short-names.js",
    "story.js",
    "layers.js",
    "layer-control.js",
    "threshold.js",
    "concept-graph.js",
    "toolbar.js",
    "card.js",
    "card-grid.js",
    "unit-profiles.js",
    "similar-units.js",
    "pointer-answer.js",
    "image-tile.js",
    "concept-profile.js",
    "activations.js",
    "unit-trust.js",
    "unit-formula.js",
    "ablation.js",
    "class-curves.js",
    "lead.js",
    "how-to-read.js",
    "unit-squares.js",
    "emergence.js",
    "network-page.js",
    "unit-title.js",
    "unit-overlap.js",
    "unit-exemplars.js",
    "notes.js",
    "unit-page.js",
    "concept-plot.js",
    "concept-parts.js",
    "concept-page.js",
    "atlas-view.js",
    "atlas-colors.js",
    "atlas-names.js",
    "atlas-images.js",
    "atlas-map.js",
    "atlas-pointer.js",
    "atlas-page.js",
    "atlas-teaser.js",
    "concepts-page.js",
    "units-page.js",
    "probe-plot.js",
    "probe-table.js",
    "probe-page.js",
    "image-units.js",
    "image-page.js",
    "compare-data.js",
    "compare-counts.js",
    "compare-slope.js",
    "compare-pair.js",
    "compare-units.js",
    "compare-course.js",
    "compare-emergence.js",
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
    "concepts.css",
    "terms.css",
    "units.css",
    "atlas.css",
    "probe.css",
    "image.css",
    "unit.css",
    "share.css",
    "compare.css",
    "network.css",
    "layer-page.css",
)
#: Files in ``app/`` and their parts: a page opens twice as fast with one script as with ninety.
_JOINED = {"early.js": _EARLY_SCRIPTS, "report.js": _LATE_SCRIPTS, "report.css": _STYLES}
_FONTS = ("source-serif-4", "source-serif-4-light", "source-serif-4-italic", "source-sans-3", "source-sans-3-bold")
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
    (("f",), "filter what the page lists: units by concept, number or formula"),
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
    old += [f"app/{part}" for parts in _JOINED.values() for part in parts]  # of reports written before they were joined
    atomic.remove_files_below(folder, old)
    index = folder / "index.html"
    html = environment.get_template("index.html").render(describe_data(data), policy=FOLDER_POLICY)
    atomic.write_text(index, html)
    return index


def _write_page_files(data: PageData, folder: Path, write: Callable[[Path, bytes], None]) -> set[str]:
    """Write the files that ``index.html`` loads; return the names of the data files."""
    write_app(folder, write)
    return write_data_files(page_data.pack_page_data(data), folder / "data", write)


def write_app(folder: Path, write: Callable[[Path, bytes], None]) -> None:
    """Write the scripts, styles and fonts of the page into ``folder/app``."""
    for name in list_page_files():
        write(folder / "app" / name, b"".join(read_static_file(part) for part in _JOINED.get(name, (name,))))


def write_data_files(packed: Iterable[tuple[str, str]], folder: Path, write: Callable[[Path, bytes], None]) -> set[str]:
    """Write data files into a folder by key and packed arguments; return their names."""
    written = set()
    for key, text in packed:
        write(folder / f"{key}.js", script_data.format_script(text).encode(errors=ESCAPE_UNENCODABLE))
        written.add(f"{key}.js")
    return written


def render_compared_run(data: PageData, number: int) -> str:
    """Return the page of a run of a comparison, whose files are below ``runs/NUMBER/``; numbers start at 1."""
    values = {**describe_data(data), "compared": number}
    return make_environment().get_template("index.html").render(values, policy=FOLDER_POLICY)


def list_page_files() -> list[str]:
    """Return the names of the page's own files, which are in ``app/``: scripts, style sheets, fonts and icon."""
    fonts = (f"fonts/{font}.woff2" for font in _FONTS)
    return [*_JOINED, "favicon.svg", *fonts, "fonts/OFL.txt"]


def render_site_index(result: Result, summary: str, address: str, preview: str) -> str:
    """Return the ``index.html`` of a published report, with what other sites show beside a link to it.

    Args:
        result: the run.
        summary: what the run found, as a sentence.
        address: the URL of the site with a slash at its end; empty if it is not known.
        preview: the name of the preview image.
    """
    values = _describe_index(result) | {"site": {"address": address, "summary": summary, "preview": preview}}
    return make_environment().get_template("index.html").render(values, policy=FOLDER_POLICY)


def render_standalone_page(template: str, styles: Sequence[str], scripts: Sequence[str], **values: Any) -> str:
    """Return a page in the report's style that loads nothing.

    Args:
        template: the file name of the template.
        styles: style sheets of the page, added to ``style.css``.
        scripts: scripts of the page, run after the report's early scripts.
        values: variables of the template, in addition to `policy`, `style`, `early_script`, `late_script` and `method`.
    """
    assets = embed_assets((_STYLES[0], *styles), scripts)
    assets["policy"] = assets["policy"].replace("img-src blob:", "img-src data:")
    return make_environment().get_template(template).render(**assets, method=METHOD, **values)


def embed_assets(styles: Sequence[str] = _STYLES, scripts: Sequence[str] = _LATE_SCRIPTS) -> dict[str, str]:
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


def describe_data(data: PageData) -> dict[str, Any]:
    """Return the values of the index template for what a page shows."""
    return _describe_index(data.result) | {"classic": data.classic, "left_out": data.left_out}


def _describe_index(result: Result) -> dict[str, Any]:
    """Return the values of the index template for a run."""
    return {
        **masthead.describe_page(result),
        "classic": False,
        "left_out": "",
        "site": None,
        "method": METHOD,
        "compared": None,
        "keyboard": _KEYBOARD,
    }
