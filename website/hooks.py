"""What mkdocs calls while it builds the site (``hooks`` in mkdocs.yml)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "src" / "netdissect" / "report" / "html" / "static"
if str(ROOT) not in sys.path:  # mkdocs imports this file by its path
    sys.path.insert(0, str(ROOT))

from website import command_pages, decisions, links, python_pages  # noqa: E402

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the generated pages in the nav, below the entries ``command-line/`` and ``python/``."""
    pages = {"command-line/": list(command_pages.make_pages()), "python/": ["api.md", *python_pages.make_pages()]}
    config.nav = _expand(config.nav, pages)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made while building."""
    pages = {"decisions/index.md": decisions.make_index(ROOT / "docs" / "decisions")}
    pages |= {page: (ROOT / name).read_text(encoding="utf-8") for name, page in links.find_project_pages().items()}
    for page, text in (pages | command_pages.make_pages() | python_pages.make_pages()).items():
        files.append(File.generated(config, page, content=text))
    assets = {"logo.svg": REPORT / "favicon.svg"} | {
        f"fonts/{path.name}": path for path in (REPORT / "fonts").iterdir()
    }
    for place, path in ({f"assets/{name}": path for name, path in assets.items()} | links.find_linked_files()).items():
        files.append(File.generated(config, place, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Make a page's links and lists work in the site too."""
    sources = {made: name for name, made in links.find_project_pages().items()}
    text = links.adapt_page(markdown, sources.get(page.file.src_uri, f"docs/{page.file.src_uri}"))
    if page.file.src_uri == "index.md":
        page.meta["hide"] = ["navigation", "toc"]
    if page.file.src_uri.startswith("decisions/0"):
        text += "\n[All decisions](index.md)\n"
    return python_pages.link_names(text) if page.file.src_uri == "api.md" else text


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:  # noqa: ARG001
    """Name the search dialog of the theme for screen readers."""
    return output.replace(
        'data-md-component="search" role="dialog"', 'data-md-component="search" role="dialog" aria-label="Search"'
    )


def _expand(nav: object, pages: dict[str, list[str]]) -> object:
    """Return a nav whose entries that name a folder are the folder's pages."""
    if isinstance(nav, list):
        return [_expand(item, pages) for item in nav]
    if isinstance(nav, dict):
        return {title: _expand(item, pages) for title, item in nav.items()}
    return pages.get(str(nav), nav)
