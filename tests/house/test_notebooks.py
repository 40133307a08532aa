"""The notebooks in ``examples/`` are executed, small, and run from the first cell to the last.

A test runs each in an empty folder with fewer images and epochs (the cell tagged ``parameters``, as papermill has it).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
#: What a notebook's parameters are set to, so that it takes seconds; where a name is missing, its own value stays.
QUICK = {"TRAINING_IMAGES": 120, "EPOCHS": 1, "PROBE_IMAGES": 60, "SAE_STEPS": 20, "PHOTOS": 70}
MOST_BYTES = 700_000


def find_parameters(book):
    return next(cell for cell in book.cells if "parameters" in cell.metadata.get("tags", ()))


def make_quick(book):
    """Append a cell after the parameters that sets those of QUICK."""
    cell = find_parameters(book)
    names = [name.strip() for name in cell.source.partition("=")[0].split(",")]
    assert names and set(names) <= set(QUICK), "a parameter without a quick value"
    lines = "\n".join(f"{name} = {QUICK[name]}" for name in names)
    book.cells.insert(book.cells.index(cell) + 1, nbformat.v4.new_code_cell(lines))


def test_there_are_four_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ["training", "trust", "vit_and_sae", "your_photos"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_executed_and_its_outputs_are_small(path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "not executed from top to bottom"
    outputs = [output for cell in code for output in cell.outputs]
    assert len(outputs) > 5
    assert not [output for output in outputs if output.output_type == "error"]
    text = path.read_text(encoding="utf-8")
    assert len(text) < MOST_BYTES
    assert not re.search(r"/(home|root|Users|tmp|work)/", text), "a path of the machine it was executed on"


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    book = nbformat.read(path, as_version=4)
    make_quick(book)
    start = f"import sys; sys.path.append({str(ROOT)!r}); import tests.conftest"  # the operators that torchvision needs here
    book.cells.insert(0, nbformat.v4.new_code_cell(start))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("PATH", os.defpath)  # a server started from another environment does not find `netdissect`
    NotebookClient(book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
