"""Untrusted XML: no document types, no entities, bounded depth, regular files only."""

from __future__ import annotations

import os

import pytest

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io.xml_files import read_xml


def read(folder, data):
    (folder / "a.xml").write_bytes(data)
    return read_xml(folder / "a.xml", "the annotations", missing=DataNotFoundError, wrong=DataFileError)


def test_elements_attributes_and_text_are_read(tmp_path):
    root = read(tmp_path, '<?xml version="1.0" encoding="utf-8"?><a n="é"><b>x &amp; y</b><b/></a>'.encode())
    assert (root.tag, root.get("n"), [each.text for each in root.findall("b")]) == ("a", "é", ["x & y", None])
    assert read(tmp_path, '<?xml version="1.0"?><a n="é"/>'.encode("utf-16")).get("n") == "é"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "declares a document type or entities"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "declares a document type or entities"),
        (b"<a>&x;</a>", "undefined entity"),
        (b"<a>" * 101, "nested deeper than 100 times"),
        (b"<a>", "no element found"),
        (b"", "no element found"),
        (b"\xff\xff", "not well-formed"),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', "unknown encoding"),
    ],
)
def test_an_error_is_one_sentence(tmp_path, data, words):
    with pytest.raises(DataFileError, match=rf"a\.xml: expected the annotations as XML: .*{words}"):
        read(tmp_path, data)


def test_a_missing_file_and_a_pipe_are_reported(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"the annotations is missing: expected .*gone\.xml"):
        read_xml(tmp_path / "gone.xml", "the annotations", missing=DataNotFoundError, wrong=DataFileError)
    os.mkfifo(tmp_path / "pipe.xml")
    with pytest.raises(DataFileError, match="expected a regular file, got a named pipe"):
        read_xml(tmp_path / "pipe.xml", "the annotations", missing=DataNotFoundError, wrong=DataFileError)
