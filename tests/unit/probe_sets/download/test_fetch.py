"""Fetching one file from servers that truncate, redirect, state wrong lengths and serve web pages."""

from __future__ import annotations

import errno
import functools
import gzip
import hashlib
import io
import os
import random
import time
import urllib.request
import zipfile
from types import SimpleNamespace

import pytest
from tests.unit.probe_sets.download.server import Server

import netdissect
from netdissect.errors import DownloadError
from netdissect.probe_sets.download import connection, transfer
from netdissect.probe_sets.download.fetch import fetch_file
from netdissect.probe_sets.download.partial import WORK_FOLDER
from netdissect.probe_sets.download.registry import Mirror, RemoteFile
from netdissect.protocols import NullProgress

BODY = random.Random(0).randbytes(300_000)
MD5 = "md5", hashlib.md5(BODY).hexdigest()


@pytest.fixture
def server():
    with Server() as running:
        yield running


def get(folder, *urls, name="file.bin", said=None, progress=None, **known):
    return fetch_file(
        RemoteFile(name, tuple(map(Mirror, urls)), **known), folder, progress=progress or NullProgress(),
        say=[].append if said is None else said.append, wait=lambda _: None,
    )  # fmt: skip


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_fetched_whole_and_hashed(server, tmp_path):
    found = get(tmp_path, server.serve("f", BODY))
    assert found.path.read_bytes() == BODY
    assert found.sha256 == hashlib.sha256(BODY).hexdigest()
    assert leftovers(tmp_path) == ["file.bin"]


def test_a_cut_download_goes_on_at_its_last_byte(server, tmp_path):
    url = server.serve("f", BODY, cut=[100_000, 50_000, None])
    assert get(tmp_path, url).path.read_bytes() == BODY
    assert server.requests == [("/f", ""), ("/f", "bytes=100000-"), ("/f", "bytes=150000-")]


class Pressing:
    """A Progress that raises KeyboardInterrupt after so many bytes."""

    def __init__(self, after):
        self.left = after

    def start(self, *_):
        pass

    def advance(self, steps):
        self.left -= steps
        if self.left < 0:
            raise KeyboardInterrupt


def test_after_ctrl_c_the_next_call_goes_on_byte_exactly(server, tmp_path):
    url = server.serve("f", BODY)
    with pytest.raises(
        KeyboardInterrupt, match=r"interrupted after \d+\.\d kB of file.bin; run the same command again to continue"
    ):
        get(tmp_path, url, progress=Pressing(140_000))
    assert leftovers(tmp_path) == [WORK_FOLDER]
    assert leftovers(tmp_path / WORK_FOLDER) == ["file.bin.part", "file.bin.part.json"]
    have = (tmp_path / WORK_FOLDER / "file.bin.part").stat().st_size
    assert 0 < have < len(BODY)
    assert (tmp_path / WORK_FOLDER / "file.bin.part").read_bytes() == BODY[:have]
    assert get(tmp_path, url).path.read_bytes() == BODY
    assert server.requests[-1] == ("/f", f"bytes={have}-")
    assert leftovers(tmp_path) == ["file.bin"]


def test_a_server_that_ignores_range_is_read_from_the_start(server, tmp_path):
    url = server.serve("f", BODY, cut=[100_000], ranges=False)
    assert get(tmp_path, url).path.read_bytes() == BODY


def test_a_file_that_changed_on_the_server_is_read_from_the_start(server, tmp_path):
    url = server.serve("f", b"old" + BODY)
    with pytest.raises(KeyboardInterrupt, match=r"kB of file\.bin; run the same command again to continue"):
        get(tmp_path, url, progress=Pressing(100_000))
    server.serve("f", BODY, etag='"two"')
    assert get(tmp_path, url).path.read_bytes() == BODY


def test_without_a_validator_the_last_bytes_are_fetched_again_to_compare(server, tmp_path):
    url = server.serve("f", BODY, cut=[100_000, 110_000], etag="")
    assert get(tmp_path, url).path.read_bytes() == BODY
    assert server.requests == [("/f", ""), ("/f", "bytes=34464-"), ("/f", "bytes=78928-")]


