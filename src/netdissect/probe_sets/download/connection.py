"""Open connections to untrusted hosts: http and https only, with a least transfer speed."""

from __future__ import annotations

import contextlib
import functools
import http.client
import socket
import threading
import urllib.request
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from netdissect import __version__

if TYPE_CHECKING:
    from types import TracebackType

#: Seconds without a byte after which a connection is considered broken.
TIMEOUT = 30.0
#: A transfer of fewer bytes per second, on average over this many seconds, is ended.
MIN_BYTES_PER_SECOND, SPEED_SECONDS = 1000, 60.0

#: Waits that make up `SPEED_SECONDS`; the time for which this process is suspended counts as one of them at most.
_CHECKS = 12


class TransferInterrupted(Exception):  # noqa: N818 - not a mistake of the user
    """The connection ended early; the bytes so far are kept, and another attempt may continue."""


class MirrorRejected(Exception):  # noqa: N818
    """This mirror does not provide the file; the next one is tried."""


class TransferDeadline:
    """Ends the connections of one transfer when they bring too few bytes for a minute.

    A socket's timeout starts again with every byte, so a host could otherwise send single bytes forever: in the handshake,
    the headers or the file.

    Attributes:
        slow: whether the connections were ended.
    """

    def __init__(self) -> None:
        self.slow = False
        self._bytes = 0
        self._sockets: list[socket.socket] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        with contextlib.suppress(RuntimeError):  # without threads, only the socket's timeout applies
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

    def count_bytes(self, count: int) -> None:
        """Count received bytes of the file."""
        self._bytes += count

    def add(self, opened: socket.socket) -> None:
        """Add a connection of the transfer."""
        self._sockets.append(opened.dup())

    def _watch(self) -> None:
        while True:
            before = self._bytes
            for _ in range(_CHECKS):
                if self._done.wait(SPEED_SECONDS / _CHECKS):
                    return
            if self._bytes - before < MIN_BYTES_PER_SECOND * SPEED_SECONDS:
                break
        self.slow = True
        while not self._done.wait(SPEED_SECONDS / _CHECKS / 10):  # a redirect may open another connection
            for each in list(self._sockets):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


def open_url(url: str, headers: dict[str, str], deadline: TransferDeadline) -> Any:
    """Send a request, and return the response once its headers are read.

    Args:
        url: the address.
        headers: of the request.
        deadline: ends the connections if they are too slow.

    Raises:
        MirrorRejected: if it redirects to a scheme other than http and https, or from https to http.
        OSError, http.client.HTTPException, ValueError: as urllib does.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(), urllib.request.UnknownHandler(), _WebHandler(deadline),
        urllib.request.HTTPDefaultErrorHandler(), _NoDowngrade(), urllib.request.HTTPErrorProcessor(),
    ):  # fmt: skip
        opener.add_handler(handler)
    request = urllib.request.Request(url, headers={"User-Agent": f"netdissect/{__version__}", **headers})  # noqa: S310
    return opener.open(request, timeout=TIMEOUT)


class _HTTPConnection(http.client.HTTPConnection):
    deadline: TransferDeadline

    def connect(self) -> None:
        super().connect()
        self.deadline.add(self.sock)


class _HTTPSConnection(http.client.HTTPSConnection, _HTTPConnection):
    """Opens the plain connection first, so that the deadline includes the TLS handshake."""


class _WebHandler(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Opens connections that are ended by the deadline of a transfer."""

    def __init__(self, deadline: TransferDeadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(self._connect, _HTTPConnection), req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(self._connect, _HTTPSConnection), req)

    def _connect(self, kind: type[_HTTPConnection], host: str, /, **options: Any) -> Any:
        connection = kind(host, **options)
        connection.deadline = self._deadline
        return connection


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https only, and none from https to http."""

    max_redirections = 8

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str) -> Any:
        old, new = urlsplit(req.full_url).scheme.lower(), urlsplit(newurl).scheme.lower()
        if new not in ("http", "https") or (old == "https" and new == "http"):
            raise MirrorRejected(f"it redirects to {newurl}, which is not followed")
        fp.close()  # otherwise urllib reads the whole body of the redirect, of any size
        return super().redirect_request(req, fp, code, msg, headers, newurl)
