from __future__ import annotations

import pytest

from netdissect.io.names import find_name_problem, is_below


@pytest.mark.parametrize(
    "name", ["conv5", "inception_3a-output", "layer4.1", "caffè", "a b", "猫", "console", "x" * 200]
)
def test_names_of_layers_and_categories_can_be_files(name):
    assert find_name_problem(name) is None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "it is empty"), ("..", "dots and spaces only"), (" ", "dots and spaces only"), ("../x", "it holds '/'"),
        ("a\\b", r"it holds '\\\\'"), ("c:x", "it holds ':'"), ("a\0b", r"it holds '\\x00'"), ("a\nb", r"it holds '\\n'"),
        (".lock", "it begins with a dot"), ("x.", "it ends in a dot or a space"), ("x ", "it ends in a dot or a space"),
        ("con", "some systems reserve that name"), ("LPT1.txt", "some systems reserve that name"),
        ("x" * 201, "longer than 200 bytes"), ("é" * 101, "longer than 200 bytes"), ("a\udce9", "it holds"),
    ],
)  # fmt: skip
def test_a_name_that_cannot_be_a_file_is_explained(name, told):
    import re

    assert re.search(told, find_name_problem(name) or "")


@pytest.mark.parametrize("path", ["a.jpg", "a/b.png", "a..b/c", "ü/猫.png", "a//b"])
def test_paths_below_a_folder_are_accepted(path):
    assert is_below(path)


@pytest.mark.parametrize("path", ["", "/a", "../a", "a/../b", "a/..", "c:\\a", "c:a", "a\\b", "a\0b", "..\\a"])
def test_paths_that_may_lead_elsewhere_are_not(path):
    assert not is_below(path)
