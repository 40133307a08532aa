"""A local server that misbehaves in the ways of real hosts."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """How one path is answered.

    Attributes:
        body: the file.
        cut: bytes sent before the connection is closed, per request; None sends all, and so do later requests.
        ranges: whether Range is obeyed.
        etag: validator; empty sends none.
        length: what Content-Length says; None says the truth, -1 says nothing.
        status: HTTP status; 200 serves the file.
        kind: Content-Type.
        redirect: where to redirect to.
        shift: how far the part that is sent lies beside the one asked for.
        headers: others that are sent too.
        chunked: whether the body goes in chunks, which say where they end.
        total: what Content-Range says of the whole; None says the truth.
        drip: seconds between one byte and the next.
        drips_headers: whether the headers drip as well.
        code: the status that a whole file is sent with.
    """

    body: bytes = b""
    cut: list[int | None] = field(default_factory=list)
    ranges: bool = True
    etag: str = '"one"'
    length: int | None = None
    status: list[int] = field(default_factory=list)
    kind: str = "application/octet-stream"
    redirect: str = ""
    shift: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    chunked: bool = False
    total: str | None = None
    drip: float = 0
    drips_headers: bool = False
    code: int = 200


class Server:
    """Answers by path; remembers every request as (path, Range)."""

    def __init__(self):
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, str]] = []
        self.agents: set[str] = set()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    owner.answer(self)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def url(self, path):
        return f"http://127.0.0.1:{self._http.server_port}/{path}"

    def serve(self, path, body=b"", **how):
        self.answers[f"/{path}"] = Answer(body, **how)
        return self.url(path)

    def answer(self, request):
        asked = request.headers.get("Range", "")
        self.requests.append((request.path, asked))
        self.agents.add(request.headers.get("User-Agent", ""))
        found = self.answers.get(request.path)
        if found is None:
            request.send_error(404)
            return
        if found.status and (status := found.status.pop(0)) != 200:
            request.send_error(status)
            return
        if found.redirect:
            request.send_response(302)
            request.send_header("Location", found.redirect)
            request.end_headers()
            self._drip(request, found.body, found.drip)
            return
        start = self._start(request, found, asked)
        if start is None:
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(found.body)}")
            request.end_headers()
            return
        part = found.body[start:]
        request.send_response(206 if asked and start else found.code)
        if asked and start:
            first = start + found.shift
            total = len(found.body) if found.total is None else found.total
            request.send_header("Content-Range", f"bytes {first}-{len(found.body) - 1}/{total}")
        request.send_header("Content-Type", found.kind)
        if found.etag:
            request.send_header("ETag", found.etag)
        for name, value in found.headers.items():
            request.send_header(name, value)
        if found.chunked:
            request.send_header("Transfer-Encoding", "chunked")
        elif found.length != -1:
            request.send_header("Content-Length", str(len(part) if found.length is None else found.length))
        if found.drips_headers:
            request.send_header("X-Slow", "x" * 1000)
            self._drip(request, b"".join(request._headers_buffer) + b"\r\n", found.drip)
            request._headers_buffer = []
        else:
            request.end_headers()
        cut = found.cut.pop(0) if found.cut else None
        self._drip(request, _chunks(part, cut) if found.chunked else part if cut is None else part[:cut], found.drip)
        request.close_connection = True

    def _drip(self, request, data, pause):
        step = 1 if pause else max(1, len(data))
        for start in range(0, len(data), step):
            request.wfile.write(data[start : start + step])
            time.sleep(pause)

    def _start(self, request, found, asked):
        match = re.fullmatch(r"bytes=(\d+)-", asked)
        validator = request.headers.get("If-Range")
        if not match or not found.ranges or (validator and validator != found.etag):
            return 0
        return int(match[1]) if int(match[1]) < len(found.body) else None


def _chunks(part, cut):
    """Return a body in chunks; one that is cut lacks the last, empty chunk."""
    kept = part if cut is None else part[:cut]
    parts = [kept[start : start + 50_000] for start in range(0, len(kept), 50_000)]
    return b"".join(f"{len(each):x}\r\n".encode() + each + b"\r\n" for each in parts) + (
        b"0\r\n\r\n" if cut is None else b""
    )
