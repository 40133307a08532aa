"""The lower bounds in pyproject.toml are the versions in constraints-lowest.txt, which are tested."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Packages that only the tests of the lowest versions need.
TOOLS = {"onnx-ir", "onnxscript"}


def parse_version(version):
    """Return three numbers: 4.1 and 4.1.0 are one version."""
    numbers = [int(part) for part in version.split(".")]
    return tuple(numbers + [0] * (3 - len(numbers)))


def test_every_bound_is_the_version_that_is_tested():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [
        line
        for name, lines in project["optional-dependencies"].items()
        if name not in ("dev", "docs")
        for line in lines
    ]
    declared = {}
    for line in [*project["dependencies"], *extras]:
        name, bound = re.fullmatch(r"([\w-]+)>=([\d.]+)", line).groups()
        declared[name] = parse_version(bound)
    text = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8")
    tested = {name: parse_version(version) for name, version in re.findall(r"^([\w-]+)==([\d.]+)$", text, re.MULTILINE)}
    assert {name: version for name, version in tested.items() if name not in TOOLS} == declared
