from __future__ import annotations

import os

import pytest

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io.json_files import MAX_DEPTH, InvalidJSONError, parse_json, read_json


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[NaN]", "NaN is not a number"),
        ("[-Infinity]", "-Infinity is not a number"),
        ('{"area": 1e400}', "1e400 is not a number"),
        ("[" + "9" * 5000 + "]", "digits"),
        ('{"1": "cat", "2": "dog", "1": "gull"}', "an object names '1' twice"),
        (r'{"name": "\ud800"}', r"the text '\\ud800' has half of a surrogate pair"),
        (r'{"\uDFFF": 1}', r"the text '\\udfff' has half of a surrogate pair"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested deeper than 100 times"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested deeper than 100 times"),
        ('{"a": 1,\n "b": }', "line 2, column 7: Expecting value"),
        ("", "line 1, column 1: Expecting value"),
        (b"\xff\xfe\xff", "it is no text in UTF-8"),
        (b'{"a": "caf\xe9"}', "it is no text in UTF-8"),
    ],
)
def test_unusable_json_is_described(text, told):
    with pytest.raises(InvalidJSONError, match=told):
        parse_json(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_every_encoding_of_json_is_read(encoding):
    assert parse_json('{"näme": ["😀", 1.5, -3, true, null]}'.encode(encoding)) == {"näme": ["😀", 1.5, -3, True, None]}


def test_a_whole_surrogate_pair_is_one_character():
    assert parse_json(r'["\ud83d\ude00"]') == ["😀"]


def test_json_as_deep_as_allowed_is_read():
    assert parse_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)


def told(path, **how):
    with pytest.raises((DataFileError, DataNotFoundError)) as caught:
        read_json(path, "COCO's annotations", missing=DataNotFoundError, wrong=DataFileError, **how)
    return f"{type(caught.value).__name__}: {str(caught.value).replace(str(path.parent), '…')}"


def test_a_file_is_reported_with_its_name_and_what_it_should_be(tmp_path):
    assert told(tmp_path / "a.json") == "DataNotFoundError: COCO's annotations is missing: expected …/a.json"
    os.mkfifo(tmp_path / "pipe")
    assert "cannot be read as COCO's annotations: expected a regular file, got a named pipe" in told(tmp_path / "pipe")
    (tmp_path / "b.json").write_text("{")
    assert told(tmp_path / "b.json").startswith("DataFileError: …/b.json: expected COCO's annotations as JSON: line 1")
    (tmp_path / "c.json").write_text("[1, 2]")
    assert "it has 6 bytes, and at most 5 are read" in told(tmp_path / "c.json", most=5)


def test_a_file_in_latin_1_is_read_where_its_format_says_so(tmp_path):
    (tmp_path / "a.json").write_bytes(b'["caf\xe9"]')
    assert read_json(tmp_path / "a.json", "x", missing=DataNotFoundError, wrong=DataFileError, encoding="latin-1") == [
        "café"
    ]
