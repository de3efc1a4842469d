"""A DynamoDB endpoint that goes wrong on purpose: an HTTP proxy in front of a real engine.

A *rule* decides on each request: it may answer itself, forward the request (changed or not) and pass the answer on
(changed or not), wait, or break the connection by raising `ResetError`. `forwards` is the rule that changes nothing.
"""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

READS = {"DescribeTable", "DescribeContinuousBackups", "ListTables", "GetItem", "BatchGetItem", "Query", "Scan"}


class ResetError(Exception):
    """Raised by a rule: the connection is reset instead of an answer."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request. `number` counts from 1 for each operation."""

    operation: str
    number: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed

    def having(self, **changes: Any) -> Request:
        """The same request with other top-level members."""
        return replace(self, body=json.dumps({**self.json, **changes}).encode())


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer. Its CRC32 header is computed when it is sent, unless `headers` holds one."""

    status: int = 200
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


Forward = Callable[[Request], Answer]
Rule = Callable[[Request, Forward], Answer]


def forwards(request: Request, forward: Forward) -> Answer:
    """The rule that changes nothing."""
    return forward(request)


def error(code: str, status: int = 400) -> Answer:
    """DynamoDB's answer to a request that it does not carry out."""
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "injected by a test"}
    return Answer(status=status, body=json.dumps(body).encode())


def ok(**members: Any) -> Answer:
    """An answer that all went well."""
    return Answer(body=json.dumps(members).encode())


def refused(code: str, status: int = 400) -> Rule:
    """The rule of an endpoint that carries out nothing."""
    return lambda request, forward: error(code, status)


def page_of_a_load_balancer(request: Request, forward: Forward) -> Answer:
    """The rule of an endpoint whose load balancer has nobody behind it."""
    return Answer(status=503, body=b"<html>Service Unavailable</html>")


def read_only(request: Request, forward: Forward) -> Answer:
    """The rule of credentials that may read and not write."""
    return forward(request) if request.operation in READS else error("AccessDeniedException")


class Proxy:
    """A proxy before the engine at `upstream` (a URL), until the end of the `with` block. `rule` may be replaced at
    any time; `requests` are all that came in, and `forwarded` counts, by operation, those that went on."""

    def __init__(self, upstream: str, rule: Rule = forwards) -> None:
        self.rule = rule
        self.requests: list[Request] = []
        self.forwarded: Counter[str] = Counter()
        self._upstream = urlsplit(upstream).netloc
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def count(self, operation: str) -> int:
        """How many requests of that operation came in."""
        return sum(request.operation == operation for request in self.requests)

    def _receive(self, headers: dict[str, str], body: bytes) -> Request:
        operation = headers["X-Amz-Target"].rpartition(".")[2]
        with self._lock:
            request = Request(operation=operation, number=self.count(operation) + 1, headers=headers, body=body)
            self.requests.append(request)
        return request

    def forward(self, request: Request) -> Answer:
        """Send a request on; the engine's answer."""
        with self._lock:
            self.forwarded[request.operation] += 1
        connection = http.client.HTTPConnection(self._upstream, timeout=30)
        try:
            kept = {k: v for k, v in request.headers.items() if k.lower() not in ("content-length", "connection")}
            connection.request("POST", "/", request.body, kept)
            answer = connection.getresponse()
            return Answer(status=answer.status, body=answer.read())
        finally:
            connection.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = proxy._receive(dict(self.headers), body)
                try:
                    answer = proxy.rule(request, proxy.forward)
                except ResetError:
                    # no lingering: the peer sees a reset, not an orderly end
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.close_connection = True
                    return
                headers = {"x-amz-crc32": str(zlib.crc32(answer.body)), "Content-Length": str(len(answer.body))}
                try:
                    self.send_response(answer.status)
                    for name, value in {**headers, **answer.headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(answer.body)
                except ConnectionError:
                    self.close_connection = True  # the client has given up waiting

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: the tests look at `requests`."""

        return Handler