def test_without_a_validator_a_file_that_changed_is_noticed_by_its_bytes(server, tmp_path):
    url = server.serve("f", BODY[::-1], etag="")
    with pytest.raises(KeyboardInterrupt, match=r"kB of file\.bin; run the same command again to continue"):
        get(tmp_path, url, progress=Pressing(100_000))
    server.serve("f", BODY, etag="")
    assert get(tmp_path, url).path.read_bytes() == BODY
    assert [asked != "" for _, asked in server.requests] == [False, True, False]


def test_without_a_validator_a_file_of_another_length_is_read_from_the_start(server, tmp_path):
    url = server.serve("f", BODY + b"more", etag="")
    with pytest.raises(KeyboardInterrupt, match=r"kB of file\.bin; run the same command again to continue"):
        get(tmp_path, url, progress=Pressing(100_000))
    server.serve("f", BODY, etag="")
    assert get(tmp_path, url).path.read_bytes() == BODY


def test_what_is_cut_again_at_once_loses_nothing(server, tmp_path):
    url = server.serve("f", BODY, cut=[100_000, 10, 65_536, 70_000], etag="")
    assert get(tmp_path, url).path.read_bytes() == BODY
    assert [asked for _, asked in server.requests][1:] == ["bytes=34464-"] * 3 + ["bytes=38928-"]


def test_a_mirror_that_gives_something_else_costs_none_of_the_bytes_that_are_there(server, tmp_path):
    url = server.serve("f", BODY)
    with pytest.raises(KeyboardInterrupt):
        get(tmp_path, url, digest=MD5, progress=Pressing(140_000))
    have = (tmp_path / WORK_FOLDER / "file.bin.part").stat().st_size
    page = server.serve("page", b"<html>Sign in</html>" * 100, ranges=False, length=-1)
    short = server.serve("short", BODY[:1000], ranges=False)
    said = []
    assert get(tmp_path, page, short, url, digest=MD5, size=len(BODY), said=said).url == url
    assert ["a web page" in said[0], "a file of 1000 bytes" in said[1]] == [True, True]
    assert server.requests[-1] == ("/f", f"bytes={have}-")


def test_with_a_checksum_another_mirror_goes_on_where_the_first_stopped(server, tmp_path):
    first = server.serve("a", BODY, cut=[100_000, 0, 0, 0, 0, 0], etag="")
    second = server.serve("b", BODY, etag="")
    assert get(tmp_path, first, second, digest=MD5).path.read_bytes() == BODY
    assert server.requests[-1] == ("/b", "bytes=100000-")


def test_mirrors_are_tried_in_turn_and_failures_are_said(server, tmp_path):
    said = []
    found = get(tmp_path, server.url("gone"), server.serve("f", BODY), said=said)
    assert found.url.endswith("/f")
    assert "HTTP 404" in said[0]


def test_a_redirect_is_followed(server, tmp_path):
    url = server.serve("old", redirect=server.serve("new", BODY))
    assert get(tmp_path, url).path.read_bytes() == BODY


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/f", "file:///etc/hostname"])
def test_a_redirect_to_anything_but_the_web_is_not_followed(server, tmp_path, target):
    with pytest.raises(DownloadError, match="which is not followed"):
        get(tmp_path, server.serve("old", redirect=target))


def test_a_server_that_is_busy_is_asked_again(server, tmp_path):
    assert get(tmp_path, server.serve("f", BODY, status=[503, 500, 429, 200])).path.read_bytes() == BODY


def test_a_server_that_stays_broken_is_given_up(server, tmp_path):
    with pytest.raises(DownloadError, match=r"busy or broken \(HTTP 503\).*put it at .*file\.bin"):
        get(tmp_path, server.serve("f", BODY, status=[503] * 20))
    assert len(server.requests) == 4


