"""DynamoDB's typed values (`{"S": "a"}`) in canonical form: numbers are plain digits, sets are sorted."""

from __future__ import annotations

from typing import Any

import orjson

from .values import canonical_number

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
