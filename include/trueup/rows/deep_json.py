"""JSON read without recursion, so that no depth is too deep. Slow (1 µs a token): for what Python's scanner refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from ..errors import UnreadableValueError

MAX_LEVELS = 100_000
"""How deep JSON may be nested."""
_TOKEN = re.compile(
    r'[ \t\n\r]*(?:(?P<mark>[][{}:,])|(?P<text>"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")'
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|(?P<word>true|false|null))"
)
_WORDS = {"true": True, "false": False, "null": None}


class Canonical(str):
    """A number in canonical form."""

    __slots__ = ()


Number = Callable[[int, str], tuple[int, Canonical]]
"""Of what the numbers so far took and a number as it is written: what they take with it, and its canonical form."""


def parse(text: str, number: Number) -> Any:
    """The value of JSON text, numbers as `number` makes them. Raises `UnreadableValueError` for what is no JSON."""
    reader, at, end = _Reader(number), 0, len(text.rstrip(" \t\n\r"))
    while at < end:
        token = _TOKEN.match(text, at)
        if token is None or not reader.take(token.lastgroup or "", token[token.lastgroup or 0]):
            raise UnreadableValueError(f"not JSON: error at character {at:,}")
        at = token.end()
    return reader.value()


class _Reader:
    """The arrays and objects that are open, and what may come next: value, first (value or the end), key, first key
    (key or the end), colon, next (a comma or the end)."""

    def __init__(self, number: Number) -> None:
        self._number = number
        self._top: list[Any] = []
        self._open: list[Any] = [self._top]
        self._keys: list[str | None] = [None]
        self._wants = "value"
        self._taken = 0

    def take(self, kind: str, token: str) -> bool:
        """Take the next token; False where it may not come here."""
        if token in ("]", "}"):
            return self._close(token)
        if token in (",", ":"):
            return self._separate(token)
        if self._wants in ("key", "first key"):
            if kind == "text":
                self._keys[-1], self._wants = json.loads(token), "colon"
            return kind == "text"
        return self._wants in ("value", "first") and self._put(kind, token)

    def value(self) -> Any:
        """What was read."""
        if len(self._open) > 1 or not self._top:
            raise UnreadableValueError("not JSON: it ends too early")
        return self._top[0]

    def _close(self, token: str) -> bool:
        ends = self._wants in ("next", "first", "first key") and len(self._open) > 1
        if not ends or (token == "}") is not (type(self._open[-1]) is dict):
            return False
        self._open.pop()
        self._keys.pop()
        self._wants = "next"
        return True

    def _separate(self, token: str) -> bool:
        if self._wants != ("colon" if token == ":" else "next") or len(self._open) == 1:
            return False
        self._wants = "value" if token == ":" or type(self._open[-1]) is list else "key"
        return True

    def _put(self, kind: str, token: str) -> bool:
        value = self._value(kind, token)
        if type(self._open[-1]) is dict:
            self._open[-1][self._keys[-1]] = value
        else:
            self._open[-1].append(value)
        self._wants = "next"
        if kind == "mark":
            if len(self._open) > MAX_LEVELS:
                raise UnreadableValueError(f"it is nested deeper than {MAX_LEVELS:,} levels")
            self._open.append(value)
            self._keys.append(None)
            self._wants = "first" if token == "[" else "first key"
        return True

    def _value(self, kind: str, token: str) -> Any:
        if kind == "mark":
            return [] if token == "[" else {}
        if kind == "number":
            self._taken, value = self._number(self._taken, token)
            return value
        return json.loads(token) if kind == "text" else _WORDS[token]
