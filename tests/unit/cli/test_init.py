"""``netdissect init``: five questions, each answer checked at once."""

from __future__ import annotations

import sys
import tomllib

import pytest
from tests import small_probe_set
from tests.unit.cli.test_config_file import NETWORK

from netdissect.cli import main


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Change to a folder with a network, a probe set and photos."""
    (tmp_path / "own_network_of_init.py").write_text(NETWORK)
    small_probe_set.write_probe_set(tmp_path / "set", images=2)
    (tmp_path / "photos").mkdir()
    first = next((tmp_path / "set").rglob("*.jpg"))
    (tmp_path / "photos" / "a.jpg").write_bytes(first.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    return tmp_path


def answer(monkeypatch, *answers):
    """Run the command with answers; return its exit code."""
    left = iter(answers)

    def give(_prompt):
        given = next(left)
        if isinstance(given, BaseException):
            raise given
        return given

    monkeypatch.setattr("builtins.input", give)
    with pytest.raises(SystemExit) as leave:
        main(["init"])
    assert not list(left)
    return leave.value.code


def test_wrong_answers_are_asked_again_and_the_config_is_written(project, monkeypatch, capsys):
    code = answer(
        monkeypatch, "python:no_such_module:make", "python:own_network_of_init:make", "9", "0, 2", "nowhere", "set", "4", "3", "",
    )  # fmt: skip
    said = capsys.readouterr()
    assert code == 0
    for part in (
        "no module 'no_such_module'",
        "no layer '9'",
        "no probe set 'nowhere'",
        "a number from 1 to 3, got '4'",
    ):
        assert part in said.err
    assert "netdissect rotate --config run.toml" in said.out
    assert tomllib.loads((project / "run.toml").read_text()) == {
        "model": "python:own_network_of_init:make", "layers": ["0", "2"], "data": "set", "out": "dissection/make-rotation",
    }  # fmt: skip


def test_photos_without_labels_are_asked_for_words(project, monkeypatch, capsys):
    assert answer(monkeypatch, "python:own_network_of_init:make", "0", "photos", "", "dog, red car", "") == 0
    assert "netdissect dissect --config run.toml" in capsys.readouterr().out
    saved = tomllib.loads((project / "run.toml").read_text())
    assert (saved["photos"], saved["words"], saved["out"]) == ("photos", ["dog", "red car"], "dissection/make-photos")


@pytest.mark.parametrize("end", [KeyboardInterrupt(), EOFError()])
def test_an_interruption_leaves_nothing(project, monkeypatch, capsys, end):
    before = sorted(project.rglob("*.toml"))
    assert answer(monkeypatch, "python:own_network_of_init:make", end) == 130
    assert "nothing was written" in capsys.readouterr().err
    assert sorted(project.rglob("*.toml")) == before


def test_a_config_that_is_there_is_kept(project, capsys):
    (project / "run.toml").write_text("# mine")
    with pytest.raises(SystemExit) as leave:
        main(["init"])
    assert (leave.value.code, (project / "run.toml").read_text()) == (2, "# mine")
