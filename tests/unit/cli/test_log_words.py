"""``--log`` and ``--verbose`` of every command."""

from __future__ import annotations

import re

import pytest
from tests import small_probe_set

from netdissect.cli.app import main
from netdissect.cli.log_words import LogWords, take_log_words
from netdissect.errors import SettingsError

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (DEBUG|INFO|WARNING|ERROR) .+")


def run_command(*words):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return end.value.code


def test_words_may_stand_anywhere_before_two_dashes():
    log, words = take_log_words(["run", "--verbose", "demo", "--log=a.log", "--", "--verbose"])
    assert (log.verbose, str(log.file), words) == (True, "a.log", ["run", "demo", "--", "--verbose"])
    assert take_log_words(["run"]) == (LogWords(), ["run"])


@pytest.mark.parametrize("words", [["--log"], ["--log", "--quiet"], ["--log="]])
def test_a_log_needs_a_file(words):
    with pytest.raises(SettingsError, match="--log needs a file"):
        take_log_words(words)


def test_a_log_has_the_command_what_it_printed_and_errors_and_is_appended_to(tmp_path, capsys):
    log = tmp_path / "here.log"
    assert run_command("zoo", "list", "--log", log) == 0
    assert run_command("units", tmp_path / "nothing", "--log", log) == 2
    lines = log.read_text(encoding="utf-8").splitlines()
    assert all(LINE.fullmatch(line) for line in lines)
    assert lines[0].endswith("DEBUG netdissect zoo list")
    printed = capsys.readouterr()
    assert "netdissect zoo list" not in printed.out + printed.err
    assert " ERROR " in lines[-1] and str(tmp_path / "nothing") in lines[-1]
    assert printed.err.count("nothing") == 1, "the error is printed once"


def test_something_else_than_a_log_is_not_appended_to(tmp_path, capsys):
    table = tmp_path / "table.csv"
    table.write_text("a,b\n")
    assert run_command("zoo", "list", "--log", table) == 2
    assert "no log of netdissect" in capsys.readouterr().err
    assert table.read_text() == "a,b\n"


def test_a_log_in_a_missing_folder_is_one_sentence(tmp_path, capsys):
    assert run_command("zoo", "list", "--log", tmp_path / "nowhere" / "a.log") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_verbose_says_what_was_chosen(tmp_path, capsys):
    broden = small_probe_set.write_probe_set(tmp_path / "small", images=4)
    words = [
        "run",
        "demo",
        "--layers",
        "conv1",
        "--data",
        broden,
        "--out",
        tmp_path / "run",
        "--no-pictures",
        "--null",
        0,
    ]
    log = tmp_path / "run.log"
    assert run_command(*words, "--resamples", 0, "--limit", 4, "--verbose", "--log", log) == 0
    said = capsys.readouterr().err
    assert "layer conv1: 32 units on" in said and "setting quantile: 0.005" in said
    text = log.read_text(encoding="utf-8")
    assert "setting quantile: 0.005" in text and "units detect" in text, "the closing lines are in the log"
    assert re.search(r"DEBUG scan: 4/4 images? in ", text), "the seconds of every stage"
