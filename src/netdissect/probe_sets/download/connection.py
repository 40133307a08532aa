"""Connections to hosts that nobody vouches for: http and https only, and none that hangs or drips for long."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import urllib.request
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from netdissect import __version__

if TYPE_CHECKING:
    from types import TracebackType

#: Seconds without a byte after which a connection counts as broken.
TIMEOUT = 30.0
#: Bytes a second, over `MINUTE` seconds, below which a host is given up.
SLOWEST, MINUTE = 1000, 60.0

#: Looks at the clock within a minute; a process that was stopped in between is not taken for a slow host.
_LOOKS = 12


class TransferInterrupted(Exception):  # noqa: N818 - it is what happened, not a mistake
    """The connection ended early: what came is kept, another attempt may go on."""


class MirrorRejected(Exception):  # noqa: N818
    """This address does not give the file: the next may."""


class TransferDeadline:
    """Ends the connections of one transfer when they bring too little for a minute, whatever they hang in.

    A socket's own time-out begins anew with every byte, so that a host may drip for ever: into the handshake, the headers
    or the file.

    Attributes:
        slow: whether it has ended them.
    """

    def __init__(self) -> None:
        self.slow = False
        self._bytes = 0
        self._sockets: list[socket.socket] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        with contextlib.suppress(RuntimeError):  # where no thread may be started, a time-out must do
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        if self._thread.ident is not None:
            self._thread.join()
        for each in self._sockets:
            each.close()

    def saw(self, count: int) -> None:
        """Count bytes of the file that came."""
        self._bytes += count

    def add(self, opened: socket.socket) -> None:
        """Watch a connection."""
        self._sockets.append(opened.dup())

    def _look(self) -> None:
        while True:
            before = self._bytes
            for _ in range(_LOOKS):
                if self._done.wait(MINUTE / _LOOKS):
                    return
            if self._bytes - before < SLOWEST * MINUTE:
                break
        self.slow = True
        while not self._done.wait(MINUTE / _LOOKS / 10):  # a redirect may open one more
            for each in list(self._sockets):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


def open_url(url: str, headers: dict[str, str], watch: TransferDeadline) -> Any:
    """Return the answer to a request, its headers read.

    Raises:
        Refused: if it redirects to something else than the web, or from https to http.
        OSError, http.client.HTTPException, ValueError: as urllib does.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(), urllib.request.UnknownHandler(), _Http(watch), _Https(watch),
        urllib.request.HTTPDefaultErrorHandler(), _NoDowngrade(), urllib.request.HTTPErrorProcessor(),
    ):  # fmt: skip
        opener.add_handler(handler)
    request = urllib.request.Request(url, headers={"User-Agent": f"netdissect/{__version__}", **headers})  # noqa: S310
    return opener.open(request, timeout=TIMEOUT)


class _Plain(http.client.HTTPConnection):
    watch: TransferDeadline

    def connect(self) -> None:
        super().connect()
        self.watch.add(self.sock)


class _Secure(http.client.HTTPSConnection, _Plain):
    """Its `connect` opens the plain connection first, so that the handshake is watched too."""


class _Http(urllib.request.HTTPHandler):
    def __init__(self, watch: TransferDeadline) -> None:
        super().__init__()
        self._watch = watch

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connection, req)

    def _connection(self, host: str, /, **how: Any) -> Any:
        connection = _Plain(host, **how)
        connection.watch = self._watch
        return connection


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, watch: TransferDeadline) -> None:
        super().__init__()
        self._watch = watch

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connection, req)

    def _connection(self, host: str, /, **how: Any) -> Any:
        connection = _Secure(host, **how)
        connection.watch = self._watch
        return connection


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Redirects stay on http and https, and never leave https."""

    max_redirections = 8

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str) -> Any:
        old, new = urlsplit(req.full_url).scheme.lower(), urlsplit(newurl).scheme.lower()
        if new not in ("http", "https") or (old == "https" and new == "http"):
            raise MirrorRejected(f"it redirects to {newurl}, which is not followed")
        fp.close()  # urllib would read the whole page that comes with a redirect, however large it is
        return super().redirect_request(req, fp, code, msg, headers, newurl)
