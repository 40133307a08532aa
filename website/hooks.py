"""What mkdocs calls while it builds the site (``hooks`` in mkdocs.yml)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # mkdocs imports this file by its path
    sys.path.insert(0, str(ROOT))

from website import decisions, links  # noqa: E402

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made while building."""
    pages = {"decisions/index.md": decisions.make_index(ROOT / "docs" / "decisions")}
    for name, page in links.find_project_pages().items():
        pages[page] = (ROOT / name).read_text(encoding="utf-8")
    for page, text in pages.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Make a page's links and lists work in the site too."""
    sources = {made: name for name, made in links.find_project_pages().items()}
    source = sources.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return links.adapt_page(markdown, source, config.repo_url)
