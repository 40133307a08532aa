"""The public names are exactly these, are typed and documented, and the docs use no others."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import netdissect

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("*.*"))]

PUBLIC = [
    "Broden", "Concept", "Generator", "ImageLabeler", "Labels", "Layer", "LookResult", "NetdissectError", "Network", "PanelContent",
    "Preprocess", "ReportPanel", "Result", "Score", "Segmenter", "Settings", "Source", "SourceImage", "UnitTable", "Vocabulary",
    "ablate", "add_reference", "build_broden", "compare", "control", "discriminate", "dissect", "dissect_series", "explain", "export_activations", "generate_probe_set", "importers", "keep_freed_memory", "list_layers", "load", "load_network", "load_open_vocabulary", "load_segmenter", "look", "make_probe_set", "open_probe_set", "prepare_probe_set", "register_model_kind", "register_report_panel", "register_score", "remove_units", "rotate", "track",
]  # fmt: skip


def test_the_public_names_are_these():
    assert sorted(netdissect.__all__) == dir(netdissect) == sorted([*PUBLIC, "__version__"])
    for name in PUBLIC:
        assert getattr(netdissect, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'disect'"):
        netdissect.disect  # noqa: B018


def test_every_public_name_is_imported_for_type_checkers_from_where_it_is():
    tree = ast.parse((ROOT / "src/netdissect/__init__.py").read_text(encoding="utf-8"))
    found = {
        name.name: node.module
        for block in tree.body if isinstance(block, ast.If)
        for node in block.body if isinstance(node, ast.ImportFrom)
        for name in node.names
    }  # fmt: skip
    modules = dict(netdissect._MODULES)
    assert found.pop("importers") + ".importers" == modules.pop("importers")
    assert found == modules


def test_the_reference_lists_every_public_name_once_and_marks_the_provisional_ones():
    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    text = re.sub(r"^### Finding one's way.*?(?=^## )", "", text, flags=re.MULTILINE | re.DOTALL)  # columns of a table
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", text, re.MULTILINE)
    assert sorted(name for name, _ in rows) == PUBLIC
    assert {name for name, text in rows if "(provisional)" in text} == netdissect.PROVISIONAL


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_imports_from_below_the_public_names(page):
    for module in re.findall(r"^\s*(?:from|import) (netdissect[.\w]*)", page.read_text(encoding="utf-8"), re.MULTILINE):
        assert module in ("netdissect", "netdissect.callbacks", "netdissect.errors"), f"{page.name} imports {module}"
