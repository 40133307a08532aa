"""Links, functions and paths in the documents exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCE = ROOT / "src" / "netdissect"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_targets_of_links_exist(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" not in target and not target.startswith("#"):
            assert (page.parent / target.partition("#")[0]).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", ["method.md", "trust.md"])
def test_functions_named_in_the_method_exist(page):
    text = (ROOT / "docs" / page).read_text()
    found = re.findall(r"`([\w/]+\.py): ([\w, ]+)`", text)
    assert len(found) > 8
    for file, names in found:
        tree = ast.parse((SOURCE / file).read_text())
        defined = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
        missing = {name.strip() for name in names.split(",")} - defined
        assert not missing, f"{file} has no {missing}"


def test_the_map_names_every_room():
    text = (ROOT / "docs" / "map.md").read_text()
    rooms = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert {room for room in rooms if f"`{room}/`" not in text} == set()


def test_paths_in_the_tour_of_the_readme_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    tour = text.partition("## A tour of the code")[2]
    paths = [
        path
        for row in re.findall(r"^\| .+ \| (.+) \|$", tour, re.MULTILINE)[1:]
        for path in re.findall(r"`([^`]+)`", row)
    ]
    assert len(paths) > 15
    assert [path for path in paths if not (SOURCE / path).exists()] == []
