"""The reference of the Python package: a page for each section of docs/api.md, with the docstrings of its names."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import netdissect

ROOT = Path(__file__).resolve().parents[1]
FOLDER = "python"
#: Classes that public ones return, by the section of docs/api.md that describes them.
RETURNED = {
    "Results": ("netdissect.results.layer_result.LayerResult", "netdissect.results.unit_result.UnitResult"),
}
#: Modules that are imported by their own names, with the title and the first line of their page.
MODULES = {
    "netdissect.callbacks": (
        "Callbacks",
        "Dissections while a network is trained: `from netdissect.callbacks import …`.",
    ),
    "netdissect.errors": (
        "Exceptions",
        "Every error that is raised on purpose; [errors](../errors.md) has the messages.",
    ),
}
_ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


def find_sections() -> dict[str, list[str]]:
    """Return the public names of every section of docs/api.md that has some."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    found = {
        title: [name for name in _ROW.findall(body) if name in netdissect.__all__]
        for title, body in zip(parts[::2], parts[1::2], strict=True)
    }
    return {title: names for title, names in found.items() if names}


@functools.cache
def make_pages() -> dict[str, str]:
    """Return the Markdown of every page, by its path in the site."""
    pages = {}
    for title, names in find_sections().items():
        paths = [find_path(name) for name in names if netdissect._MODULES[name] not in MODULES]  # noqa: SLF001
        directives = paths + list(RETURNED.get(title, ()))
        pages[page_of(title)] = f"# {title}\n\n" + "".join(_describe(path) for path in directives)
    for module, (title, text) in MODULES.items():
        pages[page_of(title)] = f"# {title}\n\n{text}\n\n{_describe(module, heading=False)}"
    return pages


def page_of(title: str) -> str:
    """Return the path of a section's page.

    >>> page_of("Questions to a finished run")
    'python/questions-to-a-finished-run.md'
    """
    return f"{FOLDER}/{title.lower().replace(' ', '-')}.md"


def find_path(name: str) -> str:
    """Return where a public name is defined.

    >>> find_path("dissect")
    'netdissect.api.dissect'
    """
    module = netdissect._MODULES[name]  # noqa: SLF001 - the table of lazy names
    return module if name == "importers" else f"{module}.{name}"


def link_names(text: str) -> str:
    """Return docs/api.md with the names of its tables as links to their docstrings."""

    def link(row: re.Match[str]) -> str:
        return f"| [`{row[1]}`][{find_path(row[1])}] |" if row[1] in netdissect.__all__ else row[0]

    return _ROW.sub(link, text)


def _describe(path: str, *, heading: bool = True) -> str:
    """Return the directive that shows an object's docstring."""
    return f"::: {path}\n" + ("\n" if heading else "    options:\n      show_root_heading: false\n\n")