def test_a_web_page_is_recognised_by_its_type(server, tmp_path):
    page = b"<html><head><title>Site has moved</title></head></html>"
    with pytest.raises(DownloadError, match="a web page titled 'Site has moved' instead of the file"):
        get(tmp_path, server.serve("f", page, kind="text/html"))
    assert leftovers(tmp_path) == []


def test_a_web_page_is_recognised_by_its_first_bytes(server, tmp_path):
    page = b"\n<!DOCTYPE html><title>Sign in</title>" + bytes(500)
    with pytest.raises(DownloadError, match="a web page titled 'Sign in'"):
        get(tmp_path, server.serve("f", page))
    assert "file.bin" not in leftovers(tmp_path)


def test_a_file_that_is_no_archive_is_recognised_by_its_first_bytes(server, tmp_path):
    with pytest.raises(DownloadError, match="not a zip file"):
        get(tmp_path, server.serve("f", BODY), name="set.zip")


def test_a_wrong_checksum_goes_to_the_next_mirror_and_is_never_kept(server, tmp_path):
    spoilt = BODY[:-1] + b"x"
    said = []
    found = get(tmp_path, server.serve("bad", spoilt), server.serve("good", BODY), digest=MD5, said=said)
    assert found.path.read_bytes() == BODY
    assert f"the right one's is {MD5[1]}" in said[0]
    with pytest.raises(DownloadError, match="its md5 is"):
        get(tmp_path, server.url("bad"), name="other.bin", digest=MD5)
    assert leftovers(tmp_path) == ["file.bin"]


def test_spoilt_bytes_of_an_earlier_call_are_fetched_anew(server, tmp_path):
    url = server.serve("f", BODY)
    with pytest.raises(KeyboardInterrupt, match=r"kB of file\.bin; run the same command again to continue"):
        get(tmp_path, url, digest=MD5, progress=Pressing(140_000))
    part = tmp_path / WORK_FOLDER / "file.bin.part"
    part.write_bytes(b"?" * part.stat().st_size)
    assert get(tmp_path, url, digest=MD5).path.read_bytes() == BODY


def test_a_server_that_announces_too_much_is_believed_by_its_bytes(server, tmp_path):
    url = server.serve("f", BODY, length=len(BODY) + 1000)
    assert get(tmp_path, url, digest=MD5).path.read_bytes() == BODY
    # Without a checksum nothing tells whether the missing bytes belong to it: what is shorter than announced is not kept.
    with pytest.raises(DownloadError, match="unknown.bin could not be fetched.*ended after 300000 of 301000 bytes"):
        get(tmp_path, url, name="unknown.bin")
    assert leftovers(tmp_path) == ["file.bin"] or not (tmp_path / "unknown.bin").exists()


def test_a_server_that_announces_too_little_is_caught(server, tmp_path):
    url = server.serve("f", BODY, length=1000)
    with pytest.raises(DownloadError, match="a file of 1000 bytes, but the right one has 300000"):
        get(tmp_path, url, size=len(BODY))
    with pytest.raises(DownloadError, match="its md5 is"):
        get(tmp_path, url, digest=MD5)


def test_a_server_without_a_length_is_read_to_its_end(server, tmp_path):
    url = server.serve("f", BODY, length=-1)
    assert get(tmp_path, url, size=len(BODY)).path.read_bytes() == BODY


def test_a_server_that_sends_another_part_is_not_believed(server, tmp_path):
    url = server.serve("f", BODY, cut=[100_000], shift=7)
    assert get(tmp_path, url, digest=MD5).path.read_bytes() == BODY


def test_a_file_that_was_all_there_but_for_its_name_is_finished(server, tmp_path):
    url = server.serve("f", BODY, cut=[100_000])
    with pytest.raises(KeyboardInterrupt, match=r"kB of file\.bin; run the same command again to continue"):
        get(tmp_path, url, digest=MD5, progress=Pressing(90_000))
    (tmp_path / WORK_FOLDER / "file.bin.part").write_bytes(BODY)
    assert get(tmp_path, url, digest=MD5).path.read_bytes() == BODY


