"""``python -m benchmarks tutorials`` notices an output that is not the page's, and overlooks progress, durations and what … stands for."""

from __future__ import annotations

import pytest
from benchmarks import tutorials

PRINTED = [
    "demo on 70 images, 1:07",
    "conv4  7 of 9 units",
    "conv5  8 of 9 units (q < 0.05)",
    "report: first/html/index.html",
]


@pytest.mark.parametrize(
    ("shown", "whole", "same"),
    [
        (PRINTED, True, True),
        (["demo on 70 images, 0:58", *PRINTED[1:]], True, True),
        ([PRINTED[0], "…", PRINTED[3]], True, True),
        ([PRINTED[0], "  …", PRINTED[2]], True, False),
        (PRINTED[:3], True, False),
        (PRINTED[1:3], False, True),
        (["conv4  8 of 9 units"], False, False),
        (["4  7 of 9 units"], False, False),
    ],
)
def test_an_output_is_compared_with_what_a_page_shows(shown, whole, same, capsys):
    assert tutorials.compare("first:7", shown, PRINTED, whole=whole) is same
    assert capsys.readouterr().out.startswith("same: first:7" if same else "DIFFERS: first:7\n    demo on 70")


def test_commands_run_in_the_folder_and_lines_about_progress_are_no_output(tmp_path):
    (tmp_path / "here").touch()
    command = "python -c \"import os; print(os.listdir(), '7:30'); print('netdissect: scan: 1,024/2,508 images, 4.6/s, 0:06 left')\""
    block = tutorials.blocks.Block("docs/tutorials/x.md", 1, "", f"{command}\n['here'] 0:00\n")
    assert tutorials.run_block(block, tmp_path) == ["['here'] 7:30"]


def test_a_command_that_fails_ends_it(tmp_path):
    block = tutorials.blocks.Block("docs/tutorials/x.md", 1, "", "python -c \"import sys; sys.exit('no data')\"\n")
    with pytest.raises(SystemExit, match="x.md:1: python .*exit code 1\nno data"):
        tutorials.run_block(block, tmp_path)
