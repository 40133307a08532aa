"""The wheel has every file of the package, among them the bundled network and the report's files."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build a wheel from a copy of the checkout; return the sizes of its files by name."""
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling, which builds the wheel, is not installed (python3 dev.py setup installs it)")
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"], cwd=folder, check=True, capture_output=True
    )
    (built,) = (folder / "dist").glob("netdissect-*.whl")
    with zipfile.ZipFile(built) as archive:
        return {entry.filename: entry.file_size for entry in archive.infolist()}


def test_every_file_of_the_package_is_in_the_wheel(wheel):
    source = ROOT / "src"
    files = {
        str(path.relative_to(source)): path.stat().st_size
        for path in (source / "netdissect").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files.items() <= wheel.items()


@pytest.mark.parametrize(
    ("folder", "endings"),
    [
        ("netdissect/demo/network/", {".prototxt", ".caffemodel"}),
        ("netdissect/report/html/templates/", {".html"}),
        ("netdissect/report/html/static/", {".js", ".css"}),
    ],
)
def test_files_other_than_python_are_in_the_wheel(wheel, folder, endings):
    found = {Path(name).suffix for name, size in wheel.items() if name.startswith(folder) and size}
    assert endings <= found
