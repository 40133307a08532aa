"""Synonym tables, built-in and the user's own."""

from __future__ import annotations

import os
import time

import pytest

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.probe_sets.compile.synonyms import load_synonyms, parse_synonyms


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["aeroplane"], ["airplane", "aeroplane"]),
        (["left arm"], ["arm"]),
        (["person head"], ["head"]),
        (["flowerpot", "pot"], ["flowerpot"]),
        (["pot", "flowerpot"], ["flowerpot"]),
        (["pot"], ["pot"]),
        (["car", "auto", "machine"], ["car", "auto"]),
        (["cloth", "textile"], ["fabric", "cloth", "textile"]),
        (["television receiver", "tv"], ["television", "television receiver", "tv"]),
        (["filing cabinet", "file"], ["file cabinet", "filing cabinet"]),
        (["sky"], ["sky"]),
        ([], []),
    ],
)
def test_the_built_in_table_knows_the_facts_of_the_published_edition(words, names):
    assert load_synonyms("broden1").choose_names(words) == names


def test_the_larger_table_merges_plurals_too():
    assert load_synonyms("broden-plus").choose_names(["barrels"]) == ["barrel"]
    assert load_synonyms("broden1").choose_names(["barrels"]) == ["barrels"]
    assert load_synonyms("none").choose_names(["aeroplane"]) == ["aeroplane"]


def test_the_four_kinds_of_rule(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("# mine\nnew <- old\nbig <= bigs, larges  # two\ndog + hound\nbolt - nut\n")
    table = load_synonyms(file)
    assert table.choose_names(["old"]) == ["new", "old"]
    assert table.choose_names(["larges"]) == ["big"]
    assert table.choose_names(["dog", "x"]) == ["dog", "hound", "x"]
    assert table.choose_names(["bolt", "nut"]) == ["bolt"]


@pytest.mark.parametrize("line", ["airplane aeroplane", "airplane <-", "<- b", "a <- b,,c", "a - "])
def test_a_line_that_is_no_rule_is_named(line):
    with pytest.raises(DataFileError, match="here, line 2: expected a rule"):
        parse_synonyms(f"# fine\n{line}\n", "here")


def test_a_table_that_is_not_there_is_one_sentence_with_the_choices():
    with pytest.raises(DataNotFoundError, match="did you mean broden1"):
        load_synonyms("broden")


@pytest.mark.parametrize(
    "line", ["a" * 2_000_000, "a b " * 500_000, "a" + " " * 2_000_000 + "b", "a + " + "b, " * 500_000]
)
def test_a_long_line_that_is_no_rule_is_reported_in_linear_time(line):
    began = time.process_time()
    with pytest.raises(DataFileError, match="here, line 1: expected a rule") as raised:
        parse_synonyms(line, "here")
    assert time.process_time() - began < 2
    assert len(str(raised.value)) < 1000


def test_a_pipe_in_the_place_of_a_synonym_table_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "mine.txt")
    with pytest.raises(
        DataFileError, match="cannot be read as the synonym table: expected a regular file, got a named"
    ):
        load_synonyms(tmp_path / "mine.txt")
