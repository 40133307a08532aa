"""Imports are light, the contracts of import-linter can fail, and sources keep rules that ruff has not."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src" / "netdissect").rglob("*.py"))


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("netdissect", {"torch", "numpy", "numba", "pyarrow"}),
        ("netdissect.cli", {"torch", "numba", "pyarrow", "matplotlib"}),
        ("netdissect.results.run_result", {"torch", "numba", "matplotlib"}),
        ("netdissect.report", {"torch", "matplotlib"}),
        ("netdissect.probe_sets.broden.reader", {"torch", "numba", "matplotlib"}),
        ("netdissect.engine.dissect", {"torchvision", "matplotlib", "google.protobuf"}),
    ],
)
def test_importing_a_module_does_not_load_heavy_libraries(module, heavy):
    script = f"import sys, {module}; loaded = {heavy!r} & set(sys.modules); assert not loaded, loaded"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_saved_run_is_loaded_and_its_report_imported_without_torch():
    script = "import sys; from netdissect import api; from netdissect.report import report_writer; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def run_import_linter(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(folder / "src"), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip


def test_an_import_against_the_map_breaks_a_contract(tmp_path):
    if not Path(sys.executable).with_name("lint-imports").exists():
        pytest.skip("import-linter is not installed")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    assert run_import_linter(tmp_path).returncode == 0
    faults = (
        ("geometry.fieldmap", "netdissect.engine.plan"),
        ("engine.plan", "netdissect.probe_sets.broden.reader"),
        ("engine.tasks", "netdissect.runtime.port"),
        ("runtime.port", "netdissect.engine.plan"),
        ("report.report_writer", "torch"),
    )
    for module, imported in faults:
        path = tmp_path / "src" / "netdissect" / f"{module.replace('.', '/')}.py"
        future = "from __future__ import annotations\n"
        path.write_text(path.read_text().replace(future, f"{future}import {imported}\n"))
    found = run_import_linter(tmp_path)
    assert found.returncode == 1
    missed = [fault for fault in faults if f"netdissect.{fault[0]} -> {fault[1]} " not in found.stdout]
    assert missed == [], found.stdout


def test_no_module_is_called_utils_or_helpers():
    forbidden = {"utils", "util", "common", "helpers", "helper", "misc", "tools"}
    assert not [path for path in SOURCES if path.stem in forbidden or path.parent.name in forbidden]


def test_the_library_never_prints():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.Call) and ast.unparse(node.func) == "print"), (
                f"{path}:{node.lineno} prints"
            )


def test_no_source_has_a_todo():
    for path in SOURCES:
        text = path.read_text()
        for word in ("TODO", "FIXME", "XXX"):
            assert word not in text, f"{path} says {word}"


def test_no_committed_file_names_a_package_index():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    hosts = ("pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "download.pytorch" + ".org")
    for name in filter(None, tracked):
        path = ROOT / name
        if (
            path.suffix in {".py", ".toml", ".txt", ".md", ".cfg", ".json", ".yml", ".yaml", ".cff", ".js", ""}
            and path.is_file()
        ):
            text = path.read_text(errors="ignore")
            assert not [host for host in hosts if host in text], f"{name} names a package index"
