from __future__ import annotations

import errno
import os
import socket

import pytest

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io.reading import is_regular, open_regular, read_bytes, read_text


def refused(path, **how):
    with pytest.raises(OSError) as caught:
        read_bytes(path, **how)
    return caught.value


def test_a_named_pipe_is_refused_and_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert refused(tmp_path / "pipe").strerror == "expected a regular file, got a named pipe"
    assert not is_regular(tmp_path / "pipe")


def test_a_link_to_a_device_is_a_device(tmp_path):
    (tmp_path / "photo.jpg").symlink_to("/dev/zero")
    assert refused(tmp_path / "photo.jpg").strerror == "expected a regular file, got a device"


def test_folders_and_sockets_are_refused_by_name(tmp_path):
    assert refused(tmp_path).strerror == "expected a regular file, got a folder"
    assert refused(tmp_path).errno == errno.EISDIR
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        assert refused(tmp_path / "s").strerror == "expected a regular file, got a socket"


def test_a_file_is_checked_again_after_it_is_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"x")
    real = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **how: real(tmp_path / "file"))
    with pytest.raises(OSError, match=r"got a named pipe"):
        open_regular(tmp_path / "pipe")


def test_links_to_files_are_followed_and_bytes_are_whole(tmp_path):
    data = bytes(range(256)) * 1000
    (tmp_path / "file").write_bytes(data)
    (tmp_path / "link").symlink_to("file")
    assert read_bytes(tmp_path / "link") == data
    assert read_bytes(tmp_path / "file", most=len(data)) == data
    assert is_regular(tmp_path / "link")


def test_a_file_larger_than_its_limit_is_refused_with_both_sizes(tmp_path):
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(2**40)
    said = refused(tmp_path / "huge", most=1000).strerror
    assert said == "it has 1,099,511,627,776 bytes, and at most 1,000 are read"


def test_a_file_of_reported_size_0_is_read_up_to_the_limit():
    assert read_bytes(type_of_path("/proc/self/status")).startswith(b"Name:")


def type_of_path(text):
    from pathlib import Path

    return Path(text)


def text_of(path, **how):
    return read_text(path, "the class list", missing=DataNotFoundError, wrong=DataFileError, **how)


def test_text_is_read_with_and_without_a_bom_and_keeps_its_line_ends(tmp_path):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfcat\r\ndog\n")
    assert text_of(tmp_path / "a") == "cat\r\ndog\n"


def test_text_in_another_encoding_names_the_byte_or_is_read_where_that_is_allowed(tmp_path):
    (tmp_path / "a").write_bytes(b"caf\xe9")
    with pytest.raises(
        DataFileError, match=r"a: expected the class list as text in UTF-8, got the byte 0xe9 at position 3"
    ):
        text_of(tmp_path / "a")
    assert text_of(tmp_path / "a", encodings=("utf-8-sig", "latin-1")) == "café"


def test_a_missing_or_irregular_text_file_is_named(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"the class list is missing: expected .*/none"):
        text_of(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataFileError, match=r"pipe cannot be read as the class list: .* named pipe"):
        text_of(tmp_path / "pipe")
