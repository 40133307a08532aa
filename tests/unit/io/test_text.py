from __future__ import annotations

import io

import pytest

from netdissect.io.text import escape_controls, escape_line, make_streams_lenient


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words, ≥ 0.04 and ü", "plain words, ≥ 0.04 and ü"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("a\rb", "a\\x0db"),
        ("gnp.\u202eexe", "gnp.\\u202eexe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("caf\udce9.jpg", "caf\\xe9.jpg"),
        ("half \ud800", "half \\ud800"),
        ("one\u2028two", "one\\u2028two"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("می\u200cخواهم 👩\u200d🔬", "می\u200cخواهم 👩\u200d🔬"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_control_characters_are_escaped_and_readable(text, shown):
    assert escape_controls(text) == shown
    shown.encode()


def test_line_ends_are_escaped_within_a_line():
    assert escape_line("a\nb\tc") == "a\\nb\\tc"


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("ascii", b"IoU >= 0.04 ... +/- x caf\\xe9 \\u732b \\U0001f408"),
        ("latin-1", b"IoU >= 0.04 ... \xb1 \xd7 caf\xe9 \\u732b \\U0001f408"),
        ("utf-8", "IoU ≥ 0.04 … ± × café 猫 🐈".encode()),
    ],
)
def test_a_lenient_stream_escapes_what_its_encoding_lacks(encoding, written):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    make_streams_lenient(stream, None, io.StringIO())
    stream.write("IoU ≥ 0.04 … ± × café 猫 🐈")
    stream.flush()
    assert raw.getvalue() == written


def test_bytes_of_a_path_that_are_not_utf_8_are_escaped():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8")
    make_streams_lenient(stream)
    stream.write("caf\udce9")
    stream.flush()
    assert raw.getvalue() == b"caf\\xe9"