def test_room_on_the_disk_is_asked_first(server, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: SimpleNamespace(free=100_000))
    with pytest.raises(DownloadError, match=r"100\.0 kB free .* 300\.0 kB .* to come"):
        get(tmp_path, server.serve("f", BODY))
    assert "file.bin" not in leftovers(tmp_path)


def test_a_server_that_announces_more_than_any_disk_has_sends_it_to_the_next_mirror(server, tmp_path):
    said = []
    found = get(tmp_path, server.serve("lies", BODY, length=10**17), server.serve("good", BODY), said=said)
    assert found.url.endswith("/good")
    assert "100000000 GB are still to come: make room" in said[0]


def test_no_redirect_leaves_https_however_it_is_spelled():
    handler = connection._NoDowngrade()
    for old, new in (
        ("https://a/x", "http://a/x"),
        ("HTTPS://a/x", "HTTP://b/x"),
        ("http://a/x", "ftp://a/x"),
        ("http://a", "//x"),
    ):
        with pytest.raises(connection.MirrorRejected, match="which is not followed"):
            handler.redirect_request(urllib.request.Request(old), io.BytesIO(), 302, "", {}, new)
    assert (
        handler.redirect_request(
            urllib.request.Request("http://a/x"), io.BytesIO(), 302, "", {}, "https://a/x"
        ).full_url
        == "https://a/x"
    )


def test_a_host_that_cannot_be_reached_is_one_sentence(tmp_path):
    with pytest.raises(DownloadError, match=r"file\.bin could not be fetched\. http://127\.0\.0\.1:9/f: "):
        get(tmp_path, "http://127.0.0.1:9/f")


