"""What version 1 says with every answer: that it is deprecated, until when it stays, and where its successor is."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from starlette.types import Scope

from include.trueup.rows.values import json_text

from .usage import RECORDER

log = logging.getLogger(__name__)

DEPRECATED = datetime(2026, 11, 20, tzinfo=UTC)
"""Since when version 1 is deprecated."""
SUNSET = datetime(2027, 11, 30, tzinfo=UTC)
"""From then on version 1 may be gone."""
MAX_CLIENTS = 10_000
"""How many clients are remembered at most; beyond that, those that were seen longest ago may be warned of again."""


def is_old(path: str) -> bool:
    """Whether the path is one of version 1."""
    return path.startswith("/v1/")


def superseded(paths: Iterable[str]) -> tuple[str, ...]:
    """Of the paths of all routes, those of version 1 that version 2 has too, each up to its first parameter."""
    known = {str(path) for path in paths}
    return tuple(sorted({path.split("{")[0] for path in known if is_old(path) and newer(path) in known}))


def headers(base: str, path: str, superseded: tuple[str, ...]) -> dict[str, str]:
    """The headers of an answer to `path` of version 1 (`/v1/…`, unquoted) of the API at `base`: Deprecation (RFC 9745),
    Sunset (RFC 8594) and, for what is superseded, Link to the successor."""
    values = {"Deprecation": f"@{int(DEPRECATED.timestamp())}", "Sunset": format_datetime(SUNSET, usegmt=True)}
    if path.startswith(superseded):
        values["Link"] = f'<{quote(base + newer(path))}>; rel="successor-version"'
    return values


def newer(path: str) -> str:
    """The same in version 2."""
    return path.replace("/v1/", "/v2/", 1)


class Once:
    """Whether something is new on its day. Remembers at most `most` names; safe to use from several threads."""

    def __init__(self, most: int = MAX_CLIENTS, today: Callable[[], date] = lambda: datetime.now(UTC).date()) -> None:
        self._most, self._today = most, today
        self._seen: OrderedDict[str, date] = OrderedDict()
        self._lock = threading.Lock()

    def new(self, name: str) -> bool:
        """Whether the name is asked for the first time today (UTC)."""
        with self._lock:
            today = self._today()
            was = self._seen.pop(name, None)
            self._seen[name] = today
            if len(self._seen) > self._most:
                self._seen.popitem(last=False)
            return was != today

    def forget(self) -> None:
        """Begin again."""
        with self._lock:
            self._seen.clear()


ONCE = Once()
"""The clients of this process."""


def warn(client: str, asked: str, **more: Any) -> None:
    """Log, once per client and day, that it still uses version 1."""
    if ONCE.new(client):
        fields = {
            "event": "deprecated_api",
            "client": client,
            "asked": asked,
            "sunset": SUNSET.date().isoformat(),
            **more,
        }
        log.warning("%s", json_text(fields))


_NOTED = "trueup_deprecated_call"


def note(scope: Scope, client: str, route: str) -> None:
    """Note with the request that this client asks for a route (method and path) that is deprecated."""
    scope[_NOTED] = (client, route)


def tell_of_noted(scope: Scope) -> None:
    """Warn of what was noted with the request, if anything was, and count it."""
    if noted := scope.get(_NOTED):
        client, route = noted
        warn(client, route.partition(" ")[2].split("/{")[0].removeprefix("/"))
        RECORDER.count(route, client)
