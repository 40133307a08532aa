"""Markdown that reads the same on GitHub and in the site: links out of docs/, and lists that follow a line of text."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[1]
#: Folder of the site that has the pages and files from outside of docs/.
PROJECT = "project"
_FENCE = re.compile(r"^( *)(`{3,}|~{3,})")
_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_ITEM = re.compile(r"^([-*+]|\d+\.) ")


def find_project_pages() -> dict[str, str]:
    """Return the page of the site for each Markdown file of the repository's root, except README.md.

    >>> find_project_pages()["CHANGELOG.md"]
    'project/changelog.md'
    """
    return {path.name: f"{PROJECT}/{path.name.lower()}" for path in ROOT.glob("*.md") if path.name != "README.md"}


def find_linked_files() -> dict[str, Path]:
    """Return the other files outside of docs/ that pages link to, such as LICENSE, by their place in the site."""
    found = {}
    sources = [*(ROOT / "docs").rglob("*.md"), *(ROOT / name for name in find_project_pages())]
    for source in sources:
        for _, target, _ in _LINK.findall(source.read_text(encoding="utf-8")):
            path = _find_path(target, source.relative_to(ROOT).as_posix())
            if path is not None and not path.startswith("docs") and path not in find_project_pages():
                found[f"{PROJECT}/{path}"] = ROOT / path
    return {place: path for place, path in found.items() if path.is_file() and path.name != "README.md"}


def adapt_page(text: str, page: str) -> str:
    """Return a page's Markdown as mkdocs needs it; code blocks stay as they are.

    Args:
        text: Markdown as GitHub reads it.
        page: the file it is from, relative to the repository's root, such as ``docs/api.md``.
    """
    pages = find_project_pages()

    def adapt_line(line: str) -> str:
        return _LINK.sub(lambda link: link[1] + resolve_link(link[2], page, pages) + link[3], line)

    return "\n".join(_separate_lists(_map_prose(text.splitlines(), adapt_line))) + "\n"


def resolve_link(target: str, page: str, pages: dict[str, str]) -> str:
    """Return a link's target as it is in the site.

    >>> resolve_link("../CHANGELOG.md", "docs/api.md", {"CHANGELOG.md": "project/changelog.md"})
    'project/changelog.md'
    >>> resolve_link("docs/trust.md#chance", "CONTRIBUTING.md", {"CONTRIBUTING.md": "project/contributing.md"})
    '../trust.md#chance'
    """
    path = _find_path(target, page)
    if path is None:
        return target
    if path in ("README.md", "docs"):
        path = "docs/index.md"
    if path == "docs/decisions":
        path += "/index.md"
    place = path.removeprefix("docs/") if path.startswith("docs/") else pages.get(path, f"{PROJECT}/{path}")
    here = posixpath.dirname(pages.get(page, page.removeprefix("docs/")))
    return posixpath.relpath(place, here or ".") + "".join(target.partition("#")[1:])


def _find_path(target: str, page: str) -> str | None:
    """Return the file that a link on a page leads to, relative to the repository's root; None for anchors and addresses."""
    if ":" in target or target.startswith("#"):
        return None
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), target.partition("#")[0]))


def _map_prose(lines: list[str], change: Callable[[str], str]) -> Iterator[tuple[str, bool]]:
    """Yield every line, changed outside of fenced code, and whether it is code."""
    fence = ""
    for line in lines:
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[2]
            yield line, True
        elif fence:
            fence = "" if mark and mark[2].startswith(fence) else fence
            yield line, True
        else:
            yield change(line), False


def _separate_lists(lines: Iterator[tuple[str, bool]]) -> Iterator[str]:
    """Yield lines with an empty one before a list that follows text: GitHub starts a list there, Python-Markdown does not."""
    before = ""
    for line, is_code in lines:
        if (
            not is_code
            and _ITEM.match(line)
            and before
            and not before.startswith((" ", "\t"))
            and not _ITEM.match(before)
        ):
            yield ""
        yield line
        before = "" if is_code else line
