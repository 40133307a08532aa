"""The documentation site builds without a warning, works from disk, and its links and references are complete."""

from __future__ import annotations

import functools
import http.server
import os
import posixpath
import re
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from tests.browser.conftest import find_violations
from website import command_pages, python_pages

import netdissect

pytest.importorskip("mkdocs", reason="the site is built with the extra docs")
filelock = pytest.importorskip("filelock")
ROOT = Path(__file__).resolve().parents[2]
#: Pages that are opened in a browser.
SHOWN = ("index.html", "trust.html", "python/dissect.html", "command-line/run.html", "decisions/index.html")
#: Attributes that make a browser load something, by element.
LOADED = {
    ("script", "src"),
    ("img", "src"),
    ("link", "href"),
    ("iframe", "src"),
    ("source", "srcset"),
    ("video", "src"),
}

pytestmark = pytest.mark.slow


class PageReader(HTMLParser):
    """Reads what a page links to, what it loads, its anchors, and its text outside of code."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if "id" in values:
            self.anchors.add(values["id"])
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        for name, value in attributes:
            if (tag, name) in LOADED and value and values.get("rel") not in ("canonical", "next", "prev"):
                self.loaded.append(value)
        if tag in ("p", "pre", "code", "script", "style", "title"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data):
        if self._open == ["p"]:
            self.text.append(data)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return the folder of the built site; the processes of a run share it."""
    shared = tmp_path_factory.getbasetemp()
    folder = (shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared) / "site"
    with filelock.FileLock(folder.with_suffix(".lock")):
        if not (folder / "sitemap.xml").exists():
            done = subprocess.run(
                [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
                cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site).as_posix(): PageReader(path) for path in sorted(site.rglob("*.html"))}


def test_links_anchors_and_images_lead_somewhere(site, pages):
    broken = []
    for name, page in pages.items():
        if name == "404.html":
            continue  # the server may show it at any address
        for target in [*page.links, *page.loaded]:
            address = urlsplit(target)
            if address.scheme:
                if not re.fullmatch(r"(https?://[\w.-]+(:\d+)?(/.*)?|mailto:.+|data:.+)", target):
                    broken.append((name, target))
                continue
            path = (
                posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(address.path)))
                if address.path
                else name
            )
            anchor = unquote(address.fragment)
            if not (site / path).is_file() or (
                anchor and path in pages and anchor not in pages[path].anchors | {"__tabbed"}
            ):
                broken.append((name, target))
    assert broken == []


def test_no_page_loads_anything_from_outside(pages):
    assert len(pages) > 150
    outside = [
        (name, target)
        for name, page in pages.items()
        for target in page.loaded
        if urlsplit(target).scheme not in ("", "data")
    ]
    assert outside == []


def test_no_markdown_is_left_in_the_text(pages):
    left = [
        (name, text) for name, page in pages.items() for text in page.text
        if re.search(r"(^|\n)([-*] |```|\| |:::)|\]\(|\]\[", text)
    ]  # fmt: skip
    assert left == []


def test_every_command_and_option_has_its_place(pages):
    for command in command_pages.find_commands():
        page = pages[command.page.replace(".md", ".html")]
        assert command.anchor in page.anchors
        for argument in command_pages.find_arguments(command):
            assert f"{command.anchor}-{argument.names[0].lstrip('-').lower()}" in page.anchors
    options = {
        name
        for argument in command_pages.find_arguments(next(c for c in command_pages.find_commands() if c.name == "run"))
        for name in argument.names
    }
    assert {"--null-exact", "--quantile", "MODEL", "--layers"} <= options  # rare ones too


def test_every_public_name_has_its_place_and_the_table_links_to_it(pages):
    anchors = set().union(*(page.anchors for name, page in pages.items() if name.startswith("python/")))
    public = [name for name in netdissect.__all__ if name != "__version__"]
    assert [name for name in public if python_pages.find_path(name) not in anchors] == []
    linked = {link.partition("#")[2] for link in pages["api.html"].links}
    assert [name for name in public if python_pages.find_path(name) not in linked] == []
    errors = vars(netdissect.errors)
    tree = [
        name
        for name, value in errors.items()
        if isinstance(value, type) and issubclass(value, netdissect.NetdissectError)
    ]
    assert [name for name in tree if f"netdissect.errors.{name}" not in anchors] == []


@pytest.fixture
def served(site):
    """Return the site's address on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.browser
@pytest.mark.parametrize("where", ["disk", "server"])
def test_pages_ask_for_nothing_outside_and_a_served_search_finds(where, site, served, browser):
    start = f"{site.as_uri()}/" if where == "disk" else served
    asked, errors = [], []
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    for name in SHOWN:
        page.goto(start + name, wait_until="load")
    page.goto(f"{start}index.html")
    if where == "server":  # from disk the search is not tested: it answers there only if its index was loaded in time
        page.locator("[data-md-component=search-query]").fill("false discovery rate")
        page.locator(".md-search-result__link").first.wait_for(timeout=30_000)
        assert "trust" in " ".join(page.locator(".md-search-result__link").evaluate_all("all => all.map(a => a.href)"))
    context.close()
    assert errors == []
    assert len(asked) > 20
    assert [url for url in asked if not url.startswith((start, "data:", "blob:", "about:"))] == []


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone_and_break_no_rule_of_accessibility(scheme, site, browser):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    found = {}
    for name in SHOWN:
        page.goto(f"{site.as_uri()}/{name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        if name in ("index.html", "python/dissect.html", "command-line/run.html"):
            violations = find_violations(axe, page)
            found[name] = [
                one for one in violations if one[0] != "landmark-unique"
            ]  # the theme's copy buttons, one per block
    context.close()
    assert {name: violations for name, violations in found.items() if violations} == {}
