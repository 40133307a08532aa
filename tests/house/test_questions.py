"""The commands of docs/questions.md can be typed; ``python -m benchmarks questions`` runs them and compares what they print."""

from __future__ import annotations

import shlex

import pytest
from benchmarks import questions

from netdissect.cli.app import app

BLOCKS = [block for _, block in questions.find_blocks((questions.PAGE).read_text(encoding="utf-8"))]
COMMANDS = [command for block in BLOCKS for command in block.commands]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_these_arguments_and_options(command):
    words = shlex.split(command, comments=True)[1:]
    _, bound, *_ = app.parse_args(words, exit_on_error=False, print_error=False)
    assert bound.arguments or len(words) == 1


def test_every_block_with_one_command_shows_what_it_prints():
    assert len(BLOCKS) > 4
    assert [block.commands[0] for block in BLOCKS if len(block.commands) == 1 and not block.shown] == []


def test_a_page_gets_what_is_printed_now(tmp_path):
    page = "a\n\n```\nnetdissect units nowhere sky\nearlier\n```\nb\n"
    text, differing = questions.run_page(page, tmp_path, has_shared=False)
    assert differing == 1
    assert text.startswith("a\n\n```\nnetdissect units nowhere sky\nnetdissect: ")
    assert text.endswith("\n```\nb\n") and "earlier" not in text
    assert questions.run_page(text, tmp_path, has_shared=False) == (text, 0)
