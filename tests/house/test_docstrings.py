"""Examples in docstrings run, and the pages and sections that docstrings name exist."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "netdissect"
FILES = sorted(SOURCE.rglob("*.py"))
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
#: References to pages that are not in the repository.
ELSEWHERE = r"\b(METHOD|BRODEN|ENGINE|INTERFACE|TRUST|STORY|DEMO|HOUSE|FAULTS), (the )?§|\b(METHOD|BRODEN|ENGINE) §"


def has_example(path):
    return ">>>" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [*filter(has_example, FILES)], ids=lambda path: str(path.relative_to(SOURCE)))
def test_examples_in_docstrings_run(path):
    name = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
    failed, tried = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS)
    assert tried > 0
    assert failed == 0


def test_no_example_is_skipped():
    assert [path for path in FILES if re.search(r"doctest:\s*\+SKIP", path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_pages_and_sections_named_in_sources_exist(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(ELSEWHERE, text), "a page that is not in the repository"
    for page, section in re.findall(r"docs/([\w/.-]+\.md)(?:`{0,2},? § ?(\d+))?", text):
        found = ROOT / "docs" / page
        assert found.exists(), page
        if section:
            assert re.search(rf"^## {section}\. ", found.read_text(encoding="utf-8"), re.MULTILINE), (
                f"{page} § {section}"
            )
    for number in re.findall(r"\bdecision (\d+)\b", text):
        assert list((ROOT / "docs" / "decisions").glob(f"{int(number):04d}-*.md")), f"decision {number}"


def test_docstrings_of_functions_are_in_the_imperative():
    third_person = re.compile(r"^(Returns|Gets|Makes|Writes|Reads|Computes|Checks|Creates|Gives|Finds|Tells|Says)\b")
    wrong = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                text = ast.get_docstring(node) or ""
                if third_person.match(text):
                    wrong.append(f"{path.relative_to(SOURCE)}:{node.lineno}: {text.splitlines()[0]}")
    assert wrong == []
