"""Every example of docs/extending.md runs and is short."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest
from tests import made_up_runs, small_probe_set

import netdissect as nd
from netdissect.networks import plugins
from netdissect.protocols import NullProgress
from netdissect.report import panels, write_report
from netdissect.results import files

PAGE = Path(__file__).resolve().parents[2] / "docs" / "extending.md"
LONGEST = 30  # lines


def read_blocks(heading: str, language: str) -> list[str]:
    """Return the blocks of one language in a section of the page."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(rf"```{language}\n(.*?)```", section, flags=re.DOTALL)
    assert found, f"docs/extending.md has no {language} block below {heading!r}"
    return found


@pytest.fixture
def data(tmp_path):
    return small_probe_set.write_probe_set(tmp_path / "dataset" / "broden1_224", images=4)


@pytest.fixture
def mylib(tmp_path, monkeypatch):
    """Return a folder on the path with the page's module; no model kind is registered."""
    monkeypatch.setattr(plugins, "_registered", {})
    (tmp_path / "netdissect_mylib.py").write_text(read_blocks("A new kind of model", "python")[0])
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("netdissect_mylib", None)


def test_the_examples_are_short():
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert all(len(example.splitlines()) < LONGEST for example in examples)


def test_a_new_kind_of_model_of_an_installed_package(mylib, data, capsys):
    from netdissect.cli import main

    project = tomllib.loads(read_blocks("A new kind of model", "toml")[0])["project"]
    ((group, declared),) = project["entry-points"].items()
    lines = [f"[{group}]", *(f"{name} = {place}" for name, place in declared.items())]
    info = mylib / "mylib-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mylib\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(lines))
    assert "netdissect_mylib" not in sys.modules
    with pytest.raises(SystemExit) as leave:
        main(["layers", "mylib:tiny"])
    assert (leave.value.code, "Conv2d" in capsys.readouterr().out) == (0, True)
    result = nd.dissect("mylib:tiny", ["1"], data, quantile=0.1)
    assert result.layers["1"].layer.units == 4
    assert result.network.preprocessing.startswith("BGR")


def test_a_new_kind_of_model_in_a_script(mylib, data, monkeypatch):
    monkeypatch.chdir(mylib)
    script = "".join(read_blocks("A new kind of model", "python"))
    namespace = {}
    exec(compile(script, str(PAGE), "exec"), namespace)
    assert namespace["result"].network.source == "mylib:tiny"


@pytest.fixture
def run_folder(tmp_path, monkeypatch):
    """Return the run folder that the page's script names; no panel is registered."""
    monkeypatch.setattr(panels, "_REGISTRY", {})
    folder = tmp_path / "dissection" / "resnet18"
    result, probe_set = made_up_runs.make_run((6,), 8, pictures=12)
    files.save_run(result, folder)
    write_report(result, folder, probe_set, NullProgress())
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_new_report_panel_in_a_script(run_folder):
    assert not (run_folder / "html/data/layer-0-panels.js").exists()
    exec(compile("".join(read_blocks("A new report panel", "python")), str(PAGE), "exec"), {})
    assert "is number 6 of 6 by best IoU" in (run_folder / "html/data/layer-0-panels.js").read_text()


def test_a_new_report_panel_of_an_installed_package(run_folder, tmp_path, monkeypatch):
    (tmp_path / "netdissect_mylib.py").write_text(read_blocks("A new report panel", "python")[0])
    project = tomllib.loads(read_blocks("A new report panel", "toml")[0])["project"]
    ((group, declared),) = project["entry-points"].items()
    info = tmp_path / "mylib-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mylib\nVersion: 1.0\n")
    lines = [f"[{group}]", *(f"{name} = {place}" for name, place in declared.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    assert [panel.title for panel in panels.find_panels()] == ["Ranks"]
    sys.modules.pop("netdissect_mylib")
