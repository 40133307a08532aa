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
from netdissect.results import findings
from netdissect.results.ablation_findings import describe_ablation
from netdissect.results.formula_findings import describe_formulas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from netdissect.report.html.page_data import PageData
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result

#: Scripts in the order the page runs them; the early ones set the theme before anything is drawn.
_EARLY_SCRIPTS = ("data.js", "format.js", "dom.js", "theme.js")
_LATE_SCRIPTS = (
    "pages.js",
    "terms.js",
    "unit-sets.js",
    "trust.js",
    "formulas.js",
    "run.js",
    "interpolate.js",
    "masks.js",
    "labels.js",
    "state.js",
    "history.js",
    "filter.js",
    "layers.js",
    "threshold.js",
    "concept-graph.js",
    "toolbar.js",
    "card.js",
    "card-grid.js",
    "similar-units.js",
    "image-tile.js",
    "concept-profile.js",
    "activations.js",
    "unit-trust.js",
    "unit-formula.js",
    "ablation.js",
    "class-curves.js",
    "network-page.js",
    "unit-page.js",
    "concept-plot.js",
    "concept-page.js",
    "units-page.js",
    "panels.js",
    "keyboard.js",
    "main.js",
)
#: Style sheets, in this order: of all pages, then of single ones.
_STYLES = (
    "style.css",
    "terms.css",
    "units.css",
)
_FONTS = ("source-serif-4", "source-serif-4-italic", "source-sans-3", "source-sans-3-bold")
_CLOSED = "default-src 'none'; base-uri 'none'; form-action 'none'"
#: Some browsers ignore ``'self'`` for pages opened from disk and need ``file:``.
_FOLDER_POLICY = (
    f"{_CLOSED}; script-src 'self' file:; style-src 'self' file:; img-src 'self' file:; font-src 'self' file:"
)
#: Names of data files that a report writes.
_DATA_FILE = re.compile(r"(run|names|layer-\d+(-counts|-trust|-formulas|-ablation|-panels|-masks-\d+)?)\.js")
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_METHOD = "Method: Bau, Zhou, Khosla, Oliva, Torralba: Network Dissection, CVPR 2017."
_KEYBOARD = (
    (("/",), "search by concept, unit number or formula"),
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
    """Write ``index.html``, a classic page for each layer, and the files they load.

    Args:
        data: what the pages show.
        folder: the report's folder, ``html/`` in the run's.

    Returns:
        ``index.html``.
    """
    environment = _make_environment()
    with atomic.write_together() as write:
        written = _write_page_files(data, folder, write, environment)
    names = [path.name for path in (folder / "data").iterdir()]
    old = [f"data/{name}" for name in names if _DATA_FILE.fullmatch(name) and name not in written]
    atomic.remove_files_below(folder, old)
    index = folder / "index.html"
    html = environment.get_template("index.html").render(_describe_index(data.result), policy=_FOLDER_POLICY)
    atomic.write_text(index, html)
    return index


def _write_page_files(
    data: PageData, folder: Path, write: Callable[[Path, bytes], None], environment: jinja2.Environment
) -> set[str]:
    """Write the files that ``index.html`` loads, and the page of each layer; return the names of the data files."""
    fonts = (f"fonts/{font}.woff2" for font in _FONTS)
    for name in (*_EARLY_SCRIPTS, *_LATE_SCRIPTS, *_STYLES, "layer.css", *fonts, "fonts/OFL.txt"):
        write(folder / "app" / name, _read_static_file(name))
    written = set()
    for key, text in page_data.pack_page_data(data):
        write(folder / "data" / f"{key}.js", script_data.format_script(text).encode(errors=ESCAPE_UNENCODABLE))
        written.add(f"{key}.js")
    result, threshold = data.result, data.result.settings.threshold
    for layer in result.layers.values():
        html = environment.get_template("layer.html").render(
            run=result, layer=layer, threshold=threshold, method=_METHOD, policy=_FOLDER_POLICY,
            skipped=masthead.list_skipped_images(result), found=layer.detectors(threshold), by_category=layer.detectors(threshold, "category"),
            findings=_list_findings(layer, result),
        )  # fmt: skip
        write(folder / f"{layer.layer.file_stem}.html", html.encode(errors=ESCAPE_UNENCODABLE))
    return written


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
    html = (
        _make_environment()
        .get_template("single.html")
        .stream(
            _describe_index(data.result),
            **_embed_assets(_STYLES, _LATE_SCRIPTS),
            blocks=_embed_data(data, folder),
        )
    )
    with atomic.open_replacement(path) as file:
        for part in html:
            file.write(part.encode())
    return path


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
    return _make_environment().get_template(template).render(**assets, method=_METHOD, **values)


def _embed_assets(styles: Sequence[str], scripts: Sequence[str]) -> dict[str, str]:
    """Return the styles and scripts, and a Content-Security-Policy that allows only these, by their hashes."""
    early, late = ("".join(_read_static_file(name).decode() for name in names) for names in (_EARLY_SCRIPTS, scripts))
    style = "".join(_read_static_file(name).decode() for name in styles)
    for font in _FONTS:
        coded = base64.b64encode(_read_static_file(f"fonts/{font}.woff2")).decode()
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
    for figure in (figure for panels in data.panels for figure in panels.figures):
        yield figure, "text/plain", base64.b64encode((folder / figure).read_bytes()).decode()


def _hash_source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _read_static_file(name: str) -> bytes:
    return resources.files("netdissect.report.html").joinpath("static", name).read_bytes()


def _make_environment() -> jinja2.Environment:
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


def _describe_index(result: Result) -> dict[str, Any]:
    """Return the values of the index template."""
    return {
        **masthead.describe_page(result),
        "method": _METHOD,
        "keyboard": _KEYBOARD,
        "early": _EARLY_SCRIPTS,
        "late": _LATE_SCRIPTS,
        "styles": _STYLES,
    }
