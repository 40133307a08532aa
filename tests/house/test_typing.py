"""A type checker sees the settings of ``netdissect.dissect`` and ``netdissect.rotate``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

ROOT = Path(__file__).resolve().parents[2]
SNIPPET = """
import netdissect as nd

nd.dissect("m", "layer4", "data", quantile=0.01, batch_size=64, geometry="grid", settings=nd.Settings(limit=3))
nd.dissect("m", "layer4", "data", quantil=0.01)
nd.dissect("m", "layer4", "data", batch_size="64")
nd.dissect("m", "layer4", "data", geometry="round")
nd.dissect("m", "layer4", "data", pictures=None)
nd.rotate("m", "layer4", "data", alphas=[0, 1], quantile=0.01)
nd.rotate("m", "layer4", "data", quantil=0.01)
"""


@pytest.mark.slow
def test_mypy_accepts_right_settings_and_catches_wrong_ones(tmp_path):
    (tmp_path / "snippet.py").write_text(SNIPPET)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", ROOT / ".mypy_cache", "--config-file", ROOT / "pyproject.toml",
         tmp_path / "snippet.py"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in checked.stdout.splitlines() if "error:" in line]
    assert [int(line.partition("snippet.py:")[2].partition(":")[0]) for line in lines] == [5, 6, 7, 8, 10], (
        checked.stdout
    )
