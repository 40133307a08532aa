"""Words that docs/glossary.md rules out do not come back; files, classes and functions have unique names."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "netdissect"
FILES = [*sorted(SOURCE.rglob("*.py"))]
TEXTS = [
    *FILES,
    *(path for ending in ("*.js", "*.css", "*.html") for path in sorted(SOURCE.rglob(ending))),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
]
#: Words that must not come back, and exceptions: options, columns and formats.
WORDS = {
    r"\bpictures?\b": r"--(no-)?pictures|`pictures`|\bpictures: |pictures=|\.pictures\b|\"pictures\"",
    r"\bPython's lock\b": None,
    r"\bnobody vouches\b": None,
    r"\bfor ever\b": None,
    r"\bat hand\b": None,
    r"\bthe hall\b": None,
    r"\b(is|are|be) told\b(?! apart)": None,
    r"\b[Ww]itness\b": None,
    r"\bbehind (the|a) layer": None,
}
#: Names of classes and functions that must not come back.
FORBIDDEN_NAMES = """\
Annotated Artefacts Asked Atom Axis Bars Batch Bench BenchSetup Beside Best Brush Budget CaffeSource Call Carried Cluster
CocoPictures Compared CudaSide Cut Demo Embedded Enough Entry Fetched Field Fixed Gallery Graph Held HfPictures Hints
HollowNetwork InProcess Input Item Kept Kind Known Label Labeller Lacking Look Lost Made Making Manner MaskedPictures
Member Naming Numbered Outcome Pace Part Partial Patch Photos PictureSource Png Powers Prepared Probed Processes
ProjectedSource Ray Readable Reading Receipt Recipe Refused Row Runnable Runs Seen SeenNetwork SegmentedPictures Selector Setup
ShortCuts ShownLayer ShownUnit Side Silent Spelling Step Tables Threads Told Tool Track Turned Unavailable Unbroken Usage Use
Wanted Watch Witness Words Work Workers Written asked carried cleared complain drawn given held holding kept made moved must
narrowed randomly reason say seen suspects sweep told turned wanted
""".split()  # noqa: SIM905 - words are read more easily without quotes


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_words_of_the_last_table_do_not_come_back(path):
    if path.name == "glossary.md":
        return
    text = path.read_text(encoding="utf-8")
    for word, allowed in WORDS.items():
        for number, line in enumerate(text.splitlines(), 1):
            left = re.sub(allowed, "", line) if allowed else line
            assert not re.search(word, left), f"{path.relative_to(ROOT)}:{number}: {line.strip()}"


def definitions():
    """Yield every top-level class and public function of the package with its file."""
    for path in FILES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                yield node, path.relative_to(SOURCE)


def test_every_file_has_one_name():
    files = defaultdict(list)
    for path in FILES:
        if path.stem not in ("__init__", "__main__"):
            files[path.stem].append(str(path.relative_to(SOURCE)))
    assert {
        name: paths for name, paths in files.items() if len([p for p in paths if not p.startswith("cli/")]) > 1
    } == {}


def test_every_class_has_one_name():
    classes = defaultdict(list)
    for node, path in definitions():
        if isinstance(node, ast.ClassDef):
            classes[node.name].append(str(path))
    assert {name: paths for name, paths in classes.items() if len(paths) > 1} == {}


def test_every_public_function_has_one_name():
    functions = defaultdict(list)
    for node, path in definitions():
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and path.parts[0] != "cli":
            functions[node.name].append(str(path))
    assert {name: paths for name, paths in functions.items() if len(paths) > 1} == {}


def test_forbidden_names_do_not_come_back():
    defined = {
        node.name
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.ClassDef, ast.FunctionDef))
    }
    assert defined.isdisjoint(FORBIDDEN_NAMES)
