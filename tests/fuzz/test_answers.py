"""Whatever a server answers, either the file is stored with all its bytes, or nothing is."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.damage import check_one_sentence

from netdissect.errors import NetdissectError
from netdissect.probe_sets.download.fetch import fetch_file
from netdissect.probe_sets.download.registry import Mirror, RemoteFile
from netdissect.protocols import NullProgress

BODY = random.Random(0).randbytes(3000)
N = len(BODY)


class ScriptedServer:
    """A server that answers requests by a script, and closes the connection when the script ends."""

    def __init__(self):
        self.script, self.announced = [], set()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/f"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            connection, _ = self._socket.accept()
            with connection, contextlib.suppress(OSError):
                asked = connection.recv(1 << 16).decode("latin-1")
                if self.script:
                    connection.sendall(self._answer(asked, *self.script.pop(0)))

    def _answer(self, asked, code, length, part, others, cut, chunked):
        found = re.search(r"(?im)^range: bytes=(\d+)-", asked)
        first = int(found[1]) if found and code == 206 else 0
        body = BODY[first:]
        if isinstance(length, int):
            length += len(body)
            self.announced.add(first + length)
        if part is not None and code == 206:
            self.announced.add(N + part[1])
            others = [*others, f"Content-Range: bytes {first + part[0]}-{N - 1 + part[0]}/{N + part[1]}"]
        if chunked:
            others = [*others, "Transfer-Encoding: chunked"]
            body = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
            self.announced.add(N)
        elif length is not None:
            others = [*others, f"Content-Length: {length}"]
        head = "\r\n".join([f"HTTP/1.1 {code} So", *others]) + "\r\n\r\n"
        return head.encode("latin-1", "replace") + body[: len(body) - cut]


OTHERS = (
    'ETag: "a"', 'ETag: W/"a"', "ETag: \u00e9", "Last-Modified: x", "Content-Type: application/zip", "Content-Type: \u00e9",
    "Content-Encoding: identity", "Content-Encoding: gzip", "Transfer-Encoding: gzip", "Location: http://[", "Location: //",
    "Content-Range: bytes */1", "Content-Range: bytes 5-2/1", "X: " + "x" * 70_000, "no colon", "Content-Length: 7, 8",
)  # fmt: skip
ANSWERS = st.tuples(
    st.sampled_from([200, 200, 200, 206, 206, 206, 416, 302, 204, 503, 999, "abc"]),
    st.sampled_from([0, 0, 0, 5, -5, None, "-1", "9" * 30, "9" * 5000, "\u00b2"]),
    st.sampled_from([(0, 0), (0, 0), (0, 7), (3, 0), (0, -9), None]),
    st.lists(st.sampled_from(OTHERS), max_size=3),
    st.sampled_from([0, 0, 0, 1, 1000, N]),
    st.sampled_from([False, False, False, True]),
)


@pytest.fixture(scope="module")
def server():
    return ScriptedServer()


@settings(max_examples=200, deadline=None)
@given(script=st.lists(ANSWERS, min_size=1, max_size=6))
def test_what_is_kept_is_the_file_and_as_long_as_announced(server, tmp_path_factory, script):
    folder = tmp_path_factory.mktemp("answers")
    server.script, server.announced = list(script), set()
    file = RemoteFile("f.bin", (Mirror(server.url),))
    try:
        kept = fetch_file(
            file, folder, progress=NullProgress(), say=lambda _: None, wait=lambda _: None
        ).path.read_bytes()
    except NetdissectError as error:
        check_one_sentence(error)
        assert not (folder / "f.bin").exists()
    else:
        assert BODY.startswith(kept)
        assert len(kept) in server.announced