def test_a_zip_file_without_its_end_goes_to_the_next_mirror(server, tmp_path):
    """A truncated file that the server takes for complete; only its end shows it if size and checksum are unknown."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", BODY)
    body = out.getvalue()
    said = []
    first, second = server.serve("a", body[:-30]), server.serve("b", body)
    assert get(tmp_path, first, second, name="set.zip", said=said).url.endswith("/b")
    assert "it is a truncated zip file" in said[0]


def test_a_disk_that_fills_up_is_reported_and_nothing_is_lost(server, tmp_path, monkeypatch):
    url = server.serve("f", BODY)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(transfer._Transfer, "_receive", full)
        with pytest.raises(DownloadError, match=r"the disk is full; 0\.0 kB of file\.bin are kept: make room and run"):
            get(tmp_path, url)
    assert get(tmp_path, url).path.read_bytes() == BODY


def test_a_web_page_leaves_nothing_behind(server, tmp_path):
    with pytest.raises(DownloadError, match=r"file\.bin .* a web page titled 'Moved'"):
        get(tmp_path, server.serve("f", b"<html><title>Moved</title>"))
    assert leftovers(tmp_path) == []


# ── What is kept without a checksum ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "identity, gzip", "GZIP"])
def test_a_file_in_an_encoding_that_was_not_asked_for_is_refused(server, tmp_path, encoding):
    body = gzip.compress(BODY)
    url = server.serve("f", body, headers={"Content-Encoding": encoding})
    kind = encoding.lower().split(", ")[-1]
    with pytest.raises(DownloadError, match=rf"encoded \(Content-Encoding '{kind}'\), though"):
        get(tmp_path, url)
    assert leftovers(tmp_path) == []


def test_a_compressed_file_whose_header_is_left_out_is_recognised_by_its_bytes(server, tmp_path):
    with pytest.raises(DownloadError, match=r"sends the file compressed \(gzip\)"):
        get(tmp_path, server.serve("f", gzip.compress(BODY)), name="weights.caffemodel")
    twice = server.serve("g", gzip.compress(gzip.compress(BODY)))
    with pytest.raises(DownloadError, match=r"sends the file compressed \(gzip\)"):
        get(tmp_path, twice, name="set.tar.gz")


def test_an_archive_whose_own_compression_is_called_its_encoding_is_kept_as_it_is(server, tmp_path):
    """Apache sends ``Content-Encoding: x-gzip`` for every .tar.gz, whatever was requested."""
    body = gzip.compress(BODY)
    url = server.serve("f", body, headers={"Content-Encoding": "x-gzip"}, cut=[100_000])
    assert get(tmp_path, url, name="set.tar.gz").path.read_bytes() == body


def test_a_file_shorter_than_announced_is_never_kept(server, tmp_path):
    for ranges in (True, False):
        url = server.serve("f", BODY, length=len(BODY) + 7, ranges=ranges)
        with pytest.raises(DownloadError, match=r"ended after 300000 of 300007 bytes|another file by now"):
            get(tmp_path, url)
        assert not (tmp_path / "file.bin").exists()
    assert len(server.requests) < 20


def test_chunks_say_where_they_end(server, tmp_path):
    assert get(tmp_path, server.serve("f", BODY, chunked=True)).path.read_bytes() == BODY
    url = server.serve("g", BODY, chunked=True, cut=[120_000] * 20, ranges=False)
    with pytest.raises(DownloadError, match="the connection broke"):
        get(tmp_path, url, name="cut.bin")
    assert not (tmp_path / "cut.bin").exists()


def test_a_file_of_no_length_at_all_is_refused_unless_a_checksum_decides(server, tmp_path):
    url = server.serve("f", BODY, length=-1)
    with pytest.raises(DownloadError, match="does not state the length of the file"):
        get(tmp_path, url)
    assert get(tmp_path, url, digest=MD5).path.read_bytes() == BODY


@pytest.mark.parametrize("total", ["*", "299999", "300001", "99999999999999999999", "none"])
def test_a_part_of_another_whole_is_not_put_together_with_what_is_there(server, tmp_path, total):
    url = server.serve("f", BODY, cut=[100_000], total=total)
    assert get(tmp_path, url).path.read_bytes() == BODY


@pytest.mark.parametrize("code", [201, 203, 204, 206])
def test_any_other_success_is_not_the_file(server, tmp_path, code):
    with pytest.raises(DownloadError, match=rf"answers HTTP {code}|another part of the file than the requested"):
        get(tmp_path, server.serve("f", BODY, code=code))
    assert not (tmp_path / "file.bin").exists()


@pytest.mark.parametrize(
    "page",
    [b"\xef\xbb\xbf<!DOCTYPE html><title>Sign in</title>", b"<!-- proxy --><html>", b"<?xml version='1.0'?><Error/>"],
)
def test_a_proxys_page_of_any_type_is_no_file(server, tmp_path, page):
    with pytest.raises(DownloadError, match="answers with a web page"):
        get(tmp_path, server.serve("f", page + bytes(50), kind="application/octet-stream"), name="a.prototxt")


def test_an_empty_file_and_an_answer_of_two_lengths_are_not_kept(server, tmp_path):
    with pytest.raises(DownloadError, match="it sends an empty file"):
        get(tmp_path, server.serve("f", b""))
    for headers in ({"Transfer-Encoding": "chunked", "Content-Length": "0"}, {"Transfer-Encoding": "chunked, gzip"}):
        with pytest.raises(DownloadError, match="headers contradict each other on the length"):
            get(tmp_path, server.serve("g", BODY, headers=headers, length=-1))
    assert not (tmp_path / "file.bin").exists()


def test_the_page_that_comes_with_a_redirect_is_not_read(server, tmp_path):
    url = server.serve("old", b"x" * 1000, redirect=server.serve("new", BODY), drip=0.05)
    began = time.monotonic()
    assert get(tmp_path, url).path.read_bytes() == BODY
    assert time.monotonic() - began < 5


def test_more_bytes_than_announced_are_left_out_by_count(server, tmp_path):
    """Only the length is compared; the reader of the file finds other damage."""
    assert get(tmp_path, server.serve("f", BODY, length=1000)).size == 1000


# ── Hosts that hang and drip ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def short_minutes(monkeypatch):
    monkeypatch.setattr(connection, "SPEED_SECONDS", 0.3)


@pytest.mark.parametrize("headers", [False, True])
def test_a_host_that_drips_is_reported_and_the_next_mirror_is_tried(server, tmp_path, short_minutes, headers):
    said = []
    slow = server.serve("slow", BODY, drip=0.05, drips_headers=headers)
    found = get(tmp_path, slow, server.serve("good", BODY), said=said)
    assert found.url.endswith("/good")
    assert said == [f"file.bin: {slow}: it sends less than 1.0 kB a second"]


def test_a_web_page_that_drips_is_not_waited_for(server, tmp_path, short_minutes):
    with pytest.raises(DownloadError, match="it answers with a web page"):
        get(tmp_path, server.serve("f", b"<html>" * 1000, kind="text/html", drip=0.05))


def test_a_host_that_brings_a_few_bytes_an_attempt_is_given_up(server, tmp_path):
    url = server.serve("f", BODY, cut=[10] * 1000)
    with pytest.raises(DownloadError, match="ended after 40 of 300000 bytes"):
        get(tmp_path, url)
    assert len(server.requests) == 4


def test_a_slow_start_is_no_drip(server, tmp_path, short_minutes):
    assert get(tmp_path, server.serve("f", BODY)).path.read_bytes() == BODY


def test_requests_name_this_project_and_no_other(server, tmp_path):
    get(tmp_path, server.serve("f", BODY))
    assert server.agents == {f"netdissect/{netdissect.__version__}"}


# ── What lies where the download goes ─────────────────────────────────────────────────────────────────────────────────


def test_what_lies_in_the_place_of_a_file_is_left_alone(server, tmp_path):
    url = server.serve("f", BODY)
    os.mkfifo(tmp_path / "pipe.bin")
    (tmp_path / "folder.bin").mkdir()
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "link.bin").symlink_to("elsewhere")
    for name, kind in (("pipe.bin", "a pipe"), ("folder.bin", "a folder"), ("link.bin", "a link")):
        with pytest.raises(DownloadError, match=rf"{name} is in the way: it is {kind}"):
            get(tmp_path, url, name=name)
    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert server.requests == []


def test_no_link_is_followed_in_the_folder_of_unfinished_files(server, tmp_path):
    url = server.serve("f", BODY)
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / WORK_FOLDER).mkdir()
    (tmp_path / WORK_FOLDER / "file.bin.part").symlink_to("../elsewhere")
    with pytest.raises(DownloadError, match=r"file\.bin\.part is in the way of what is downloaded: it is a link"):
        get(tmp_path, url)
    (tmp_path / WORK_FOLDER / "file.bin.part").unlink()
    (tmp_path / WORK_FOLDER).rmdir()
    (tmp_path / "there").mkdir()
    (tmp_path / WORK_FOLDER).symlink_to("there")
    with pytest.raises(DownloadError, match=r"\.downloads is not a folder"):
        get(tmp_path, url)
    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert leftovers(tmp_path / "there") == []


def test_a_file_of_yours_that_is_called_like_a_part_is_left_alone(server, tmp_path):
    (tmp_path / "file.bin.part").write_text("a browser's")
    get(tmp_path, server.serve("f", BODY))
    assert (tmp_path / "file.bin.part").read_text() == "a browser's"


def test_a_mirror_that_is_a_guess_is_said_and_one_with_a_checksum_of_its_own_is_compared(server, tmp_path):
    url, said = server.serve("f", BODY), []
    sha1 = "sha1", hashlib.sha1(BODY).hexdigest()
    for name, digest in (("a.bin", sha1), ("b.bin", ("sha1", "0" * 40))):
        file = RemoteFile(name, (Mirror(url, "guess", "it has that name", digest),))
        call = functools.partial(fetch_file, file, tmp_path, progress=NullProgress(), say=said.append)
        if name == "a.bin":
            call()
            assert said == [f"a.bin comes from {url}; that it is the right file is only a guess: it has that name"]
        else:
            with pytest.raises(DownloadError, match=rf"its sha1 is {sha1[1]}, but the right one's is 0000"):
                call()
