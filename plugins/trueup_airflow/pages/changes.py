"""No full answer while nothing changes: data have a name, and a client that has them under that name is told that they are unchanged."""

from __future__ import annotations

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_JSON = "application/json"


class Unchanged:
    """ASGI middleware: a JSON answer to a GET gets an `ETag`; to whom it names the same in `If-None-Match`, it is a 304
    without a body. Files that are downloaded, and whatever is no 200, pass as they are."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("if-none-match")
        start: Message | None = None
        body: list[bytes] = []

        async def named(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_data(message):
                start = message
            elif start is None:
                await send(message)
            else:
                body.append(message.get("body", b""))
                if not message.get("more_body", False):
                    await _whole(start, b"".join(body), asked, send)

        await self.app(scope, receive, named)


def _is_data(message: Message) -> bool:
    headers = Headers(raw=message["headers"])
    kind = headers.get("content-type", "").partition(";")[0]
    return message["status"] == 200 and kind == _JSON and "content-disposition" not in headers


async def _whole(start: Message, body: bytes, asked: str | None, send: Send) -> None:
    name = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = MutableHeaders(raw=start["headers"])
    headers["ETag"] = name
    if asked is not None and name in {each.strip().removeprefix("W/") for each in asked.split(",")}:
        del headers["content-length"]
        del headers["content-type"]
        start["status"], body = 304, b""
    await send(start)
    await send({"type": "http.response.body", "body": body})
