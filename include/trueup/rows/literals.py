"""Rows written down in Python: each value in the canonical form of its column's type."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from ..declare.table import Type
from .values import canonical_json, canonical_number, json_text


def canonical(value: Any, type_: Type) -> Any:
    """The value, which is not null, in the form that a column of that type has in Arrow (`declare.table.Type`): dates and
    times may be ISO 8601 text, numbers text, JSON text or what JSON can hold. Raises `TypeError` or `ValueError` where it is
    of another type."""
    return _FORMS[type_](value)


def json_of(value: Any) -> str:
    """Canonical JSON of what JSON can hold, and of bytes (Base64), dates and times (ISO 8601) in it."""
    return json_text(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if isinstance(value, datetime.date) else value


def _only(*types: type) -> Callable[[Any], Any]:
    """What is of one of these types, as it is; True and False are no numbers."""

    def form(value: Any) -> Any:
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise TypeError(f"{value!r} is not {' or '.join(t.__name__ for t in types)}")
        return value

    return form


def _number(value: Any) -> str:
    return canonical_number(str(_only(str, int, float, Decimal)(value)))


def _date(value: Any) -> datetime.date:
    return value if type(value) is datetime.date else datetime.date.fromisoformat(value)


def _time(zoned: bool) -> Callable[[Any], datetime.datetime]:
    def form(value: Any) -> datetime.datetime:
        at = value if isinstance(value, datetime.datetime) else datetime.datetime.fromisoformat(value)
        if (at.tzinfo is not None) is not zoned:
            raise ValueError(f"{value!r} {'has no' if zoned else 'has a'} time zone")
        return at

    return form


_FORMS: dict[Type, Callable[[Any], Any]] = {
    Type.TEXT: _only(str),
    Type.NUMBER: _number,
    Type.INTEGER: _only(int),
    Type.FLOAT: lambda value: float(_only(int, float)(value)),
    Type.BOOLEAN: _only(bool),
    Type.TIMESTAMP: _time(zoned=True),
    Type.DATETIME: _time(zoned=False),
    Type.DATE: _date,
    Type.JSON: lambda value: canonical_json(value) if isinstance(value, str) else json_of(value),
    Type.BINARY: _only(bytes),
}
