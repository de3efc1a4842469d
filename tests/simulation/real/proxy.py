"""A proxy before a PostgreSQL server: it passes on what comes, refuses connections while it is told to, cuts those there are, and
holds the answer of a transaction that is committed."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import wait
from types import TracebackType
from typing import Self

_RESET = struct.pack("ii", 1, 0)
"""No lingering: the peer sees a reset, not an orderly end."""


_COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
"""CommandComplete, as the server sends it with all of its answer to a COMMIT."""
_IDLE = b"Z\x00\x00\x00\x05I"
"""ReadyForQuery, which ends an answer where no transaction is open."""


def _reset(given: socket.socket) -> None:
    with suppress(OSError):
        given.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    given.close()


class PostgresProxy:
    """A proxy on a port of its own before the server's Unix socket, until the end of the `with` block. `out`: nobody is let in,
    and those who are not are counted (`refused`).
    `passes`: asked before it passes on that a transaction is committed, of those that began so (`begins`): drivers have some of
    their own, too."""

    def __init__(self, upstream: str, passes: Callable[[], bool], begins: bytes = b"") -> None:
        self.out = False
        self.refused = 0
        self._passes, self._begins = passes, begins
        self._upstream = upstream
        self._open: dict[socket.socket, bytes] = {}
        self._answered: dict[socket.socket, bytes] = {}
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def uri(self, database: str, known: str) -> str:
        """Where a database is, by this proxy, for sessions that are known by this name."""
        options = f"sslmode=disable&gssencmode=disable&application_name={known}"
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}?{options}"

    def cut(self, known: str = "", *, idle: bool = False) -> None:
        """Cut every connection that there is, of sessions that are known by this name; of those only that have no transaction open
        (`idle`)."""
        with self._lock:
            for each in [each for each, begun in self._open.items() if known.encode() in begun]:
                if idle and self._answered.get(each) != _IDLE:
                    continue
                with suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.out:
                self.refused += 1
                _reset(client)
            else:
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = socket.socket(socket.AF_UNIX)
        with self._lock:
            self._open[client] = b""
        try:
            server.connect(self._upstream)
            other, asked = {client: server, server: client}, True
            while True:
                for ready in wait([client, server]):
                    assert isinstance(ready, socket.socket)
                    if not (content := ready.recv(1 << 16)):
                        return
                    if ready is client and not self._open[client]:
                        self._open[client] = content  # which says as whom it is known
                    if ready is server:
                        self._answered[client] = (self._answered.get(client, b"") + content)[-len(_IDLE) :]
                    elif b"BEGIN" in content:
                        asked = self._begins in content
                    if ready is server and asked and _COMMITTED in content and not self._passes():
                        _reset(client)
                        return
                    other[ready].sendall(content)
        except OSError:
            return
        finally:
            with self._lock:
                self._open.pop(client)
                self._answered.pop(client, None)
            server.close()
            client.close()
