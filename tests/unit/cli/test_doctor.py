"""``netdissect doctor``: it never fails because of a library, and shows nothing of the user."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from pathlib import Path

import pytest

from netdissect.cli import main
from netdissect.installation import diagnosis, machine, trials
from netdissect.installation.libraries import CORE, OPTIONAL

ROOT = Path(__file__).resolve().parents[3]


def test_a_library_that_raises_or_ends_its_process_is_said_and_the_rest_is_tried(tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text("raise RuntimeError('operator a::b does not exist')")
    (tmp_path / "ending_library.py").write_text("import os\nos._exit(3)")
    (tmp_path / "leaving_library.py").write_text("import sys\nprint('noise')\nsys.exit('no license')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    found = trials.try_libraries(["broken_library", "ending_library", "leaving_library", "json"])
    assert {name: result["error"] for name, result in found.items()} == {
        "broken_library": "operator a::b does not exist",
        "ending_library": "it ends the process (exit code 3)",
        "leaving_library": "no license",
        "json": "",
    }


def test_the_command_prints_a_screen_or_json_without_the_user(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    results = {
        "torch": {
            "error": "",
            "build": "CPU only",
            "threads": 2,
            "devices": [{"name": "H200", "memory": 150_000_000_000}],
        },
        "torchvision": {"error": "operator torchvision::nms does not exist"},
    }
    monkeypatch.setattr(
        diagnosis,
        "try_libraries",
        lambda names: {name: results.get(name, {"error": ""}) | {"name": name} for name in names},
    )
    versions = {"ray": None}
    monkeypatch.setattr(diagnosis, "find_version", lambda name: versions.get(name, "1.0"))
    for words in (["doctor"], ["doctor", "--json"]):
        with pytest.raises(SystemExit) as leave:
            main(words)
        assert leave.value.code == 0
    text, _, dump = capsys.readouterr().out.partition("{")
    assert len(text.splitlines()) <= 40
    text = " ".join(text.split())
    assert "ray missing: pip install 'netdissect[ray]' for --runtime ray" in text
    assert "torchvision 1.0 installed, but fails to import: operator torchvision::nms does not exist" in text
    assert "cuda:0 H200 150.0 GB" in text
    assert "~/.cache/netdissect" in text
    assert str(tmp_path) not in text + dump
    assert json.loads("{" + dump)["torch"]["build"] == "CPU only"


def test_the_container_limits_the_cores_and_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    assert machine.count_usable_cores() == 4
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert (machine.count_usable_cores(), machine.find_memory()[1]) == (1.5, None)
    (tmp_path / "memory.max").write_text("2000000000\n")
    assert machine.find_memory()[1] == 2_000_000_000


def test_names_of_users_are_hidden_but_not_parts_of_words(monkeypatch):
    monkeypatch.setenv("HOME", "/home/al")
    monkeypatch.setattr(machine.getpass, "getuser", lambda: "al")
    said = "/home/al/x /data/al/y scalar al-2 /home/alice/z"
    assert machine.hide_user(said) == "~/x /data/USER/y scalar al-2 /home/alice/z"


def test_every_library_is_in_the_extra_that_is_named():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for library in OPTIONAL:
        assert any(library.name == word.split(">")[0] for word in project["optional-dependencies"][library.extra])
    assert {word.split(">")[0] for word in project["dependencies"]} >= set(CORE)
