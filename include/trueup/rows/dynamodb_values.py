"""DynamoDB's typed values (`{"S": "a"}`) in canonical form: numbers are plain digits, sets are sorted."""

from __future__ import annotations

import json
from typing import Any

import orjson

from ..errors import UnreadableValueError
from .deep_json import Canonical
from .values import canonical_number, json_text

Value = dict[str, Any]
"""One typed value: `{"S": "a"}`."""


def canonical_value(value: Value) -> Value:
    """A typed value in canonical form: numbers as plain digits, members of sets sorted, at any depth."""
    ((tag, content),) = value.items()
    match tag:
        case "N":
            return {"N": canonical_number(content)}
        case "M":
            return {"M": {name: canonical_value(inner) for name, inner in content.items()}}
        case "L":
            return {"L": [canonical_value(inner) for inner in content]}
        case "NS":
            return {"NS": sorted(canonical_number(number) for number in content)}
        case "SS" | "BS":
            return {tag: sorted(content)}
        case _:
            return value


def canonical_text(value: Any) -> str:
    """JSON text with keys sorted and no white space, of values that are in canonical form already."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def plain_json(text: str) -> str:
    """Of a document in DynamoDB JSON (`{"a": {"N": "1"}}`: a column of type JSON, or `_extra`) the JSON that it means, in
    canonical form: sets are lists, binary is Base64 text. What is no such document stays as it is."""
    try:
        document = orjson.loads(text)
        return json_text({name: _plain(value) for name, value in document.items()})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return text


def plain_attribute(text: str, name: str) -> str | None:
    """The same of the attribute `name` of such a document alone; None where it has none."""
    try:
        document = orjson.loads(text)
        return json_text(_plain(document[name])) if name in document else None
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def dynamodb_json(text: str) -> str:
    """Of a JSON object the document in DynamoDB JSON, in canonical form: lists are lists, not sets. What is no object, or
    nested too deep for any store, stays as it is, and the store says in its own words why it does not take it."""
    try:
        document = json.loads(text, parse_int=Canonical, parse_float=Canonical)
        return canonical_text({name: canonical_value(_typed(value)) for name, value in document.items()})
    except (ValueError, TypeError, AttributeError, RecursionError, UnreadableValueError):
        return text


def _plain(value: Value) -> Any:
    ((tag, content),) = value.items()
    match tag:
        case "N":
            return Canonical(canonical_number(content))
        case "NS":
            return [Canonical(canonical_number(number)) for number in content]
        case "M":
            return {name: _plain(inner) for name, inner in content.items()}
        case "L":
            return [_plain(inner) for inner in content]
        case "NULL":
            return None
        case _:
            return content


def _typed(value: Any) -> Value:
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case Canonical():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case dict():
            return {"M": {name: _typed(inner) for name, inner in value.items()}}
        case _:
            return {"L": [_typed(inner) for inner in value]}
