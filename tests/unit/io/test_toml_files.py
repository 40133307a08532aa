"""Flat TOML files."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netdissect.errors import SettingsError
from netdissect.io.toml_files import format_flat_toml, read_flat_toml

VALUES = (
    st.text(st.characters(codec="utf-8"))
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z-]*", fullmatch=True), VALUES | st.lists(VALUES)))
def test_what_is_written_is_read_again(values):
    assert tomllib.loads(format_flat_toml(values)) == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a =", "expected TOML"),
        ("[table]\na = 1", "table is a table"),
        ("when = 2020-01-01", "when is a date"),
        ("a = [[1]]", "a is a list"),
    ],
)
def test_other_files_are_refused_in_one_sentence(tmp_path, text, said):
    (tmp_path / "run.toml").write_text(text)
    with pytest.raises(SettingsError, match=said):
        read_flat_toml(tmp_path / "run.toml", "config file")
