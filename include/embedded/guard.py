"""The embedded DynamoDB (ministack) behind a guard: `python -m include.embedded.guard`, set up as ministack is.

Ministack answers every web page that a browser shows (any Origin, any header), and everybody on the machine; one request
without a body empties all its tables. The guard lets through what a DynamoDB client sends, and nothing else: a signed
POST to `/` that names an operation of DynamoDB, to this address by its own name, from a process of the same user. The
signature itself is not checked. Which user a process is of, Linux tells; elsewhere every user of the machine gets through.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_SOCKETS = Path("/proc/net/tcp")


def guarded(app: App, port: int) -> App:
    """The ASGI app behind the guard; `port` is where it listens."""
    hosts = {f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost")}

    async def guard(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
        elif scope["type"] == "http":
            refused = _refusal(scope, hosts) or _stranger(scope, port)
            await (_refuse(send, refused) if refused else app(scope, receive, _without_cors(send)))

    return guard


def _refusal(scope: Message, hosts: set[bytes]) -> str | None:
    headers = dict(scope["headers"])
    if b"origin" in headers or headers.get(b"host") not in hosts:
        return "Web pages have no business here."
    if scope["method"] != "POST" or scope["path"] != "/":
        return "This is a DynamoDB endpoint: it takes POST requests to / only."
    if not headers.get(b"x-amz-target", b"").startswith(b"DynamoDB"):
        return "The request names no operation of DynamoDB (X-Amz-Target)."
    if not headers.get(b"authorization", b"").startswith(b"AWS4-HMAC-SHA256 "):
        return "The request is not signed."
    return None


def _stranger(scope: Message, port: int) -> str | None:
    """What a process of another user is told."""
    client = scope.get("client")
    user = peer(client[1], port) if client else None
    return None if user in (None, os.getuid(), 0) else "The process that asks is another user's."


def peer(client_port: int, port: int) -> int | None:
    """The user id of the process at the other end of a loopback connection to `port`; None where the system does not
    tell."""
    wanted = (f"0100007F:{client_port:04X}", f"0100007F:{port:04X}")
    try:
        with _SOCKETS.open() as sockets:
            for line in sockets:
                fields = line.split()
                if tuple(fields[1:3]) == wanted:
                    return int(fields[7])
    except OSError:
        return None
    return None


async def _refuse(send: Send, why: str) -> None:
    body = json.dumps({"__type": "com.amazon.coral.service#AccessDeniedException", "message": why}).encode()
    headers = [(b"content-type", b"application/x-amz-json-1.0"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _without_cors(send: Send) -> Send:
    async def without(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [each for each in message["headers"] if not each[0].lower().startswith(b"access-control-")]
            message = {**message, "headers": headers}
        await send(message)

    return without


def main() -> None:
    """Run ministack, guarded, with the environment that it is set up by."""
    import ministack.app

    vars(ministack.app)["app"] = guarded(ministack.app.app, int(os.environ["GATEWAY_PORT"]))
    ministack.app.main()


if __name__ == "__main__":
    main()
