"""Where two answers differ: for shadow comparisons."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator

from include.trueup.rows.values import json_text

_ABSENT = object()


def differences(one: object, other: object) -> Iterator[tuple[str, str | None, str | None]]:
    """Where two answers, as JSON values, differ: the path of the smallest parts that do, and both as JSON text, None for what
    is not there (bytes as base64). An answer that is None is not there at all."""
    yield from _differences(_ABSENT if one is None else one, _ABSENT if other is None else other, "")


def _differences(one: object, other: object, path: str) -> Iterator[tuple[str, str | None, str | None]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}):
            inside = f"{path}.{name}" if path else name
            yield from _differences(one.get(name, _ABSENT), other.get(name, _ABSENT), inside)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for n, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _differences(left, right, f"{path}[{n}]")
    elif (left_text := _text(one)) != (right_text := _text(other)):
        yield path, left_text, right_text


def _text(value: object) -> str | None:
    return None if value is _ABSENT else json_text(_plain(value))


def _plain(value: object) -> object:
    match value:
        case bytes():
            return b64encode(value).decode()
        case dict():
            return {name: _plain(member) for name, member in value.items()}
        case list():
            return [_plain(member) for member in value]
        case _:
            return value
