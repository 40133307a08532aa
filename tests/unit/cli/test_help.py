"""``--help``: a screen per command, every default in it, the rare options with ``--help-all``."""

from __future__ import annotations

import functools

import pytest

from netdissect.cli import main
from netdissect.cli.app import app

COMMANDS = [(name,) for name in ("run", "layers", "rotate", "compare", "report", "demo", "units", "track")] + [
    (group, name)
    for group in ("data", "zoo")
    for name in app[group]
    if not name.startswith("-") and app[group][name].show
]


def find(command):
    """Return the application of a command."""
    return functools.reduce(lambda found, name: found[name], command, app)


@pytest.fixture
def screen(capsys, monkeypatch):
    """Return the lines that a command shows on a terminal of 100 columns."""
    monkeypatch.setattr(app.console, "_width", 100)  # read from COLUMNS once, when the console is made

    def show(*words):
        with pytest.raises(SystemExit):
            main(list(words))
        return capsys.readouterr().out.splitlines()

    return show


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_fits_a_screen(screen, command):
    lines = screen(*command, "--help")
    assert len(lines) <= (50 if command == ("rotate",) else 40)  # rotate has the options of run, and its own
    assert max(map(len, lines)) <= 100
    assert not any("rare options" in line for line in lines)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_option_shows_its_default_or_that_it_is_required(command):
    marked = (
        {"SOURCES", "MODEL", "--layers", "--data", "--fresh"}
        if command[0] in ("run", "rotate", "compare", "track")
        else set()
    ) | {"CONCEPTS"}  # all of them by default
    for argument in find(command).assemble_argument_collection():
        if argument.show and not argument.children:
            assert argument.required or argument.show_default or argument.name in marked, argument.name


def test_run_marks_required_options_and_explains_fresh_and_resume(screen):
    lines = screen("run", "--help")
    required = [line.split()[2] for line in lines if line.startswith("│ *")]
    assert required == ["MODEL", "--layers", "--data"]
    text = " ".join(line.strip("│ ") for line in lines)
    assert "--fresh: delete the run in --out and start over." in " ".join(text.split())
    assert "--resume, the default: continue it where it was interrupted" in " ".join(text.split())


def test_the_help_of_model_lists_every_kind(screen):
    from netdissect.networks.plugins import list_model_kinds

    text = " ".join(" ".join(line.strip("│ ") for line in screen("run", "--help")).split())
    for spelling, _ in list_model_kinds():
        assert spelling in text


def test_help_all_shows_rare_options_and_every_spelling(screen):
    short, long = (" ".join(screen("run", word)) for word in ("--help", "--help-all"))
    for name in ("--shard-size", "--mean", "--imcount", "-t", "--blobs"):
        assert f" {name} " not in short
        assert f" {name} " in long
    assert "'layer4.*' or last" in short, "a star is no markup"
    assert "--help-all shows every option and spelling" in short
