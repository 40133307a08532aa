"""A loopback server that misbehaves in every way a data host has been seen to."""

from __future__ import annotations

import contextlib
import re
import threading
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


class Server:
    """Answers by path; remembers every request as (path, Range)."""

    def __init__(self):
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, str]] = []
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
            return
        start = self._start(request, found, asked)
        if start is None:
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(found.body)}")
            request.end_headers()
            return
        part = found.body[start:]
        request.send_response(206 if asked and start else 200)
        if asked and start:
            first = start + found.shift
            request.send_header("Content-Range", f"bytes {first}-{len(found.body) - 1}/{len(found.body)}")
        request.send_header("Content-Type", found.kind)
        if found.etag:
            request.send_header("ETag", found.etag)
        if found.length != -1:
            request.send_header("Content-Length", str(len(part) if found.length is None else found.length))
        request.end_headers()
        cut = found.cut.pop(0) if found.cut else None
        request.wfile.write(part if cut is None else part[:cut])
        request.close_connection = True

    def _start(self, request, found, asked):
        match = re.fullmatch(r"bytes=(\d+)-", asked)
        validator = request.headers.get("If-Range")
        if not match or not found.ranges or (validator and validator != found.etag):
            return 0
        return int(match[1]) if int(match[1]) < len(found.body) else None
