"""Examples in docstrings run, and the pages and sections that docstrings name exist."""

from __future__ import annotations

import ast
import dataclasses
import doctest
import importlib
import re
from pathlib import Path

import pytest

import netdissect

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


def list_public_dataclasses():
    """Return the dataclasses of public names, and those that a result, a comparison or a look is made of."""
    rooms = [
        "analyses.look",
        "concepts",
        "experiments.compare_runs",
        "experiments.track",
        "layers",
        "report.image_look",
    ]
    rooms += [f"results.{path.stem}" for path in sorted((SOURCE / "results").glob("*.py"))]
    found = [getattr(netdissect, name) for name in netdissect.__all__]
    for room in rooms:
        module = importlib.import_module(f"netdissect.{room}")
        found += [
            kind
            for name, kind in vars(module).items()
            if not name.startswith("_") and module.__name__ == getattr(kind, "__module__", "")
        ]
    return sorted(
        {kind for kind in found if isinstance(kind, type) and dataclasses.is_dataclass(kind)},
        key=lambda kind: kind.__qualname__,
    )


def test_every_public_field_is_described_and_an_array_by_its_shape():
    wrong, kinds = [], list_public_dataclasses()
    assert {"Settings", "Layer", "LayerResult", "LookResult", "Comparison", "UnitTrust"} <= {
        kind.__name__ for kind in kinds
    }
    for kind in kinds:
        text = "\n".join(base.__doc__ or "" for base in kind.__mro__)
        for field in dataclasses.fields(kind):
            said = re.search(rf"^ *{field.name}: .+(?:\n {{8}} +.+)*", text, re.MULTILINE)
            if field.name.startswith("_") or field.metadata.get("help"):
                continue
            if said is None or ("NDArray" in str(field.type) and "shape" not in said[0]):
                wrong.append(f"{kind.__name__}.{field.name}")
    assert wrong == []


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
